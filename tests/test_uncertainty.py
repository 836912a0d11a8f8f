"""The jackknife: closed forms for means, the true spread for others, absence where it cannot be had."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from ganeval.errors import MetricError
from ganeval.features import FeatureBank
from ganeval.metrics.accuracy import Accuracy
from ganeval.metrics.base import Metric, Need, Value
from ganeval.metrics.frechet import Frechet
from ganeval.metrics.kernel import Kernel
from ganeval.metrics.prdc import PrecisionRecallDensityCoverage
from ganeval.uncertainty import SEED, jackknife


@dataclass(frozen=True)
class Mean(Metric):
    """The mean of the feature, and under ``scarce`` its square where some sample lies above ``floor``."""

    floor: float = -np.inf

    name: ClassVar[str] = "mean"
    values: ClassVar[tuple[Value, ...]] = (Value("mean", "M", "M", "higher", "1"), Value("scarce", "S", "S", "higher", "1"))
    needs: ClassVar[frozenset[Need]] = frozenset()

    def compute(self, fake: FeatureBank, reference: FeatureBank | None) -> Mapping[str, float]:
        mean = float(fake.features.mean(dtype=np.float64))
        return {"mean": mean} | ({"scarce": mean**2} if fake.features.max() > self.floor else {})


def numbers(seed: int, count: int) -> FeatureBank:
    return FeatureBank(np.random.default_rng(seed).standard_normal((count, 1)).astype(np.float32))


def guesses(seed: int, count: int, accuracy: float) -> FeatureBank:
    """Two-class predictions for label 0, right with probability ``accuracy``."""
    right = np.random.default_rng(seed).random(count) < accuracy
    logits = np.where(right[:, None], [1, 0], [0, 1]).astype(np.float32)
    return FeatureBank(np.zeros((count, 1), dtype=np.float32), logits, np.zeros(count, dtype=np.int64))


def test_of_a_mean_with_single_samples_as_groups_is_the_textbook_standard_error() -> None:
    bank = numbers(0, 37)
    expected = bank.features.astype(np.float64).std(ddof=1) / np.sqrt(37)
    assert jackknife(Mean(), bank, None, groups=37)["mean"] == pytest.approx(expected, rel=1e-10)


def test_of_a_mean_with_equal_groups_is_the_spread_of_the_group_means() -> None:
    bank = numbers(1, 60)
    group = np.random.RandomState(SEED).permutation(60) % 12
    means = np.array([bank.features[group == g].mean(dtype=np.float64) for g in range(12)])
    assert jackknife(Mean(), bank, None, groups=12)["mean"] == pytest.approx(means.std(ddof=1) / np.sqrt(12), rel=1e-10)


def test_of_unequal_groups_follows_the_formula() -> None:
    bank = numbers(2, 23)
    group = np.random.RandomState(SEED).permutation(23) % 5
    assert sorted(np.bincount(group)) == [4, 4, 5, 5, 5]
    thetas = np.array([bank.features[group != g].mean(dtype=np.float64) for g in range(5)])
    expected = np.sqrt(4 / 5 * np.square(thetas - thetas.mean()).sum())
    assert jackknife(Mean(), bank, None, groups=5)["mean"] == pytest.approx(expected, rel=1e-10)


def test_of_an_accuracy_is_binomial() -> None:
    bank = guesses(3, 50, 0.7)
    p = Accuracy().compute(bank, None)["top1"]
    assert jackknife(Accuracy(), bank, None, groups=50) == {"top1": pytest.approx(np.sqrt(p * (1 - p) / 49), rel=1e-10)}
    # Ten groups estimate the same within sampling: relative noise 1 / sqrt(2 * 9) each, a twentieth over 60 sets squared.
    squares = [jackknife(Accuracy(), guesses(seed, 400, 0.7), None)["top1"] ** 2 for seed in range(60)]
    assert np.sqrt(np.mean(squares)) == pytest.approx(np.sqrt(0.7 * 0.3 / 400), rel=0.15)


def test_of_the_distances_is_their_spread_over_generated_sets() -> None:
    rng = np.random.default_rng(4)
    reference = FeatureBank(rng.standard_normal((300, 3)).astype(np.float32))
    fakes = [FeatureBank((1.2 * rng.standard_normal((150, 3)) + 0.4).astype(np.float32)) for _ in range(60)]
    for metric, key in ((Frechet(), "fid"), (PrecisionRecallDensityCoverage(), "density")):
        spread = np.std([metric.compute(fake, reference)[key] for fake in fakes], ddof=1)
        errors = [jackknife(metric, fake, reference)[key] for fake in fakes[:12]]
        # Noise: 1 / sqrt(2 * 60) in the spread and 1 / sqrt(2 * 12 * 9) in the error, together 11 per cent.
        assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(spread, rel=0.3), key


def test_repeats_itself_and_leaves_the_reference_alone() -> None:
    fake, reference = numbers(5, 50), numbers(6, 70)
    assert jackknife(Frechet(), fake, reference) == jackknife(Frechet(), fake, reference)
    assert jackknife(Frechet(), fake, reference) != jackknife(Frechet(), fake, reference, groups=5)
    assert len(reference) == 70


def test_is_zero_where_nothing_varies() -> None:
    constant = FeatureBank(np.ones((30, 1), dtype=np.float32))
    assert jackknife(Mean(), constant, None) == {"mean": 0.0, "scarce": 0.0}


def test_is_absent_where_it_cannot_be_had() -> None:
    fake, reference = numbers(7, 40), numbers(8, 40)
    kernel = Kernel(subsets=2, subset_size=38)
    assert "kid" in kernel.compute(fake, reference)
    with pytest.raises(MetricError):
        kernel.compute(fake.take(np.arange(36)), reference)
    assert jackknife(kernel, fake, reference) == {}
    assert jackknife(Mean(), numbers(9, 9), None, groups=10) == {}
    assert set(jackknife(Mean(), fake, None)) == {"mean", "scarce"}


@pytest.mark.parametrize("lacking", [0, 3])
def test_a_key_that_one_group_carries_alone_is_absent(lacking: int) -> None:
    group = np.random.RandomState(SEED).permutation(40) % 10
    bank = FeatureBank((group == lacking).astype(np.float32)[:, None])
    assert set(Mean(floor=0.5).compute(bank, None)) == {"mean", "scarce"}
    assert set(jackknife(Mean(floor=0.5), bank, None)) == {"mean"}


def test_one_group_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="at least 2 groups, got 1"):
        jackknife(Mean(), numbers(0, 5), None, groups=1)
