"""SIGKILL at random instants of a real run: does whatever is left load, and how much is lost?

One tiny run on digits (checkpoints every 4 steps, evaluations every 16) is killed again and again and started anew in the same
folder. After every kill the checkpoints behind ``latest`` and ``best`` are loaded and verified whole. At the end the run is
finished and compared, bit for bit, with one that was never killed.

    python benchmarks/kills.py --kills 200 --out benchmarks/results/kills.json
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from ganeval.checkpoints import canonical_json, load_folder
from ganeval.environment import environment
from ganeval.files import write_text
from ganeval.sampling import resolve_checkpoint
from ganeval.scoring import score
from ganeval.training.evaluation import Evaluation
from ganeval.training.history import EVALS, LOG, read_lines
from ganeval.training.loop import Habits, train
from ganeval.training.plan import resolve

TINY = (
    "backbone.g_channels=2", "backbone.d_channels=2", "conditioning.embed_dim=8", "schedule.batch_size=4", "schedule.d_steps=1",
)  # fmt: skip
INTERVAL, EVALUATE = 4, 16
HABITS = Habits(
    log_every=1, snapshot_every=16, checkpoint_every=INTERVAL, keep=2,
    evaluation=Evaluation(every=EVALUATE, metrics=("fid",), num=64),
)  # fmt: skip


def in_a_child(work: Callable[[], None]) -> int:
    """Start ``work`` in a forked process; give its pid. Importing torch takes seconds and forking none."""
    pid = os.fork()
    if pid:
        return pid
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 2)
    status = 1
    try:
        work()
        status = 0
    finally:
        os._exit(status)


def warm_up(folder: Path, run: Callable[[Path, int], None]) -> None:
    """What every child would otherwise spend its first seconds with: imports, data, the reference's features."""
    run(folder, 0)
    score(folder, metrics=["fid"], num=64)


def look(out: Path) -> dict[str, int]:
    """What is left in ``out``: the steps of ``latest`` and ``best`` (loaded whole) and the last step in the log; 0 where none."""
    found = {"latest": 0, "best": 0}
    for name in found:
        if (out / name).is_file():
            found[name] = load_folder(out / (out / name).read_text().strip()).record["step"]
    logged = read_lines(out / LOG)
    return found | {"logged": max((int(line["step"]) for line in logged), default=0)}


def kill_again_and_again(out: Path, kills: int, longest: float, run: Callable[[int], None], seed: int) -> dict[str, Any]:
    """Start and kill ``kills`` times, each within ``longest`` seconds; give the counts."""
    chance = random.Random(seed)
    bad, lost, reached, unscored = 0, [], 0, 0
    for number in range(kills):
        pid = in_a_child(lambda: run(10**6))
        time.sleep(chance.uniform(0.0, longest))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        try:
            state = look(out)
        except Exception as error:  # what does not load is what is counted
            print(f"kill {number + 1}: {error}")
            bad += 1
            continue
        if state["latest"] < reached:
            bad += 1
        reached = state["latest"]
        lost.append(state["logged"] - reached)
        evaluated = {line["step"] for line in read_lines(out / EVALS)}
        unscored += reached > 0 and reached % EVALUATE == 0 and reached not in evaluated
        print(f"kill {number + 1}/{kills}: {state}", flush=True)
    return {
        "kills": kills, "states_that_do_not_load": bad, "checkpoint_every": INTERVAL, "most_steps_lost": max(lost, default=0),
        "mean_steps_lost": round(sum(lost) / max(len(lost), 1), 2), "last_step": reached,
        "checkpoints_left_before_their_evaluation": unscored,
    }  # fmt: skip


def same_as_uninterrupted(out: Path, run: Callable[[Path, int], None], steps: int) -> bool:
    """Finish the killed run at ``steps``, train another in one go, and compare every tensor and every evaluation."""
    whole = out.with_name("whole")
    for folder in (out, whole):
        run(folder, steps)
    ours, theirs = (load_folder(resolve_checkpoint(folder)).tensors for folder in (out, whole))
    tensors = ours.keys() == theirs.keys() and all(
        torch.equal(value, theirs[file][name]) for file, content in ours.items() for name, value in content.items()
    )
    values = [[(line["step"], line["values"]) for line in read_lines(folder / EVALS)] for folder in (out, whole)]
    return tensors and values[0] == values[1] and (out / "best").read_text() == (whole / "best").read_text()


def save(path: Path, counts: dict[str, Any]) -> None:
    write_text(path, canonical_json({**counts, "environment": environment(torch.device("cpu"))}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--longest", type=float, default=3.0, help="seconds until a kill, at most")
    parser.add_argument("--seed", type=int, default=0, help="of the instants")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/kills.json"))
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    recipe, digits = resolve("reacgan", "digits", TINY)
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["GANEVAL_HOME"] = str(Path(scratch) / "home")
        out = Path(scratch) / "run"

        def run(folder: Path, steps: int) -> None:
            if train(recipe, digits, folder, steps=steps, habits=HABITS).exit_status:
                raise SystemExit("stopped by a signal: there is nothing to compare")

        warm_up(Path(scratch) / "warm", run)
        counts = kill_again_and_again(out, chosen.kills, chosen.longest, lambda steps: run(out, steps), chosen.seed)
        save(chosen.out, counts)  # what follows takes as long as the run has steps
        steps = (counts["last_step"] // EVALUATE + 1) * EVALUATE
        counts["finished_bit_identical_to_a_run_never_killed"] = same_as_uninterrupted(out, run, steps)
    save(chosen.out, counts)
    print(json.dumps(counts, indent=2))


if __name__ == "__main__":
    main()
