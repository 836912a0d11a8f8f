"""Does every method learn? Each trains 200 steps on ``digits`` and is scored before and after; losses must stay finite.

    OMP_NUM_THREADS=1 python benchmarks/methods_on_digits.py                  # every method, about 45 minutes
    OMP_NUM_THREADS=1 python benchmarks/methods_on_digits.py reacgan sngan    # these; other rows of the file are kept

Writes benchmarks/results/methods_on_digits.csv: FD-digits-cnn (the same under small-v1 and small-v2) of the untrained generator
and after 200 steps, and whether it fell; ``recipe`` is the beginning of the recipe's SHA-256. 200 steps are a smoke test: the
numbers say nothing about which method is better.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from ganeval.environment import environment, find_device
from ganeval.errors import UserError
from ganeval.recipes.registry import TABLES
from ganeval.scoring import score
from ganeval.training.loop import train
from ganeval.training.plan import resolve

STEPS = 200
RESULTS = Path(__file__).parent / "results" / "methods_on_digits.csv"
METRIC, DATASET = "fid", "digits"


def frechet_distance(run: Path) -> float:
    """FD-digits-cnn of the run's latest checkpoint."""
    (result,) = score(run, metrics=[METRIC]).scores
    if result.value is None:
        raise UserError(result.status)
    return result.value


def measure(method: str, folder: Path) -> dict[str, object]:
    """One row of the table; a run that diverges says so in ``status``."""
    recipe, dataset = resolve(method, DATASET, ())
    began = time.monotonic()
    row: dict[str, object] = {"method": method, "steps": STEPS, "fd_start": None, f"fd_{STEPS}": None, "lowered": None}
    try:
        train(recipe, dataset, folder, steps=0)
        row["fd_start"] = start = frechet_distance(folder)
        train(recipe, dataset, folder, steps=STEPS)
        row[f"fd_{STEPS}"] = end = frechet_distance(folder)
        row |= {"lowered": end < start, "status": "ok"}
    except UserError as error:
        row["status"] = f"failed: {str(error).replace(str(folder), 'the run')}"
    versions = environment(find_device("cpu"))
    kept = ("ganeval", "python", "torch", "numpy", "threads", "date")
    cost = {"seconds": round(time.monotonic() - began, 1), "recipe": recipe.fingerprint()[:12]}
    return row | cost | {name: versions[name] for name in kept}


def main() -> None:
    known = TABLES.get(DATASET)
    methods = sys.argv[1:] or list(known)
    rows = {row["method"]: row for row in pd.read_csv(RESULTS).to_dict("records")} if RESULTS.exists() else {}
    for method in methods:
        with tempfile.TemporaryDirectory() as folder:
            rows[method] = row = measure(method, Path(folder) / method)
        print(f"{method:<24} {row['fd_start']} -> {row[f'fd_{STEPS}']}  {row['seconds']} s  {row['status']}", flush=True)
        RESULTS.parent.mkdir(exist_ok=True)
        ordered = [rows[name] for name in known if name in rows]
        pd.DataFrame(ordered).to_csv(RESULTS, index=False, float_format="%.6g", lineterminator="\n")


if __name__ == "__main__":
    main()
