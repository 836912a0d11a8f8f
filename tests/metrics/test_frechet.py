"""Fréchet distance: closed forms, agreement with torch-fidelity, rank-deficient sets, invariances."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_features_to_statistics, fid_statistics_to_metric

from ganeval.errors import MetricError
from ganeval.features import FeatureBank, Moments, moments_of
from ganeval.metrics import frechet
from ganeval.metrics.frechet import Frechet, frechet_distance, frechet_distance_of_samples


def gaussian(mean: object, cov: object, count: int = 1000) -> Moments:
    return Moments(np.asarray(mean, dtype=np.float64), np.asarray(cov, dtype=np.float64), count)


def features(seed: int, count: int, dimensions: int, shift: float = 0.0) -> np.ndarray:
    """Correlated, non-negative float32 features, as behind a rectifier."""
    rng = np.random.default_rng(seed)
    mixing = rng.standard_normal((dimensions, dimensions)) / np.sqrt(dimensions)
    return np.abs(rng.standard_normal((count, dimensions)) @ mixing + shift).astype(np.float32)


def distance_by_matrix_root(x: np.ndarray, y: np.ndarray) -> float:
    """The definition, word for word: another algorithm than the one under test."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    s, t = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    values, vectors = np.linalg.eigh(s)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    return float(np.square(x.mean(0) - y.mean(0)).sum() + np.trace(s + t - 2 * scipy.linalg.sqrtm(root @ t @ root).real))


@pytest.mark.parametrize(("dimensions", "scale"), [(1, 3.0), (5, 0.25), (64, 1.5)])
def test_isotropic_gaussians_have_the_closed_form(dimensions: int, scale: float) -> None:
    mean = np.linspace(-1, 2, dimensions)
    expected = mean @ mean + dimensions * (1 - scale) ** 2
    a, b = gaussian(np.zeros(dimensions), np.eye(dimensions)), gaussian(mean, scale**2 * np.eye(dimensions))
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-12)


def test_commuting_covariances_compare_the_roots_of_their_eigenvalues() -> None:
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    a = gaussian([0, 0], turn @ np.diag([4.0, 9.0]) @ turn.T)
    b = gaussian([1, 2], turn @ np.diag([25.0, 1.0]) @ turn.T)
    assert frechet_distance(a, b) == pytest.approx(5 + (2 - 5) ** 2 + (3 - 1) ** 2, rel=1e-12)


def test_non_commuting_2x2_covariances_have_a_hand_formula() -> None:
    # For 2 x 2: (tr M^(1/2))^2 = tr M + 2 (det M)^(1/2). Here tr ST = 11 and det ST = 3 * 5.
    s, t = np.array([[2.0, 1.0], [1.0, 2.0]]), np.array([[3.0, -1.0], [-1.0, 2.0]])
    assert not np.allclose(s @ t, t @ s)
    expected = 0.25 + 4 + 5 - 2 * np.sqrt(8 + 2 * np.sqrt(15))
    assert frechet_distance(gaussian([0, 0], s), gaussian([0.5, 0], t)) == pytest.approx(expected, rel=1e-12)


def test_unit_shift_of_2048_dimensions_is_2048() -> None:
    eye = np.eye(2048)
    assert frechet_distance(gaussian(np.zeros(2048), eye), gaussian(np.ones(2048), eye)) == pytest.approx(2048.0, rel=1e-12)


def test_the_rank_deficient_example_of_compare_gan() -> None:
    real, fake = np.ones((100, 2)), np.full((100, 2), 9.0)
    real[:50, 0] = 2
    fake[50:, 0] = 2
    # Means differ by (4, 8); the only variances are 1/4 and 49/4, times 100/99.
    expected = 80 + (3.5 - 0.5) ** 2 * 100 / 99
    assert frechet_distance_of_samples(real, fake) == pytest.approx(expected, rel=1e-12)
    assert expected == pytest.approx(89.091, abs=1e-4)


@pytest.mark.parametrize(("n", "m", "dimensions"), [(400, 300, 16), (700, 900, 128), (120, 90, 200), (150, 900, 200)])
def test_agrees_with_torch_fidelity(n: int, m: int, dimensions: int) -> None:
    x, y = features(1, n, dimensions), features(2, m, dimensions, shift=0.3)
    statistics = [fid_features_to_statistics(torch.from_numpy(z)) for z in (x, y)]
    theirs = fid_statistics_to_metric(*statistics, verbose=False)[KEY_METRIC_FID]
    ours = Frechet().compute(FeatureBank(x), FeatureBank(y))["fid"]
    assert ours == pytest.approx(theirs, rel=1e-6)
    assert ours > 0.1


@pytest.mark.parametrize(("n", "m", "dimensions"), [(8, 5, 30), (30, 30, 30), (31, 5, 30), (90, 7, 30), (7, 90, 30), (2, 2, 3)])
def test_few_samples_agree_with_the_definition_in_both_forms(n: int, m: int, dimensions: int) -> None:
    x, y = features(3, n, dimensions), features(4, m, dimensions, shift=0.5)
    expected = distance_by_matrix_root(x, y)
    assert frechet_distance_of_samples(x, y) == pytest.approx(expected, rel=1e-6)
    # The two forms share no step beyond the mean, and neither takes a root of rounding noise.
    assert frechet_distance(moments_of(x), moments_of(y)) == pytest.approx(frechet_distance_of_samples(x, y), rel=1e-10)


@pytest.mark.parametrize(("count", "dimensions"), [(2000, 64), (65, 64), (64, 64), (20, 64), (2, 64), (50, 400)])
def test_a_set_is_at_no_distance_from_itself(count: int, dimensions: int) -> None:
    x = features(5, count, dimensions) * 10
    assert 0 <= frechet_distance_of_samples(x, x) <= 1e-6
    assert 0 <= frechet_distance(moments_of(x), moments_of(x)) <= 1e-6


def test_constant_features_are_at_the_distance_of_their_means() -> None:
    x, y = np.full((40, 3), 2.0, dtype=np.float32), np.full((30, 3), 5.0, dtype=np.float32)
    assert frechet_distance_of_samples(x, y) == pytest.approx(27.0, rel=1e-12)
    assert frechet_distance_of_samples(x, x) == 0.0


def test_no_square_matrix_is_formed_for_few_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("moments were formed")

    monkeypatch.setattr(frechet, "moments_of", fail)
    monkeypatch.setattr(FeatureBank, "moments", property(fail))
    x, y = features(6, 12, 20), features(7, 20, 20)
    assert Frechet().compute(FeatureBank(x), FeatureBank(y))["fid"] > 0
    with pytest.raises(AssertionError, match="moments were formed"):
        Frechet().compute(FeatureBank(features(6, 21, 20)), FeatureBank(y))


def test_the_metric_is_the_same_through_either_form() -> None:
    x, y = features(8, 50, 20), features(9, 40, 20, shift=0.2)
    assert Frechet().compute(FeatureBank(x), FeatureBank(y))["fid"] == pytest.approx(frechet_distance_of_samples(x, y), rel=1e-12)


def test_float32_statistics_of_few_samples_are_not_mistaken_for_indefinite_ones() -> None:
    x, y = features(10, 20, 60), features(11, 300, 60, shift=0.4)
    rounded = [Moments(m.mean, m.cov.astype(np.float32).astype(np.float64), m.count) for m in (moments_of(x), moments_of(y))]
    assert np.linalg.eigvalsh(rounded[0].cov)[0] < 0
    assert frechet_distance(*rounded) == pytest.approx(frechet_distance_of_samples(x, y), rel=1e-3)
    assert 0 <= frechet_distance(rounded[0], rounded[0]) <= 1e-6


def test_mistakes_are_told() -> None:
    x = features(0, 10, 4)
    with pytest.raises(MetricError, match="4 and 3 feature dimensions"):
        frechet_distance_of_samples(x, x[:, :3])
    with pytest.raises(MetricError, match="4 and 3 feature dimensions"):
        frechet_distance(moments_of(x), moments_of(x[:, :3]))
    with pytest.raises(MetricError, match="at least 2 samples"):
        frechet_distance_of_samples(x, x[:1])
    with pytest.raises(MetricError, match="at least 2 samples, got 1"):
        frechet_distance(moments_of(x), gaussian(np.zeros(4), np.eye(4), count=1))
    with pytest.raises(MetricError, match="features of sample 3 are not finite"):
        frechet_distance_of_samples(x, np.where(np.arange(10)[:, None] == 3, np.inf, x))
    with pytest.raises(MetricError, match="not finite"):
        frechet_distance(gaussian([0, np.nan], np.eye(2)), gaussian([0, 0], np.eye(2)))
    with pytest.raises(MetricError, match="need a mean"):
        frechet_distance(gaussian([0, 0], np.eye(3)), gaussian([0, 0], np.eye(2)))
    for indefinite in (-np.eye(2), np.diag([1.0, -0.01]), np.array([[1.0, 2.0], [2.0, 1.0]])):
        for pair in ((indefinite, np.eye(2)), (np.eye(2), indefinite)):
            with pytest.raises(MetricError, match="not positive semi-definite"):
                frechet_distance(*(gaussian([0, 0], cov) for cov in pair))
    with np.errstate(over="ignore"), pytest.raises(MetricError, match="came out as inf: the features are too large"):
        frechet_distance(gaussian([1e200, 0], np.eye(2)), gaussian([0, 0], np.eye(2)))
    with pytest.raises(MetricError, match="none was given"):
        Frechet().compute(FeatureBank(x), None)


def test_a_solver_that_does_not_converge_is_a_metric_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def diverge(*_: object) -> None:
        raise torch.linalg.LinAlgError("no\nconvergence")

    monkeypatch.setattr(torch.linalg, "eigvalsh", diverge)
    monkeypatch.setattr(torch.linalg, "svdvals", diverge)
    for count in (3, 30):
        with pytest.raises(MetricError, match="the matrix solver failed: no convergence"):
            frechet_distance_of_samples(features(12, count, 6), features(13, count, 6))


seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(2, 30)


@settings(deadline=None, max_examples=40)
@given(seed=seeds, n=sizes, m=sizes, dimensions=st.integers(1, 12))
def test_symmetric_non_negative_and_blind_to_order_place_and_direction(seed: int, n: int, m: int, dimensions: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((n, dimensions)), 2 * rng.standard_normal((m, dimensions)) + 1
    distance = frechet_distance_of_samples(x, y)
    assert distance >= 0
    assert frechet_distance_of_samples(y, x) == pytest.approx(distance, rel=1e-6, abs=1e-6)
    assert frechet_distance_of_samples(rng.permutation(x), y) == pytest.approx(distance, rel=1e-6, abs=1e-6)
    place = rng.standard_normal(dimensions)
    turn = np.linalg.qr(rng.standard_normal((dimensions, dimensions)))[0]
    assert frechet_distance_of_samples(x @ turn + place, y @ turn + place) == pytest.approx(distance, rel=1e-6, abs=1e-6)
    assert frechet_distance_of_samples(3 * x, 3 * y) == pytest.approx(9 * distance, rel=1e-6, abs=1e-6)
