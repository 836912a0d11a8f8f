"""Precision, recall, density and coverage: against torch-fidelity's two and against prdc; and the memory at 50k.

    python benchmarks/precision_recall.py               10k x 10k x 2048, then 50k x 50k x 2048; about 8 minutes on 2 cores
    python benchmarks/precision_recall.py --no-memory   10k alone; about 3 minutes
    python benchmarks/precision_recall.py --quick       a smoke test of seconds

Wall time, all cores, median of --repeats rounds, the variants in turn. torch-fidelity gives precision and recall only. The memory
run is a process of its own; what is reported is the most it ever held less what it held with the features alone.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import io
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from prdc import compute_prdc
from side_by_side import figure, machine, report, seconds_in_turn
from torch_fidelity.metric_prc import KEY_METRIC_PRECISION, KEY_METRIC_RECALL, prc_features_to_metric

from ganeval.features import FeatureBank
from ganeval.metrics.prdc import PrecisionRecallDensityCoverage, prdc
from ganeval.progress import heard_by

K = 3
INNER = 64
"""Dimensions the features really have: those of images fill few of their 2048."""


def features(seed: int, count: int, dimensions: int, spread: float) -> np.ndarray:
    """(count, dimensions) float32, rectified, made in pieces so that they are never held twice."""
    mixing = np.random.default_rng(0).standard_normal((INNER, dimensions), dtype=np.float32)
    rng, made = np.random.default_rng(seed), np.empty((count, dimensions), dtype=np.float32)
    for start in range(0, count, 1000):
        part = made[start : start + 1000]
        inner = rng.standard_normal((len(part), INNER), dtype=np.float32)
        np.maximum(spread * inner @ mixing + 0.5 * rng.standard_normal(part.shape, dtype=np.float32), 0, out=part)
    return made


def both(count: int, dimensions: int) -> tuple[np.ndarray, np.ndarray]:
    return features(1, count, dimensions, 1.0), features(2, count, dimensions, 0.95)


def by_prdc(real: np.ndarray, fake: np.ndarray) -> dict[str, float]:
    with contextlib.redirect_stdout(io.StringIO()):
        found: dict[str, float] = compute_prdc(real, fake, nearest_k=K)
    return found


def by_torch_fidelity(real: np.ndarray, fake: np.ndarray, part: bool) -> dict[str, float]:
    found = prc_features_to_metric(
        torch.from_numpy(fake), torch.from_numpy(real), prc_neighborhood=K, save_cpu_ram=part, verbose=False
    )
    return {"precision": found[KEY_METRIC_PRECISION], "recall": found[KEY_METRIC_RECALL]}


def with_errors(real: np.ndarray, fake: np.ndarray) -> dict[str, float]:
    """The metric as a score computes it: the values, and those without each of ten groups."""
    metric, banks = PrecisionRecallDensityCoverage(K), (FeatureBank(fake), FeatureBank(real))
    found = metric.compute(*banks)
    metric.without_groups(*banks, np.random.RandomState(0).permutation(len(fake)) % 10)
    return dict(found)


def speed(count: int, dimensions: int, repeats: int) -> list[dict[str, object]]:
    real, fake = both(count, dimensions)
    ways: dict[str, Callable[[], dict[str, float]]] = {
        "torch-fidelity": functools.partial(by_torch_fidelity, real, fake, part=False),
        "torch-fidelity --save-cpu-ram": functools.partial(by_torch_fidelity, real, fake, part=True),
        "prdc": functools.partial(by_prdc, real, fake),
        "ganeval": lambda: prdc(real, fake, K)._asdict(),
        "ganeval, with standard errors": functools.partial(with_errors, real, fake),
    }
    found = {name: run() for name, run in ways.items()}
    seconds = seconds_in_turn(repeats, **ways)
    return [
        {
            "variant": name, "samples": f"{count} + {count}", "dimensions": dimensions, "k": K, "repeats": repeats,
            "seconds": figure(seconds[name]), "times_torch_fidelity": figure(seconds["torch-fidelity"] / seconds[name]),
            "times_prdc": figure(seconds["prdc"] / seconds[name]),
            **{key: f"{found[name][key]:.6f}" for key in ("precision", "recall", "density", "coverage") if key in found[name]},
            **machine("torch-fidelity", "prdc"),
        }
        for name in ways
    ]  # fmt: skip


def memory(count: int, dimensions: int) -> dict[str, object]:
    """One large computation in a process of its own, its progress on stderr."""
    command = [sys.executable, __file__, "--child", str(count), str(dimensions)]
    done = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    return {
        "variant": "ganeval, in a process of its own", "samples": f"{count} + {count}", "dimensions": dimensions, "k": K,
        "repeats": 1, **done, **machine("torch-fidelity", "prdc"),
    }  # fmt: skip


def child(count: int, dimensions: int) -> None:
    warm = both(100, dimensions)
    prdc(*warm, K)  # libraries and their buffers are no part of it
    real, fake = both(count, dimensions)
    before = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

    def talk(what: str, done: int, total: int) -> None:
        print(f"\r{what}: {done} of {total} tiles   ", end="" if done < total else "\n", file=sys.stderr, flush=True)

    began = time.perf_counter()
    with heard_by(talk):
        found = prdc(real, fake, K)
    taken = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    values = {key: f"{value:.6f}" for key, value in found._asdict().items()}
    print(json.dumps({"seconds": figure(taken), "gb_beyond_features": f"{(peak - before) / 1e9:.2f}", **values}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--dimensions", type=int, default=2048)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--large", type=int, default=50_000, help="samples of the memory run")
    parser.add_argument("--no-memory", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--child", type=int, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(*options.child)
        return
    small = (300, 64, 1) if options.quick else (options.samples, options.dimensions, options.repeats)
    rows = speed(*small)
    if not options.no_memory:
        rows.append(memory(*((2500, 64) if options.quick else (options.large, options.dimensions))))
    report("precision_recall", rows, options.quick)


if __name__ == "__main__":
    main()
