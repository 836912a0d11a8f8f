from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from ganeval.gather import gather

WORKER = Path(__file__).with_name("gather_worker.py")
WORLD = 2


@pytest.fixture(scope="module")
def worker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gather_worker", WORKER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Tensor]]:
    """What each of two gloo processes computed."""
    folder = tmp_path_factory.mktemp("gather")
    commands = [[sys.executable, str(WORKER), str(folder), str(rank), str(WORLD)] for rank in range(WORLD)]
    running = [subprocess.Popen(command, cwd=WORKER.parents[2], stderr=subprocess.PIPE, text=True) for command in commands]
    for process in running:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(WORLD)]


def single(worker: ModuleType, scheme: Any, parts: int = 1) -> dict[str, Tensor]:
    """Gradients of one process: the mean over ``parts`` of the union batch, each with a loss of its own."""
    network = worker.network(scheme)
    images, labels = worker.batch(WORLD)
    for x, y in zip(images.chunk(parts), labels.chunk(parts), strict=True):
        (worker.loss(scheme, network(x, y), y) / parts).backward()
    return {key: parameter.grad for key, parameter in network.named_parameters()}


def test_a_single_process_gets_the_tensor_itself() -> None:
    rows = torch.randn(3, 2)
    assert gather(rows) is rows


def test_rows_come_in_rank_order(worker: ModuleType, results: list[dict[str, Tensor]]) -> None:
    images, labels = worker.batch(WORLD)
    for result in results:
        assert torch.equal(result["images"], images)
        assert torch.equal(result["labels"], labels)


def test_averaged_gradients_are_those_of_the_union_batch(worker: ModuleType, results: list[dict[str, Tensor]]) -> None:
    for name, scheme in worker.SCHEMES.items():
        union, apart = single(worker, scheme), single(worker, scheme, parts=WORLD)
        for key, expected in union.items():
            for result in results:
                torch.testing.assert_close(result[f"{name}.{key}"], expected, rtol=0, atol=1e-12)
        # Without gathering, each process would see its own negatives alone.
        assert max((union[key] - apart[key]).abs().max() for key in union) > 1e-4
