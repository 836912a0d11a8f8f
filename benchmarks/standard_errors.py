"""Do standard errors say how far scores move? Of the shipped digits generator, under ``small-v2``.

    python benchmarks/standard_errors.py            40 sets of 1,000 images, labels balanced and drawn: about 4 minutes
    python benchmarks/standard_errors.py --quick    a smoke test of seconds

Many sets of images are scored. ``spread`` is the standard deviation of a value over the sets, ``error`` the root mean square of
the standard errors that the single scores state, ``covered`` the share of their 95 % intervals that hold the mean over the sets.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from side_by_side import figure, machine, report

from ganeval.banks import Banks
from ganeval.data.registry import find_dataset
from ganeval.extractors.base import Extractor
from ganeval.extractors.registry import find_extractor
from ganeval.features import FeatureBank
from ganeval.protocols import PROTOCOLS
from ganeval.sampling import LabelPlan, LoadedGenerator, generate, load_generator
from ganeval.uncertainty import Measured, measure

CHECKPOINT = Path(__file__).parents[1] / "checkpoints" / "reacgan-digits"
PLANS: tuple[LabelPlan, ...] = ("balanced", "uniform")


def bank_of(generator: LoadedGenerator, extractor: Extractor, count: int, seed: int, plan: LabelPlan) -> FeatureBank:
    batches = [(extractor(images), labels) for images, labels in generate(generator, count, seed=seed, labels=plan)]
    features, logits = ([getattr(found, part) for found, _ in batches] for part in ("features", "logits"))
    parts = (torch.cat(tensors).numpy() for tensors in (features, logits, [labels for _, labels in batches]))
    return FeatureBank(*parts)


def row(plan: LabelPlan, key: str, scores: Sequence[Measured]) -> dict[str, object]:
    values = np.array([score.value for score in scores])
    error = float(np.sqrt(np.mean([score.std_error**2 for score in scores if score.std_error is not None])))
    inside = [score.interval.low <= values.mean() <= score.interval.high for score in scores if score.interval]
    spread = float(values.std(ddof=1))
    return {
        "labels": plan, "value": key, "mean": figure(values.mean()), "spread": figure(spread), "error": figure(error),
        "ratio": figure(error / spread) if spread else "", "covered": figure(float(np.mean(inside))),
    }  # fmt: skip


def rows(sets: int, count: int) -> list[dict[str, object]]:
    protocol = PROTOCOLS.get("small-v2")
    generator, extractor, digits = load_generator(CHECKPOINT), find_extractor("digits-cnn"), find_dataset("digits")
    real = digits.load("train", generator.resolution)
    found = extractor(real.images)
    assert found.logits is not None
    reference = FeatureBank(found.features.numpy(), found.logits.numpy(), real.labels.numpy())
    made: list[dict[str, object]] = []
    for plan in PLANS:
        scores: dict[str, list[Measured]] = {}
        for seed in range(sets):
            given = bank_of(generator, extractor, count, seed, plan)
            fake = Banks(given, reference, None, "").ordered(protocol.sample_order).fake
            for metric in protocol.resolved(digits).metrics:
                for key, measured in measure(metric, fake, reference, protocol.jackknife_groups).items():
                    scores.setdefault(key, []).append(measured)
        fixed = {"sets": sets, "images": count, **machine("scipy")}
        made += [{**row(plan, key, found), **fixed} for key, found in scores.items()]
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=40)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    sets, images = (2, 300) if options.quick else (options.sets, options.images)
    report("standard_errors", rows(sets, images), options.quick)


if __name__ == "__main__":
    main()
