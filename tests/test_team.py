"""Several processes at one score, started by torchrun itself: the same card to the bit, one voice, one error."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from ganeval.environment import local_device
from ganeval.processes import Processes, launched
from ganeval.team import current_team, team

ROOT = Path(__file__).resolve().parents[1]


def torchrun(home: Path, processes: int, *words: object) -> subprocess.CompletedProcess[str]:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"]
    command = [*launcher, "-m", "--", "ganeval"]  # after the dashes torchrun takes no word for its own
    kept = {**os.environ, "GANEVAL_HOME": str(home), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run([*command, *map(str, words)], cwd=ROOT, env=kept, capture_output=True, text=True, timeout=240)


def numbers(text: str) -> dict[str, Any]:
    """Everything on a card that the number of processes has no say in."""
    card = json.loads(text)
    return {name: value for name, value in card.items() if name not in ("seconds", "environment")}


@pytest.fixture(scope="module")
def words(tiny_run: Path) -> tuple[object, ...]:
    return ("score", tiny_run, "--num", 700, "--metrics", "fid,is,precision,recall,top1", "--json", "--device", "cpu")


def test_two_processes_give_the_card_of_one_to_the_bit_and_only_one_speaks(
    words: tuple[object, ...], tmp_path: Path, ganeval: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GANEVAL_HOME", str(tmp_path / "alone"))
    alone = ganeval(*words)
    assert alone.exit_code == 0, alone.stderr
    cold = torchrun(tmp_path / "home", 2, *words, "--out", tmp_path / "card.json")
    assert cold.returncode == 0, cold.stderr
    assert numbers(cold.stdout) == numbers(alone.stdout)
    assert (tmp_path / "card.json").read_text() == cold.stdout
    banks = sorted((tmp_path / "home" / "banks").glob("*/bank.safetensors"))
    assert len(banks) == 3
    for bank in banks:
        assert bank.read_bytes() == (tmp_path / "alone" / bank.relative_to(tmp_path / "home")).read_bytes()


def test_a_mistake_is_told_once(tmp_path: Path) -> None:
    done = torchrun(tmp_path, 2, "score", tmp_path / "nothing", "--device", "cpu")
    assert done.returncode != 0
    assert done.stderr.count("ganeval: nothing at") == 1
    assert "exitcode  : 2" in done.stderr


FORKED = """
import contextlib, json, multiprocessing, os, pathlib, sys, time
import torch
import torch.distributed as dist
from ganeval.errors import UserError
from ganeval.processes import HEAD_START, connected
from ganeval.team import rows_to_first, team

def words(rank):
    with team() as processes:
        assert processes.exchange(rank) == [0, 1]
        assert processes.from_first("card" if processes.first else None) == "card"
        rows = torch.arange(rank * 3)[:, None]
        assert rows_to_first(processes, rows).tolist() == [[0], [1], [2]]

def second_fails(rank):
    with team() as processes:
        if rank == 1:
            raise UserError("the disk of process 1 is full")
        processes.exchange("one")

def second_fails_while_first_works(rank):
    with team() as processes:
        if rank == 1:
            raise UserError("an image is damaged")
        for piece in range(600):
            time.sleep(0.1)
            processes.heed()

def first_fails_last(rank):
    with team() as processes:
        processes.exchange("one")
        if rank == 0:
            raise UserError("the metric file is read-only")

def file_of_second_is_gone(rank):
    with team() as processes:
        if rank == 1:
            open("/nowhere/weights.pth")
        processes.exchange("one")

def second_dies(rank):
    with team() as processes:
        if rank == 1:
            os._exit(0)
        processes.exchange("one")

def again(rank):
    try:
        second_fails(rank)
    except UserError as error:
        assert str(error) == "the disk of process 1 is full"
    words(rank)
    first_fails_last(rank)

def training_fails_in_second(rank):
    with connected() as processes:
        processes.together(lambda: None)
        if rank == 1:
            raise UserError("the memory of cuda:1 is full")
        dist.all_reduce(torch.ones(3))

def both_fail_together(rank):
    with connected() as processes:
        def refuse():
            raise UserError("the batch cannot be shared")
        processes.together(refuse)

def no_device_for_second(rank):
    def find_device():
        if rank == 1:
            raise UserError("device 'cuda' is not available here")
        return torch.device("cpu")
    with connected(find_device):
        pass

def devices_of_two_kinds(rank):
    with connected(lambda: torch.device("cpu" if rank else "mps")):
        pass

def other_files(rank):
    with connected() as processes:
        processes.require_same("one", "files")
        processes.require_same(f"of {rank}", "recipe")

def threads_end_with_the_connection(rank):
    from ganeval.training.replicas import Replica
    def losses(processes):
        network = torch.nn.Linear(2, 1)
        replica = Replica(network, lambda x: (network(x).sum(), {}), processes)
        replica.itself = replica  # a cycle: it is not gone once the function is left
        loss, _ = replica.loss(torch.ones(1, 2))
        loss.backward()
    with connected() as processes:
        losses(processes)
        assert gloo_threads()
    until = time.monotonic() + 60
    while gloo_threads() and time.monotonic() < until:  # one that was waited for may be listed a moment longer
        time.sleep(0.01)
    assert not gloo_threads()

def gloo_threads():
    found = []
    for name in pathlib.Path("/proc/self/task").glob("*/comm"):
        with contextlib.suppress(OSError):  # this one has ended since it was listed
            found.append(name.read_text())
    return [name for name in found if "gloo" in name]

def run(case, rank, address):
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE="2", **address)
    told, slept, sleep = ["nothing", None], [], time.sleep
    time.sleep = lambda seconds: (slept.append(seconds), sleep(seconds))
    try:
        globals()[case](rank)
    except UserError as error:
        told = [str(error), error.mine_to_say]
    if case != "again":  # there either may say the first mistake
        assert (HEAD_START in slept) == (told[1] is False)  # the one that says it goes first
    with open(f"{sys.argv[1]}/{case}-{rank}", "w") as file:
        json.dump(told, file)

import socket
cases = json.loads(sys.argv[2])
fork, held = multiprocessing.get_context("fork"), [socket.socket() for case in cases]
for port in held:  # to the end: of a port that was let go another case's gloo could take hold before this one's store does
    port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    port.bind(("localhost", 0))
addresses = [{"MASTER_ADDR": "localhost", "MASTER_PORT": str(port.getsockname()[1])} for port in held]
processes = [
    fork.Process(target=run, args=(case, rank, address)) for case, address in zip(cases, addresses) for rank in range(2)
]
for process in processes:
    process.start()
for process in processes:
    process.join()
    assert process.exitcode == 0
"""

GONE = "another process has ended: its own message, or the report of torchrun, says why"
SAID = {
    "words": ("nothing", "nothing"),
    "second_fails": ("the disk of process 1 is full",) * 2,
    "second_fails_while_first_works": ("an image is damaged",) * 2,
    "first_fails_last": ("the metric file is read-only",) * 2,
    "file_of_second_is_gone": ("/nowhere/weights.pth: no such file or directory",) * 2,
    "second_dies": (GONE, None),
    "again": ("the metric file is read-only",) * 2,
    "training_fails_in_second": (GONE, "the memory of cuda:1 is full"),
    "both_fail_together": ("the batch cannot be shared",) * 2,
    "no_device_for_second": (GONE, "device 'cuda' is not available here"),
    "devices_of_two_kinds": ("the processes have not the same kind of device (cpu, mps): give --device one that all have",) * 2,
    "threads_end_with_the_connection": ("nothing",) * 2,
    "other_files": ("the processes have not the same recipe: give all of them the same",) * 2,
}
"""What the two processes raise; ``None`` where one raises nothing because it is no more."""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="forks, to import torch once, and looks at threads in /proc")
def test_an_error_anywhere_ends_all(tmp_path: Path) -> None:
    kept = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", FORKED, str(tmp_path), json.dumps(list(SAID))]
    done = subprocess.run(command, env=kept, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    for case, said in SAID.items():
        paths = [tmp_path / f"{case}-{rank}" for rank in range(2)]
        told = [tuple(json.loads(path.read_text())) if path.exists() else (None, None) for path in paths]
        assert tuple(message for message, _ in told) == said, (case, done.stderr)
        speakers = [mine for _, mine in told].count(True)
        assert speakers == (0 if said == ("nothing",) * 2 else 1), case


def test_alone_there_is_nothing_to_exchange() -> None:
    with team() as processes:
        assert processes is current_team()
        assert processes.exchange("word") == ["word"]
        assert processes.from_first(3) == 3
        processes.require_same("anything", "word")
        processes.heed()
    assert processes == Processes()
    assert processes.first


def test_only_the_first_process_speaks(monkeypatch: pytest.MonkeyPatch, ganeval: Any) -> None:
    assert launched().first
    assert "no checkpoint at nowhere" in ganeval("sample", "nowhere", "--out", "grid.png").stderr
    monkeypatch.setenv("RANK", "1")
    assert not launched().first
    for words in (("sample", "nowhere", "--out", "grid.png"), ("sample", "--nonsense")):
        done = ganeval(*words)
        assert (done.exit_code, done.output) == (2, "")


def test_each_process_takes_the_gpu_of_its_local_number(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = torch.device("cuda")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert local_device(gpu) == gpu
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert local_device(gpu) == torch.device("cuda", 1)
    assert local_device(torch.device("cuda", 0)) == torch.device("cuda", 0)
    assert local_device(torch.device("cpu")) == torch.device("cpu")
    monkeypatch.setenv("LOCAL_RANK", "3")  # more processes than GPUs
    assert local_device(gpu) == torch.device("cuda", 1)
