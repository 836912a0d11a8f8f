"""Whole runs of two processes: resumed, by as many or by another number, spoiled in one of them, scored, killed."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from ganeval.checkpoints import Folder, load_folder
from ganeval.data.registry import find_dataset
from ganeval.errors import UserError
from ganeval.sampling import resolve_checkpoint
from ganeval.training.loop import train

WORKER = Path(__file__).with_name("runs_worker.py")
WORLD = 2
ELASTIC_STEPS = 300


def import_worker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("runs_worker", WORKER)
    sys.modules["runs_worker"] = module = importlib.util.module_from_spec(spec)  # dataclasses look there for their own module
    spec.loader.exec_module(module)
    return module


worker = import_worker()
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all runs of ``runs_worker.py``. Not to be written to."""
    folder = tmp_path_factory.mktemp("runs")
    with worker.in_float64():
        train(worker.PLAIN, find_dataset("digits"), folder / "began-with-one", steps=2, habits=worker.HABITS)
    commands = [[sys.executable, str(WORKER), str(folder), str(rank), str(WORLD)] for rank in range(WORLD)]
    environment = {**ENVIRONMENT, "GANEVAL_HOME": str(folder / "home")}
    running = [subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) for command in commands]
    try:
        for process in running:
            _, talk = process.communicate(timeout=280)
            assert process.returncode == 0, talk
            assert "Grad strides" not in talk
    finally:
        for process in running:
            process.kill()
    return folder


def ended(runs: Path, name: str) -> dict[str, Any]:
    """How the run ``name`` ended, which is the same in both processes: the step, the error, every tensor of the state."""
    first, second = (json.loads((runs / f"{name}.{rank}.json").read_text()) for rank in range(WORLD))
    assert first == second
    return first


def final(out: Path) -> Folder:
    return load_folder(resolve_checkpoint(out))


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("name", [*worker.RECIPES, "fp16"])
def test_stopped_and_resumed_two_processes_end_bit_for_bit_where_they_do_in_one_go(name: str, runs: Path) -> None:
    whole, resumed = ended(runs, f"{name}-whole"), ended(runs, f"{name}-{worker.STEPS}")
    assert whole["step"] == resumed["step"] == worker.STEPS
    assert whole["state"] == resumed["state"] != ended(runs, f"{name}-2")["state"]
    assert final(runs / name / "whole").file_sha256 == final(runs / name / "parts").file_sha256
    carried = set(final(runs / name / "whole").tensors["extras"])
    expected = {
        "ada-lecam": {"augmentation.p", "augmentation.signs", "lecam.real", "lecam.fake"},
        "apa-batch-norm-r1": {"augmentation.p", "augmentation.calls"},
        "info-tac-accumulated": set(),
        "fp16": {"augmentation.p", "g_scaler.scale", "d_scaler._growth_tracker"},
    }
    assert expected[name] <= carried


@pytest.mark.parametrize("began", ["one", "two"])
def test_another_number_of_processes_goes_on_with_the_same_numbers(began: str, runs: Path, tmp_path: Path) -> None:
    out = runs / "began-with-one"
    if began == "two":
        out = shutil.copytree(runs / "began-with-two", tmp_path / "run")
        with worker.in_float64():
            train(worker.PLAIN, find_dataset("digits"), out, habits=worker.HABITS)
    halfway, whole, other = (final(folder) for folder in (runs / "began-with-two", runs / "always-two", out))
    assert halfway.record["step"] == 2
    assert other.record["step"] == whole.record["step"] == worker.STEPS
    assert [line["step"] for line in lines(out / "log.jsonl")] == list(range(1, worker.STEPS + 1))
    for file, content in whole.tensors.items():
        for name, value in content.items():
            torch.testing.assert_close(other.tensors[file][name], value, rtol=1e-6, atol=1e-7, msg=f"{file}: {name}")
    moved = [(value - halfway.tensors["generator"][name]).abs().max() for name, value in whole.tensors["generator"].items()]
    assert max(moved) > 1e-4


def test_what_is_no_number_in_one_process_ends_both_within_the_step(runs: Path) -> None:
    end = ended(runs, "stop")
    assert end["error"].startswith("training diverged: step 2, network generator, ")
    assert (end["status"], end["step"]) == (UserError.exit_status, 2)
    report = json.loads((runs / "stop" / "nan-report.json").read_text())
    assert (report["step"], report["gradient_norm"]) == (2, "nan")
    assert report["norms"][report["module"]]["weight.grad"] == "nan"
    kept = final(runs / "stop")
    assert kept.record["step"] == 2
    assert all(torch.isfinite(value.double()).all() for content in kept.tensors.values() for value in content.values())


@pytest.mark.parametrize("network", ["generator", "discriminator"])
def test_both_processes_skip_what_is_no_number_in_one(network: str, runs: Path) -> None:
    out, updates = runs / f"skip-{network}", {"generator": 1, "discriminator": 2}[network]
    assert ended(runs, out.name)["step"] == worker.STEPS
    assert ended(runs, out.name)["state"] != ended(runs, "ada-lecam-whole")["state"]
    assert final(out).record["non_finite"] == {"skipped": updates}
    incidents = [(line["step"], line["network"], line["done"]) for line in lines(out / "incidents.jsonl")]
    assert incidents == [(2, network, "skipped")] * updates
    assert all(torch.isfinite(value.double()).all() for content in final(out).tensors.values() for value in content.values())


def test_scores_of_a_shared_run_choose_its_best_and_leave_its_weights_alone(runs: Path) -> None:
    out = runs / "evaluated"
    assert ended(runs, "evaluated")["state"] == ended(runs, "ada-lecam-whole")["state"]
    scores = {line["step"]: line["values"]["FD-digits-cnn"] for line in lines(out / "evals.jsonl")}
    assert set(scores) == {2, 4}
    assert (out / "best").read_text() == f"checkpoints/step-{min(scores, key=scores.__getitem__):08d}\n"


def workers_of(torchrun: subprocess.Popen[str]) -> dict[int, int]:
    """Process numbers by rank."""
    found = {}
    for child in Path(f"/proc/{torchrun.pid}/task/{torchrun.pid}/children").read_text().split():
        try:
            variables = Path(f"/proc/{child}/environ").read_text().split("\0")
        except OSError:  # it has ended
            continue
        found.update({int(value.removeprefix("RANK=")): int(child) for value in variables if value.startswith("RANK=")})
    return found


def worker_at(torchrun: subprocess.Popen[str], rank: int, out: Path, step: int, gone: set[int]) -> int:
    """The number of the process of ``rank``, not one of those ``gone``, once ``step`` is in the log."""
    while torchrun.poll() is None:
        pid = workers_of(torchrun).get(rank)
        if pid is not None and pid not in gone and reached(out) >= step:
            return pid
        time.sleep(0.01)
    pytest.fail(f"torchrun ended with {torchrun.returncode} before process {rank} was at step {step}")


def reached(out: Path) -> int:
    """The last step in the log, which may be read while it is written."""
    log = out / "log.jsonl"
    whole = log.read_text().rpartition("\n")[0].splitlines() if log.exists() else []
    return json.loads(whole[-1])["step"] if whole else 0


def launched(out: Path, *words: str) -> subprocess.Popen[str]:
    """``torchrun`` with two processes that train in ``out``; what they say goes to a file beside it."""
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", *words, "-m", "ganeval", "train"]
    plan = ["reacgan", "digits", *worker.SMALL_REACGAN, "--steps", str(worker.KILLED_STEPS), "--out", str(out)]
    command = [*launch, *plan, "--log-every", "1", "--checkpoint-every", "5"]
    with out.with_suffix(".talk").open("w") as talk:
        return subprocess.Popen(command, env=ENVIRONMENT, stdout=talk, stderr=talk, text=True, start_new_session=True)


def talk_of(out: Path) -> str:
    return out.with_suffix(".talk").read_text()


in_proc = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the processes of torchrun in /proc")


@in_proc
@pytest.mark.parametrize(("number", "rank", "status"), [(signal.SIGTERM, 1, 143), (signal.SIGINT, 0, 130)])
def test_a_signal_to_one_process_saves_and_ends_both_with_its_status(
    number: signal.Signals, rank: int, status: int, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    torchrun = launched(out)
    try:
        os.kill(worker_at(torchrun, rank, out, 3, set()), number)
        assert torchrun.wait(timeout=100) == 1, talk_of(out)
    finally:
        torchrun.kill()
    statuses = re.findall(r"exitcode\s*: (-?\d+) ", talk_of(out))
    assert len(statuses) == WORLD, talk_of(out)
    assert {str(status)} <= set(statuses) <= {str(status), "-15"}, "torchrun ends whoever takes longer to leave by SIGTERM"
    reached = [line["step"] for line in lines(out / "log.jsonl")]
    assert final(out).record["step"] == reached[-1] < worker.KILLED_STEPS


@in_proc
def test_killed_processes_are_started_again_and_nothing_shows(runs: Path, tmp_path: Path) -> None:
    """SIGKILL of the process that writes, then of the other."""
    out = tmp_path / "run"
    torchrun = launched(out, "--max-restarts=2")
    killed: set[int] = set()
    try:
        for rank, step in ((0, 8), (1, 23)):
            pid = worker_at(torchrun, rank, out, step, killed)
            os.kill(pid, signal.SIGKILL)
            killed.add(pid)
        assert torchrun.wait(timeout=200) == 0, talk_of(out)
    finally:
        torchrun.kill()
    assert len(killed) == 2
    said = [line for line in talk_of(out).splitlines() if "ganeval: " in line]  # torchrun may end a survivor before it speaks
    assert all("ganeval: another process has ended" in line for line in said)
    assert len(said) <= len(killed)
    assert "Traceback" not in talk_of(out)
    assert final(out).record["step"] == worker.KILLED_STEPS
    assert final(out).file_sha256 == final(runs / "undisturbed").file_sha256
    assert [line["step"] for line in lines(out / "log.jsonl")] == list(range(1, worker.KILLED_STEPS + 1))


def agent(out: Path, name: str, port: int) -> subprocess.Popen[str]:
    """One of at most two nodes with a process each, as ``torchrun`` sees them, that train in ``out``."""
    meet = ["--nnodes=1:2", "--nproc_per_node=1", "--max-restarts=5", "--rdzv-backend=c10d", f"--rdzv-endpoint=127.0.0.1:{port}"]
    launch = [sys.executable, "-m", "torch.distributed.run", *meet, "--rdzv-conf=last_call_timeout=1", "-m", "ganeval", "train"]
    plan = ["reacgan", "digits", *worker.SMALL_REACGAN, "schedule.d_steps=5", "--steps", str(ELASTIC_STEPS), "--out", str(out)]
    command = [*launch, *plan, "--log-every", "1", "--checkpoint-every", "5"]
    # In torch 2.15 a node that comes later waits in vain for the address of the store that the others share.
    environment = {**ENVIRONMENT, "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
    with out.with_name(f"{name}.talk").open("w") as talk:
        return subprocess.Popen(command, env=environment, stdout=talk, stderr=talk, text=True, start_new_session=True)


def recorded_processes(out: Path) -> str | None:
    return json.loads((out / "environment.json").read_text()).get("processes")


@pytest.fixture
def port() -> Iterator[int]:
    """A port for a store, held all the while: one that was let go another process could be given in the meantime."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@in_proc
@pytest.mark.slow
def test_a_node_joins_a_run_and_leaves_it(tmp_path: Path, port: int) -> None:
    out = tmp_path / "run"
    first = agent(out, "first", port)
    nodes = [first]
    try:
        worker_at(first, 0, out, 8, set())
        assert recorded_processes(out) is None
        nodes.append(second := agent(out, "second", port))
        deadline = time.monotonic() + 120
        while recorded_processes(out) != "2" and time.monotonic() < deadline:
            time.sleep(0.05)
        assert recorded_processes(out) == "2", (tmp_path / "second.talk").read_text()
        joined = reached(out)
        while reached(out) < joined + 10 and time.monotonic() < deadline:
            time.sleep(0.05)
        for pid in (second.pid, *workers_of(second).values()):
            os.kill(pid, signal.SIGKILL)
        left = reached(out)
        assert first.wait(timeout=300) == 0, (tmp_path / "first.talk").read_text()
    finally:
        for node in nodes:
            with suppress(OSError):
                for pid in (*workers_of(node).values(), node.pid):
                    os.kill(pid, signal.SIGKILL)
    assert 8 <= joined < left < ELASTIC_STEPS
    assert final(out).record["step"] == ELASTIC_STEPS
    assert [line["step"] for line in lines(out / "log.jsonl")] == list(range(1, ELASTIC_STEPS + 1))
    assert recorded_processes(out) is None
