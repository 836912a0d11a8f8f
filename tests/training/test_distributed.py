"""Several processes compute what one would: updates compared in float64, runs started by torchrun."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm

from ganeval.checkpoints import Folder, load_folder
from ganeval.errors import UserError
from ganeval.networks.layers import BatchNorm
from ganeval.networks.sync_batch_norm import GatheredBatchNorm, synchronise
from ganeval.processes import Processes
from ganeval.recipes.recipe import Recipe
from ganeval.sampling import resolve_checkpoint
from ganeval.training.engine import Engine

WORKER = Path(__file__).with_name("distributed_worker.py")
WORLD = 2


def import_worker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("distributed_worker", WORKER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


worker = import_worker()
RECIPES: dict[str, Recipe] = worker.RECIPES
EVERY_METHOD = tuple(name for name in RECIPES if name.startswith("digits-"))
COMPARED = tuple(name for name in RECIPES if name not in EVERY_METHOD)


def run_workers(folder: Path, names: tuple[str, ...]) -> list[dict[str, dict[str, Tensor]]]:
    """What each of two gloo processes ends with, by recipe."""
    commands = [[sys.executable, str(WORKER), str(folder), str(rank), str(WORLD)] for rank in range(WORLD)]
    pipes = {"stdin": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    running = [subprocess.Popen(command, cwd=WORKER.parents[2], **pipes) for command in commands]  # type: ignore[call-overload]
    for process in running:
        process.stdin.write(" ".join(names))
        process.stdin.close()
    for process in running:
        errors = process.stderr.read()
        assert process.wait(timeout=200) == 0, errors
    return [{name: torch.load(folder / f"{name}.{rank}.pt", weights_only=True) for name in names} for rank in range(WORLD)]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, dict[str, Tensor]]]:
    return run_workers(tmp_path_factory.mktemp("processes"), COMPARED)


@pytest.mark.parametrize("name", COMPARED)
def test_two_processes_do_what_one_does_with_the_whole_batch(name: str, results: list[dict[str, dict[str, Tensor]]]) -> None:
    """Weights, the average, moments, spectral vectors, statistics, p and the logits' averages; chance is the same, too."""
    whole = worker.flat(worker.trained(RECIPES[name], Processes()))
    start = worker.flat(worker.initial_state(RECIPES[name], worker.ImageShape(1, 16), worker.CLASSES, 0, torch.device("cpu")))
    require_equal(whole, [result[name] for result in results])
    trained = [key for key in whole if key.startswith(("generator/", "discriminator/")) and key.endswith("weight")]
    assert max((whole[key] - start[key]).abs().max() for key in trained) > 1e-3
    small = [key for key in whole if key.startswith("extras/") and key.endswith((".p", ".real", ".fake"))]
    assert all(whole[key] != start[key] for key in small)


@pytest.mark.slow
def test_every_method_does_in_two_processes_what_it_does_in_one(tmp_path: Path) -> None:
    results = run_workers(tmp_path, EVERY_METHOD)
    for name in EVERY_METHOD:
        require_equal(worker.flat(worker.trained(RECIPES[name], Processes())), [result[name] for result in results])


def require_equal(whole: dict[str, Tensor], shared: list[dict[str, Tensor]]) -> None:
    """Up to the rounding of float64."""
    for result in shared:
        assert result.keys() == whole.keys()
        for key, value in whole.items():
            torch.testing.assert_close(result[key], value, rtol=1e-6, atol=1e-7, msg=key)


def test_gathered_batch_norm_of_one_process_is_batch_norm(tmp_path: Path) -> None:
    """Its formulas, gradients and running statistics, where there is nothing to gather."""
    torch.distributed.init_process_group("gloo", init_method=(tmp_path / "meet").as_uri(), rank=0, world_size=1)
    try:
        plain = BatchNorm(3, eps=1e-4).double()
        nn.init.normal_(plain.weight)
        nn.init.normal_(plain.bias)
        network = nn.Sequential(BatchNorm(3, eps=1e-4)).double()
        network[0].load_state_dict(plain.state_dict())
        weight = network[0].weight
        synchronise(network, twice=True)
        assert type(network[0]) is GatheredBatchNorm
        assert network[0].weight is weight
        x = torch.randn(4, 3, 5, 5, dtype=torch.float64, requires_grad=True)
        slopes = torch.randn(4, 3, 5, 5, dtype=torch.float64)
        found = []
        for norm in (plain, network):
            y = norm(x)
            found.append([y, *torch.autograd.grad((y * slopes).sum(), [x, *norm.parameters()])])
        for ours, theirs in zip(*found, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)
        for ours, theirs in zip(network.buffers(), plain.buffers(), strict=True):
            torch.testing.assert_close(ours, theirs)
        assert torch.autograd.gradgradcheck(lambda x: network(x).square(), (x[:2, :, :2, :2].detach().requires_grad_(),))
        half = network.float()(x.detach().bfloat16())
        assert half.dtype == torch.bfloat16
        expected = batch_norm(
            x.detach().bfloat16().float(), None, None, plain.weight.float(), plain.bias.float(), True, 0.0, 1e-4
        )
        torch.testing.assert_close(half.float(), expected, rtol=2**-7, atol=1e-2)
        plain.float().load_state_dict(network[0].state_dict())
        network.eval()
        assert torch.equal(network(x.float()), plain.eval()(x.float()))
    finally:
        torch.distributed.destroy_process_group()


def test_shares_are_the_rows_of_the_whole_in_order() -> None:
    rows = torch.arange(12).view(6, 2)
    assert torch.equal(torch.cat([Processes(rank, 3).share(rows) for rank in range(3)]), rows)
    assert Processes().share(rows) is rows


def test_a_batch_that_cannot_be_shared_is_refused() -> None:
    with pytest.raises(UserError, match=r"schedule\.batch_size is 8, which 3 processes cannot share: set it to a multiple of 3"):
        Engine(processes=Processes(0, 3)).check(worker.REACGAN)


TINY = (
    "backbone.g_channels=2", "backbone.d_channels=2", "conditioning.embed_dim=8", "schedule.batch_size=4", "schedule.d_steps=1"
)  # fmt: skip


def torchrun(folder: Path, *words: object) -> subprocess.Popen[str]:
    """``torchrun`` on this machine: two processes of ``ganeval train reacgan digits``."""
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", "--rdzv-backend=c10d"]
    command = [*launch, "--rdzv-endpoint=127.0.0.1:0", "-m", "ganeval", "train", "reacgan", "digits", *TINY, *map(str, words)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.Popen[str], str]:
    """A run in two processes whose torchrun was sent SIGTERM after some steps: its folder, the process, what it said."""
    folder = tmp_path_factory.mktemp("torchrun")
    log = folder / "run" / "log.jsonl"
    process = torchrun(folder, "--out", "run", "--log-every", 1)
    while process.poll() is None and not (log.exists() and log.read_text().count("\n") > 2):
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    _, talk = process.communicate(timeout=120)
    return folder, process, talk


def final(out: Path) -> Folder:
    return load_folder(resolve_checkpoint(out))


def test_sigterm_to_torchrun_saves_and_the_same_command_goes_on(stopped: tuple[Path, subprocess.Popen[str], str]) -> None:
    folder, process, talk = stopped
    assert process.returncode != 0
    step = final(folder / "run").record["step"]
    assert step >= 3, talk
    for out in ("run", "whole"):
        more = torchrun(folder, "--out", out, "--steps", step + 2, "--log-every", 1)
        said, talk = more.communicate(timeout=200)
        assert more.returncode == 0, talk
        assert said.splitlines() == [f"{out}/checkpoints/step-{step + 2:08d}"]
    run, whole = final(folder / "run"), final(folder / "whole")
    for file, content in whole.tensors.items():
        for name, value in content.items():
            assert torch.equal(value, run.tensors[file][name]), f"{file}: {name}"
    assert run.record["environment"]["processes"] == "2"


def test_a_mistake_is_said_once(tmp_path: Path) -> None:
    process = torchrun(tmp_path, "schedule.batch_size=5", "--out", "run")
    _, talk = process.communicate(timeout=120)
    assert process.returncode != 0
    assert talk.count("schedule.batch_size is 5, which 2 processes cannot share: set it to a multiple of 2") == 1
    assert "exitcode  : 2 " in talk
    assert not (tmp_path / "run").exists()


def test_training_that_diverges_is_said_once(tmp_path: Path) -> None:
    process = torchrun(tmp_path, "--out", "run", "optimizer.g_lr=1e38", "optimizer.d_lr=1e38")
    _, talk = process.communicate(timeout=120)
    assert process.returncode != 0
    assert talk.count("ganeval: training diverged: ") == 1, talk
    assert (tmp_path / "run" / "nan-report.json").exists()
