"""Evidence of a real run: ReACGAN on photographs, scored along the way on features it has never seen.

    ganeval data prepare cifar10-jpeg --from cifar10-jpeg.tar.xz
    ganeval train reacgan-small cifar10-jpeg backbone.g_channels=32 backbone.d_channels=32 schedule.steps=12000 ema.decay=0.999 \\
        --precision bf16 --out RUN --checkpoint-every 500 --keep 100
    ganeval train (the same) --steps 0 --out UNTRAINED
    python benchmarks/cifar10_jpeg.py UNTRAINED RUN --weights resnet56-4bfd9763.th

It scores the untrained networks and some of the run's checkpoints under ``small-v2`` on the public classifier
``resnet56-cifar10``, writes the scores as one table, and keeps log, recipe, curve and grids beside it. The rows of the first and
of the last checkpoint go to ``leaderboards/measured``.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import subprocess
import sys
from pathlib import Path

from ganeval.leaderboard.table import add
from ganeval.sampling import resolve_checkpoint
from ganeval.scorecard import ScoreCard
from ganeval.scoring import score

RESULTS = Path(__file__).parent / "results" / "cifar10_jpeg"
KEYS = ("fid", "kid", "is", "am", "precision", "recall", "density", "coverage", "top1")
RECORDS = ("recipe.json", "run.json", "environment.json", "log.jsonl", "evals.jsonl")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("untrained", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--weights", type=Path, required=True, help="of resnet56-cifar10")
    parser.add_argument("--steps", type=int, nargs="+", default=[500, 1000, 2000, 4000, 8000], help="beside the last")
    parser.add_argument("--leaderboard", type=Path, default=Path("leaderboards"))
    arguments = parser.parse_args()
    between = [arguments.run / "checkpoints" / f"step-{step:08d}" for step in arguments.steps]
    checkpoints = [resolve_checkpoint(arguments.untrained), *between, resolve_checkpoint(arguments.run)]
    cards = [scored(checkpoint, arguments.weights) for checkpoint in checkpoints]
    RESULTS.mkdir(parents=True, exist_ok=True)
    write_table(cards, RESULTS / "scores.csv")
    keep_records(arguments.run, [card.source["step"] for card in cards[1:]])
    for card in (cards[0], cards[-1]):
        add(arguments.leaderboard, card)
    first, last = cards[0]["fid"].value, cards[-1]["fid"].value
    assert first is not None
    assert last is not None
    name, step = cards[0]["fid"].column, cards[-1].source["step"]
    print(f"{name}: {first:.4g} untrained, {last:.4g} at step {step}, {first / last:.1f} times less")


def scored(checkpoint: Path, weights: Path) -> ScoreCard:
    """The card of a checkpoint under small-v2."""
    print(checkpoint, file=sys.stderr)
    return score(checkpoint, extractor=f"resnet56-cifar10:{weights}")


def write_table(cards: list[ScoreCard], path: Path) -> None:
    """One row per card: values with their standard errors; the last row is held-out real images."""
    columns = [cards[0][key].column for key in KEYS]
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["step", *(name for column in columns for name in (column, f"{column} se"))])
        for card in cards:
            values = [number for key in KEYS for number in (card[key].value, card[key].std_error)]
            table.writerow([card.source["step"], *("" if number is None else f"{number:.5g}" for number in values)])
        floors = [cell for key in KEYS for cell in (cards[-1][key].floor, None)]
        table.writerow(["held-out real", *("" if number is None else f"{number:.5g}" for number in floors)])


def keep_records(run: Path, steps: list[int]) -> None:
    """What the run wrote of itself, its curve, and the grids of ``steps`` where they were drawn."""
    for name in RECORDS:
        if (run / name).is_file():
            shutil.copy(run / name, RESULTS / name)
    for grid in [run / "grids" / "real.png", *(run / "grids" / f"step-{step:08d}.png" for step in steps)]:
        if grid.is_file():
            shutil.copy(grid, RESULTS / grid.name)
    curve = [sys.executable, "-m", "ganeval", "curve", str(run), "--out", str(RESULTS / "curve.png")]
    subprocess.run(curve, check=True)


if __name__ == "__main__":
    main()
