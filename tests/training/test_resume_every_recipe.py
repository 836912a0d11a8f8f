"""Every registered recipe, stopped at a random step and resumed, is bit for bit what it is in one go, by one process and by two.

How the recipes are made small: ``narrow_recipes.py``. The quick ones among them hold every part at least once; the rest are
marked slow.
"""

from __future__ import annotations

import importlib.util
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from ganeval.checkpoints import Folder, load_folder
from ganeval.processes import Processes
from ganeval.recipes.registry import TABLES
from ganeval.sampling import resolve_checkpoint

WORKER = Path(__file__).with_name("narrow_recipes.py")
WORLD = 2


def import_worker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("narrow_recipes", WORKER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


narrow = import_worker()
NAMES: tuple[str, ...] = tuple(narrow.DIFFERENT)
QUICK = tuple(name for name in NAMES if name in narrow.quick())


def parameters() -> Iterator[Any]:
    for name in NAMES:
        yield pytest.param(name, marks=() if name in QUICK else pytest.mark.slow)


def final(out: Path) -> Folder:
    return load_folder(resolve_checkpoint(out))


def random_step() -> int:
    """After the first step, before the last."""
    return random.randrange(1, narrow.STEPS)


@pytest.mark.parametrize("name", list(parameters()))
def test_stopped_and_resumed_it_is_bit_identical(name: str, tmp_path: Path) -> None:
    """G, D, the average, both optimisers, spectral vectors, the states of regularisers and augmentation."""
    stop = random_step()
    for _ in narrow.train_in_parts(name, stop, tmp_path, Processes()):
        pass
    whole, resumed = final(tmp_path / "whole"), final(tmp_path / "parts")
    expected = {"generator", "discriminator", "g_optimizer", "d_optimizer", "extras"}
    expected |= {"ema"} if narrow.DIFFERENT[name][0].ema else set()
    assert set(whole.tensors) == set(resumed.tensors) == expected
    for file, content in whole.tensors.items():
        assert content.keys() == resumed.tensors[file].keys()
        for key, value in content.items():
            assert torch.equal(value, resumed.tensors[file][key]), f"{file}: {key}, stopped at {stop}"


def trained_by_two(folder: Path, names: tuple[str, ...]) -> list[dict[str, list[str]]]:
    """What each of two gloo processes ends with by recipe: in one go, at a random step, and resumed there."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    plan = "".join(f"{name} {random_step()}\n" for name in names)
    (folder / "plan").write_text(plan)
    errors = [folder / f"{rank}.err" for rank in range(WORLD)]
    commands = [[sys.executable, str(WORKER), str(folder), str(rank), str(WORLD)] for rank in range(WORLD)]
    running = [
        subprocess.Popen(command, env=environment, stdin=(folder / "plan").open(), stderr=error.open("w"))
        for command, error in zip(commands, errors, strict=True)
    ]
    try:
        for process, error in zip(running, errors, strict=True):
            assert process.wait(timeout=1500) == 0, error.read_text()
    finally:
        for process in running:
            process.kill()
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(WORLD)]


def require_resumed(name: str, folder: Path, ended: list[dict[str, list[str]]]) -> None:
    first, second = (states[name] for states in ended)
    assert first == second, "the processes end with other states"
    whole, stopped, resumed = first
    assert whole == resumed != stopped, (folder / "plan").read_text()
    assert final(folder / name / "whole").file_sha256 == final(folder / name / "parts").file_sha256


@pytest.fixture(scope="module")
def quick_by_two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, list[str]]]]:
    folder = tmp_path_factory.mktemp("by-two")
    return folder, trained_by_two(folder, QUICK)


@pytest.mark.parametrize("name", QUICK)
def test_so_it_is_in_two_processes(name: str, quick_by_two: tuple[Path, list[dict[str, list[str]]]]) -> None:
    require_resumed(name, *quick_by_two)


@pytest.mark.slow
def test_so_are_the_others_in_two_processes(tmp_path: Path) -> None:
    others = tuple(name for name in NAMES if name not in QUICK)
    ended = trained_by_two(tmp_path, others)
    for name in others:
        require_resumed(name, tmp_path, ended)


def test_every_registered_recipe_is_among_them() -> None:
    rows = [(table, recipe) for table, recipes in TABLES for recipe in recipes.values()]
    kept = set(narrow.DIFFERENT.values())
    assert len(rows) >= 230
    assert all((narrow.smallest(recipe), 1 if table == "digits" else 3) in kept for table, recipe in rows)
    everything = set().union(*(narrow.parts(narrow.smallest(recipe)) for _, recipe in rows))
    assert everything == set().union(*(narrow.parts(narrow.DIFFERENT[name][0]) for name in narrow.quick()))
