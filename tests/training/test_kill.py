"""SIGKILL at random instants while checkpoints are being written: whatever is left loads."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from ganeval.checkpoints import load_folder

KILLS = 60


def test_no_kill_leaves_a_state_that_does_not_load(tmp_path: Path) -> None:
    out = tmp_path / "run"
    script = Path(__file__).with_name("nursery.py")
    reached = 0
    with subprocess.Popen(
        [sys.executable, str(script), str(out)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as nursery:
        assert nursery.stdin and nursery.stdout  # noqa: PT018
        for kill in range(KILLS):
            nursery.stdin.write("one more\n")
            child = int(nursery.stdout.readline())
            if kill % 2 == 0:  # every other one is killed early: while it resumes, or before its first checkpoint
                wait_for_new_checkpoint(out, reached)
            time.sleep(random.uniform(0.0, 0.05))
            os.kill(child, signal.SIGKILL)  # raises where the writer ended by itself
            assert nursery.stdout.readline() == "ended\n"
            step = step_of_intact_checkpoint(out)
            assert step >= reached, f"kill {kill}: step {reached} was reached before, now {step}"
            reached = step
        nursery.stdin.close()
    assert reached >= KILLS / 2, "a writer that was waited for wrote nothing"


def wait_for_new_checkpoint(out: Path, reached: int) -> None:
    """Until ``latest`` points beyond step ``reached``: on a busy machine that takes as long as it takes."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if (out / "latest").exists() and int((out / "latest").read_text().strip()[-8:]) > reached:
            return
        time.sleep(0.001)


def step_of_intact_checkpoint(out: Path) -> int:
    """The step of the checkpoint ``latest`` points to, after a look at every weight in it."""
    folder = load_folder(out / (out / "latest").read_text().strip())
    step: int = folder.record["step"]
    for file in ("generator", "discriminator"):
        for name, value in folder.tensors[file].items():
            if name.endswith("weight") and not name.startswith("bn"):
                assert (value == step).all(), f"{name} is of another step than {step}"
    return step
