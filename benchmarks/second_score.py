"""What the reference costs a second score: what was found out about it is kept.

    python benchmarks/second_score.py            5,000 reference images, 2,048 dimensions; about two minutes
    python benchmarks/second_score.py --quick    a smoke test of seconds

One thread; process CPU time of one metric with its floor, on random features (of 20 latent dimensions) of the reference, of as
many generated and of a fifth as many held-out images. "first" knows of the reference and of the held-out images nothing but
their features; "second" is another generator against the same reference. Both read the features from memory.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from dataclasses import replace

import numpy as np
import torch
from side_by_side import figure, machine, report

from ganeval.cache import Shelf
from ganeval.features import FeatureBank
from ganeval.floor import floor_of
from ganeval.metrics.am_score import AMScore
from ganeval.metrics.base import Metric
from ganeval.metrics.frechet import Frechet
from ganeval.metrics.intra_frechet import IntraFrechet
from ganeval.metrics.kernel import Kernel
from ganeval.metrics.memorisation import Memorisation
from ganeval.metrics.prdc import PrecisionRecallDensityCoverage

METRICS: tuple[Metric, ...] = (
    Frechet(), Kernel(), AMScore(), PrecisionRecallDensityCoverage(), Memorisation(), IntraFrechet(),
)  # fmt: skip
CLASSES, LATENT = 2, 20


def features(seed: int, count: int, dimensions: int) -> FeatureBank:
    """Rectified combinations of a few latent numbers; two classes; logits of 1,008."""
    rng, mixing = np.random.default_rng(seed), np.random.default_rng(0).standard_normal((LATENT, dimensions))
    x = np.maximum(rng.standard_normal((count, LATENT)) @ mixing + 0.1 * rng.standard_normal((count, dimensions)), 0)
    logits = rng.standard_normal((count, 1008)).astype(np.float32)
    return FeatureBank(x.astype(np.float32), logits, np.arange(count) % CLASSES)


def seconds(metric: Metric, fake: FeatureBank, reference: FeatureBank, held_out: FeatureBank) -> float:
    """The CPU time of the metric and its floor; the banks of real images are new to this process."""
    real, held_out = (
        replace(bank, keeper=Shelf({"source": name, "extractor": "random"}))
        for name, bank in (("train", reference), ("test", held_out))
    )
    began = time.process_time()
    metric.compute(fake, real)
    floor_of(metric, held_out, real)
    return time.process_time() - began


def row(metric: Metric, count: int, dimensions: int) -> dict[str, object]:
    reference, held_out = features(1, count, dimensions), features(2, count // 5, dimensions)
    with tempfile.TemporaryDirectory() as home:
        os.environ["GANEVAL_HOME"] = home
        first = seconds(metric, features(3, count, dimensions), reference, held_out)
        second = min(seconds(metric, features(seed, count, dimensions), reference, held_out) for seed in (4, 5))
    return {
        "metric": metric.name, "reference": count, "generated": count, "held_out": count // 5, "dimensions": dimensions,
        "first_s": figure(first), "second_s": figure(second), "ratio": figure(first / second), **machine("scipy", "scikit-learn"),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--dimensions", type=int, default=2048)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    count, dimensions = (600, 64) if options.quick else (options.images, options.dimensions)
    metrics = [replace(each, subset_size=100) if isinstance(each, Kernel) and options.quick else each for each in METRICS]
    report("second_score", [row(metric, count, dimensions) for metric in metrics], options.quick)


if __name__ == "__main__":
    main()
