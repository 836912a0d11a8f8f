"""FeatureBank: moments, softmax, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from ganeval.errors import MetricError
from ganeval.features import FeatureBank, moments_of


def features(count: int, dimensions: int = 5, offset: float = 0.0) -> np.ndarray:
    return (np.random.default_rng(0).standard_normal((count, dimensions)) + offset).astype(np.float32)


@pytest.mark.parametrize(("count", "dimensions", "offset"), [(2, 3, 0.0), (40, 5, 0.0), (7, 20, 1e4)])
def test_moments_are_those_of_numpy_in_float64(count: int, dimensions: int, offset: float) -> None:
    x = features(count, dimensions, offset)
    moments = FeatureBank(x).moments
    assert moments.count == count
    assert moments.mean.dtype == moments.cov.dtype == np.float64
    np.testing.assert_allclose(moments.mean, x.astype(np.float64).mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(moments.cov, np.cov(x.astype(np.float64), rowvar=False), rtol=1e-10, atol=1e-13)
    assert np.array_equal(moments.cov, moments.cov.T)


def test_moments_need_two_samples() -> None:
    with pytest.raises(MetricError, match="at least 2 samples, got 1"):
        _ = FeatureBank(features(1)).moments
    with pytest.raises(MetricError, match="at least 2 samples, got 0"):
        moments_of(features(0))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["features", "logits"])
def test_a_number_that_is_not_finite_is_named_by_its_sample(bad: float, name: str) -> None:
    arrays = {"features": features(6), "logits": features(6, 3)}
    arrays[name][4, 2] = bad
    with pytest.raises(MetricError, match=f"{name} of sample 4 are not finite"):
        FeatureBank(**arrays)


def test_arrays_of_unequal_length_are_refused() -> None:
    with pytest.raises(MetricError, match="5 logits for 6 features"):
        FeatureBank(features(6), logits=features(5, 3))
    with pytest.raises(MetricError, match="7 labels for 6 features"):
        FeatureBank(features(6), labels=np.zeros(7, dtype=np.int64))


def test_features_that_are_no_matrix_are_refused() -> None:
    with pytest.raises(MetricError, match=r"features must be a matrix .* got the shape \(6,\)"):
        FeatureBank(np.zeros(6, dtype=np.float32))


def test_log_probabilities_are_exact_and_survive_huge_logits() -> None:
    logits = np.array([[0, np.log(3)], [1e30, -1e30], [-1e5, -1e5], [88.8, 1e4]], dtype=np.float32)
    bank = FeatureBank(features(4), logits)
    assert np.isfinite(bank.log_probabilities).all()
    np.testing.assert_allclose(bank.probabilities, [[0.25, 0.75], [1, 0], [0.5, 0.5], [0, 1]], rtol=1e-7, atol=1e-300)
    np.testing.assert_allclose(bank.log_probabilities[2], np.log([0.5, 0.5]), rtol=1e-15)
    assert bank.log_probabilities[3, 0] == pytest.approx(88.8 - 1e4, rel=1e-6)
    assert bank.log_probabilities.dtype == np.float64


def test_without_logits_there_are_no_probabilities() -> None:
    with pytest.raises(MetricError, match="no class logits"):
        _ = FeatureBank(features(3)).probabilities


def test_take_keeps_rows_together_in_the_order_asked_for() -> None:
    bank = FeatureBank(features(6), features(6, 3), np.arange(6))
    some = bank.take(np.array([4, 1]))
    assert len(some) == 2
    assert np.array_equal(some.features, bank.features[[4, 1]])
    assert np.array_equal(some.logits, bank.logits[[4, 1]])
    assert some.labels.tolist() == [4, 1]
    assert bank.take(bank.labels >= 3).labels.tolist() == [3, 4, 5]
    assert FeatureBank(features(6)).take(np.array([0])).logits is None
