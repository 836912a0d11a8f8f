"""What every metric of ``ganeval-v1`` takes, with standard errors, at 50,000 + 50,000 samples: time, memory beside the features.

    python benchmarks/large_sets.py            2,048 dimensions, 10 classes; about 10 minutes on 2 cores
    python benchmarks/large_sets.py --quick    a smoke test of seconds

Random features of 20 latent dimensions, all threads, nothing known before; in the protocol's order, so that what one metric finds
out serves the next. ``own_order`` sorts the generated samples.
"""

from __future__ import annotations

import argparse
import resource
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from side_by_side import figure, machine, report

from ganeval.features import FeatureBank
from ganeval.metrics.order import own_order
from ganeval.protocols import PROTOCOLS
from ganeval.uncertainty import measure

CLASSES, LATENT, PART = 10, 20, 5000
GIB = 2**30


def features(seed: int, count: int, dimensions: int) -> FeatureBank:
    """Rectified combinations of a few latent numbers, made in parts so that the making leaves no peak."""
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(0).standard_normal((LATENT, dimensions)).astype(np.float32)
    x, logits = np.empty((count, dimensions), np.float32), np.empty((count, CLASSES), np.float32)
    for start in range(0, count, PART):
        part = x[start : start + PART]
        latent = rng.standard_normal((len(part), LATENT)).astype(np.float32)
        part[:] = np.maximum(latent @ mixing + 0.1 * rng.standard_normal(part.shape).astype(np.float32), 0)
        logits[start : start + PART] = 3 * latent[:, :CLASSES]
    return FeatureBank(x, logits, np.arange(count) % CLASSES)


def resident() -> int:
    """Bytes of memory that the process has now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def cost(work: Callable[[], object]) -> dict[str, object]:
    """Seconds of ``work``, and the most memory at once beyond what there was before, in GiB."""
    before, done, seen = resident(), threading.Event(), [0]

    def watch() -> None:
        while not done.wait(0.02):
            seen.append(resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    began = time.perf_counter()
    try:
        work()
    finally:
        taken = time.perf_counter() - began
        done.set()
        watcher.join()
    return {"seconds": figure(taken), "gib_beside_features": figure(max(0, max(seen) - before) / GIB)}


def rows(count: int, dimensions: int) -> list[dict[str, object]]:
    fake, real = features(1, count, dimensions), features(2, count, dimensions)
    protocol = PROTOCOLS.get("ganeval-v1")
    work: dict[str, Callable[[], object]] = {"own_order": lambda: fake.take(own_order(fake.features))}
    for metric in protocol.metrics:
        work[metric.name] = lambda metric=metric: measure(metric, fake, real, protocol.jackknife_groups)
    sizes = {"samples": f"{count} + {count}", "dimensions": dimensions}
    return [{"metric": name, **cost(each), **sizes, **machine("scipy", "scikit-learn")} for name, each in work.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=50_000)
    parser.add_argument("--dimensions", type=int, default=2048)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    count, dimensions = (1500, 32) if options.quick else (options.count, options.dimensions)
    report("large_sets", rows(count, dimensions), options.quick)


if __name__ == "__main__":
    main()
