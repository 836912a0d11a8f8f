"""What holds for every registered metric."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from ganeval.errors import MetricError, UserError
from ganeval.features import FeatureBank
from ganeval.metrics.base import METRICS, Metric
from ganeval.uncertainty import measure

# With few enough samples to count: each metric small, its parameters replaced as a protocol does. One that is not listed, such as
# a new one, is tested with its own.
SMALL: dict[str, dict[str, object]] = {
    "inception_score": {"splits": 4},
    "kernel": {"subsets": 3, "subset_size": 8},
    "prd_curve": {"clusters": 4, "runs": 2, "angles": 101},
    "prdc": {"k": 2},
}
NAMES = METRICS.names()

KEYS = {
    "accuracy": ["top1", "top5"],
    "am_score": ["am", "am_entropy", "am_kl"],
    "frechet": ["fid"],
    "frechet_infinity": ["fid_inf"],
    "inception_score": ["is"],
    "inception_score_infinity": ["is_inf"],
    "intra_frechet": ["ifid"],
    "kernel": ["kid"],
    "memorisation": ["authenticity", "memorised"],
    "prd_curve": ["f8", "f1_8"],
    "prdc": ["precision", "recall", "density", "coverage"],
}

# These draw from the samples in the order they come in, as torch-fidelity does, whose values they reproduce.
IN_THEIR_ORDER = ("inception_score", "kernel")


def small(name: str) -> Metric:
    return dataclasses.replace(METRICS.get(name), **SMALL.get(name, {}))  # type: ignore[type-var]


def bank(seed: int, count: int, asked: int = 2) -> FeatureBank:
    """Seven classes for a classifier; equally many of the samples were ``asked`` to be of class 0, 1 ..."""
    rng = np.random.default_rng(seed)
    logits = rng.standard_normal((count, 7)).astype(np.float32)
    labels = (np.arange(count) * asked // max(count, 1)).astype(np.int64)
    return FeatureBank(rng.standard_normal((count, 3)).astype(np.float32), logits, labels)


def enough(metric: Metric) -> FeatureBank:
    return bank(1, metric.minimum + 20)


def test_the_metrics_and_their_keys() -> None:
    keys = {name: [value.key for value in metric.values] for name, metric in METRICS}
    assert {name: keys[name] for name in KEYS} == KEYS
    every = [key for group in keys.values() for key in group]
    assert len(every) == len(set(every))


@pytest.mark.parametrize("name", NAMES)
def test_computes_its_keys_from_its_minimum_on_and_not_below(name: str) -> None:
    metric = small(name)
    reference = bank(0, 40, asked=1)
    values = metric.compute(bank(1, metric.minimum, asked=1), reference)
    assert set(values) == {value.key for value in metric.values}
    assert all(type(value) is float and np.isfinite(value) for value in values.values())
    with pytest.raises(MetricError):
        metric.compute(bank(1, metric.minimum - 1, asked=1), reference)


@pytest.mark.parametrize("name", NAMES)
def test_needs_what_it_declares_and_nothing_else(name: str) -> None:
    metric, reference = small(name), bank(2, 60)
    fake = enough(metric)
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


@pytest.mark.parametrize("name", NAMES)
def test_leaves_its_input_alone_and_repeats_itself(name: str) -> None:
    metric, reference = small(name), bank(2, 60)
    fake = enough(metric)
    before = fake.features.copy(), fake.logits.copy(), reference.features.copy()
    first = metric.compute(fake, reference)
    assert metric.compute(enough(metric), bank(2, 60)) == first
    for array, copy in zip((fake.features, fake.logits, reference.features), before, strict=True):
        assert np.array_equal(array, copy)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in IN_THEIR_ORDER])
def test_is_blind_to_the_order_of_the_samples(name: str) -> None:
    metric, reference, rng = small(name), bank(2, 60), np.random.default_rng(3)
    fake = enough(metric)
    shuffled = fake.take(rng.permutation(len(fake))), reference.take(rng.permutation(len(reference)))
    assert metric.compute(*shuffled) == pytest.approx(metric.compute(fake, reference), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_the_value_that_comes_with_an_uncertainty_is_the_value(name: str) -> None:
    metric, reference = small(name), bank(2, 60)
    fake = enough(metric)
    group = np.random.default_rng(4).permutation(len(fake)) % 4
    replicates = metric.replicate(fake, reference, group)
    assert replicates.values == metric.compute(fake, reference)
    assert len(replicates.without) == 4
    assert all(set(values) == set(replicates.values) for values in replicates.without)
    assert all(np.isfinite(list(values.values())).all() for values in replicates.without)
    assert set(replicates.own_errors) <= set(replicates.values)
    assert all(error >= 0 for error in replicates.own_errors.values())


@pytest.mark.parametrize("name", NAMES)
def test_measured_values_lie_within_their_bounds_and_their_intervals(name: str) -> None:
    metric, reference = small(name), bank(2, 60)
    kinds = {value.key: value for value in metric.values}
    for key, measured in measure(metric, enough(metric), reference, groups=5).items():
        low, high = kinds[key].bounds
        assert measured.interval is not None
        assert measured.std_error is not None
        assert low <= measured.interval.low <= measured.value <= measured.interval.high <= high
        assert measured.interval.method in ("jackknife", "jackknife and own draws", "wilson")


@pytest.mark.parametrize(
    ("name", "place"),
    [(name, place) for name in NAMES for place in ("fake", "reference") if place == "fake" or place in METRICS.get(name).needs],
)
def test_what_is_not_finite_is_an_error(name: str, place: str) -> None:
    """A bank refuses it when it is made; a metric does not rely on that where arrays are changed afterwards."""
    metric, banks = small(name), {"fake": enough(small(name)), "reference": bank(2, 60)}
    banks[place].features[3, 1] = np.nan
    banks[place].logits[3, 1] = np.inf
    with np.errstate(invalid="ignore"), pytest.raises(MetricError):
        metric.compute(**banks)


@pytest.mark.parametrize(
    ("extractor", "column"),
    [
        ("inception", "FID"),
        ("inception-clean", "FID-clean"),
        ("inception-studiogan-friendly", "FID-studiogan-friendly"),
        ("digits-cnn", "FD-digits-cnn"),
        ("inceptionist", "FD-inceptionist"),
        ("inception-torchvision", "FD-inception-torchvision"),
        ("inception-ours", "FD-inception-ours"),
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
