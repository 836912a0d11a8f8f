"""Several processes at one score, started by torchrun itself: the same card to the bit, one voice, one error."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ganeval.errors import UserError
from ganeval.team import Team, current_team, joined, leads, team

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
import json, multiprocessing, os, sys
import torch
import torch.distributed
from ganeval.errors import UserError
from ganeval.team import team

def run(case, rank, address):
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE="2", **address)
    try:
        with team() as processes:
            if case == "helper fails" and processes.rank == 1:
                raise UserError("the disk of process 1 is full")
            if case == "leader fails last" and processes.leads:
                processes.exchange("one")
                raise UserError("the metric file is read-only")
            if case == "helper dies" and processes.rank == 1:
                os._exit(0)
            if case == "words":
                assert processes.exchange(processes.rank) == [0, 1]
                assert processes.from_leader("card" if processes.leads else None) == "card"
                rows = torch.arange(rank * 3)[:, None]
                assert processes.rows_to_leader(rows).tolist() == [[0], [1], [2]]
            else:
                processes.exchange("one")
        said = "nothing"
    except UserError as error:
        said = str(error)
    with open(f"{sys.argv[1]}/{case}-{rank}", "w") as file:
        file.write(said)

import socket
fork = multiprocessing.get_context("fork")
for case in json.loads(sys.argv[2]):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = {"MASTER_ADDR": "localhost", "MASTER_PORT": str(free.getsockname()[1])}
    processes = [fork.Process(target=run, args=(case, rank, address)) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
"""

SAID = {
    "words": ("nothing", "nothing"),
    "helper fails": ("the disk of process 1 is full",) * 2,
    "leader fails last": ("the metric file is read-only",) * 2,
    "helper dies": ("another process of this score has ended: its own message says why", None),
}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks, to import torch once")
def test_an_error_anywhere_ends_all(tmp_path: Path) -> None:
    kept = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", FORKED, str(tmp_path), json.dumps(list(SAID))]
    done = subprocess.run(command, env=kept, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    for case, said in SAID.items():
        for rank, expected in enumerate(said):
            path = tmp_path / f"{case}-{rank}"
            assert (path.read_text() if path.exists() else None) == expected, (case, rank, done.stderr)


def test_alone_there_is_nothing_to_exchange() -> None:
    with team() as processes:
        assert processes is current_team()
        assert processes.exchange("word") == ["word"]
        assert processes.from_leader(3) == 3
        assert processes.share(1000, 256) == (0, 1000)
    assert processes.leads


def test_only_the_first_process_leads(monkeypatch: pytest.MonkeyPatch) -> None:
    assert leads()
    monkeypatch.setenv("RANK", "1")
    assert not leads()
    assert not Team(1, 2, None).leads


def test_processes_that_see_different_things_are_an_error() -> None:
    assert joined(["a", "a"]) == "a"
    with pytest.raises(UserError, match="see different files or options"):
        joined(["a", "b"])
