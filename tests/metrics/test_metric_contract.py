"""What holds for every registered metric."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from ganeval.errors import MetricError, UserError
from ganeval.features import FeatureBank
from ganeval.metrics.base import METRICS, Metric

# With few enough samples to count: each metric small, its parameters replaced as a protocol does.
SMALL: dict[str, dict[str, object]] = {
    "accuracy": {},
    "am_score": {},
    "frechet": {},
    "inception_score": {"splits": 4},
    "kernel": {"subsets": 3, "subset_size": 8},
    "prdc": {"k": 2},
}


def small(name: str) -> Metric:
    return dataclasses.replace(METRICS.get(name), **SMALL[name])  # type: ignore[type-var]


def bank(seed: int, count: int) -> FeatureBank:
    rng = np.random.default_rng(seed)
    logits = rng.standard_normal((count, 7)).astype(np.float32)
    return FeatureBank(rng.standard_normal((count, 3)).astype(np.float32), logits, rng.integers(0, 7, count))


def test_the_metrics_and_their_keys() -> None:
    keys = {name: [value.key for value in metric.values] for name, metric in METRICS}
    assert {name: keys[name] for name in SMALL} == {
        "accuracy": ["top1", "top5"],
        "am_score": ["am", "am_entropy", "am_kl"],
        "frechet": ["fid"],
        "inception_score": ["is"],
        "kernel": ["kid"],
        "prdc": ["precision", "recall", "density", "coverage"],
    }
    every = [key for group in keys.values() for key in group]
    assert len(every) == len(set(every))


@pytest.mark.parametrize("name", SMALL)
def test_computes_its_keys_from_its_minimum_on_and_not_below(name: str) -> None:
    metric = small(name)
    reference = bank(0, 20)
    values = metric.compute(bank(1, metric.minimum), reference)
    assert set(values) == {value.key for value in metric.values}
    assert all(type(value) is float and np.isfinite(value) for value in values.values())
    with pytest.raises(MetricError):
        metric.compute(bank(1, metric.minimum - 1), reference)


@pytest.mark.parametrize("name", SMALL)
def test_needs_what_it_declares_and_nothing_else(name: str) -> None:
    metric, fake, reference = small(name), bank(1, 20), bank(2, 25)
    values = metric.compute(fake, reference)
    lean = FeatureBank(
        fake.features, fake.logits if "logits" in metric.needs else None, fake.labels if "labels" in metric.needs else None
    )
    assert metric.compute(lean, reference if "reference" in metric.needs else None) == values
    without = {
        "reference": (fake, None),
        "logits": (dataclasses.replace(fake, logits=None), reference),
        "labels": (dataclasses.replace(fake, labels=None), reference),
    }
    for need in metric.needs:
        with pytest.raises(MetricError):
            metric.compute(*without[need])


@pytest.mark.parametrize("name", SMALL)
def test_leaves_its_input_alone_and_repeats_itself(name: str) -> None:
    metric, fake, reference = small(name), bank(1, 20), bank(2, 25)
    before = fake.features.copy(), fake.logits.copy(), reference.features.copy()
    first = metric.compute(fake, reference)
    assert metric.compute(bank(1, 20), bank(2, 25)) == first
    for array, copy in zip((fake.features, fake.logits, reference.features), before, strict=True):
        assert np.array_equal(array, copy)


@pytest.mark.parametrize(
    ("extractor", "column"),
    [
        ("inception", "FID"),
        ("inception-clean", "FID-clean"),
        ("inception-studiogan-friendly", "FID-studiogan-friendly"),
        ("digits-cnn", "FD-digits-cnn"),
        ("inceptionist", "FD-inceptionist"),
        ("inception@1a2b3c4d", "FD-inception@1a2b3c4d"),
        ("inception-clean@1a2b3c4d", "FD-inception-clean@1a2b3c4d"),
    ],
)
def test_fid_is_called_so_on_inception_alone(extractor: str, column: str) -> None:
    assert METRICS.get("frechet").values[0].column(extractor) == column
    assert METRICS.get("kernel").values[0].column(extractor) == column.replace("FID", "KID").replace("FD", "KD")


def test_an_unknown_metric_names_the_nearest() -> None:
    with pytest.raises(UserError, match="unknown metric 'frechett': did you mean frechet"):
        METRICS.get("frechett")
