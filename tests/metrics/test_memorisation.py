"""Copies are found, new draws are not but for the rate that was asked for; neighbours as in scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from ganeval.errors import MetricError
from ganeval.features import FeatureBank
from ganeval.metrics.distances import clouds
from ganeval.metrics.memorisation import Memorisation, copying
from ganeval.metrics.neighbours import Nearest, nearest, nearest_among


def draws(seed: int, count: int, dimensions: int = 8) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, dimensions)).astype(np.float32)


def nearest_of(points: np.ndarray, queries: np.ndarray, block: int) -> Nearest:
    return nearest_among(*clouds(points, queries), 1, block, "test")


def test_copies_are_memorised_and_not_authentic() -> None:
    training = draws(0, 400)
    found = copying(training[:100], training)
    assert (found.authenticity, found.memorised) == (0.0, 1.0)
    noisy = copying(training[:100] + np.float32(1e-3) * draws(1, 100), training)
    assert (noisy.authenticity, noisy.memorised) == (0.0, 1.0)
    half = copying(np.concatenate([training[:100], draws(2, 100)]), training)
    assert 0.5 <= half.memorised <= 0.56
    assert half.authenticity < 0.35


@pytest.mark.parametrize("quantile", [0.01, 0.05, 0.2])
def test_new_draws_are_flagged_at_the_calibrated_rate(quantile: float) -> None:
    rates = [copying(draws(seed, 1000), draws(seed + 100, 1000), quantile).memorised for seed in range(6)]
    # Binomial noise of 6,000 samples, as much again from the calibration.
    noise = np.sqrt(2 * quantile * (1 - quantile) / 6000)
    assert np.mean(rates) == pytest.approx(quantile, abs=4 * noise)


@pytest.mark.parametrize(("dimensions", "mutual"), [(1, 2 / 3), (2, 6 * np.pi / (8 * np.pi + 3 * np.sqrt(3)))])
def test_authenticity_of_new_draws_is_that_of_mutual_neighbours(dimensions: int, mutual: float) -> None:
    """A new draw is not authentic where it and its neighbour are each other's nearest (Cox, Biometrics 37, 1981)."""
    rng = np.random.default_rng(4)
    fake, training = (rng.random((count, dimensions)) for count in (4000, 4000))
    # 4,000 new draws share neighbours; each alone is one draw more among the 4,000.
    assert copying(fake, training).authenticity == pytest.approx(1 - mutual, abs=0.03)


def test_by_hand() -> None:
    training = np.array([[0.0], [1.0], [3.0], [10.0]])  # nearest others at 1, 1, 2, 7
    # Nearest at 0 (.25), 3 (1.5), 3 (3), 3 (2.5), 10 (10) and 0 (1). The last is a tie on both counts: not authentic, memorised.
    fake = np.array([[0.25], [4.5], [6.0], [5.5], [20.0], [-1.0]])
    found = copying(fake, training, quantile=0.0)
    assert found.threshold == 1.0
    assert found.authenticity == 3 / 6
    assert found.memorised == 2 / 6
    assert copying(fake, training, quantile=1.0).memorised == 5 / 6


def test_duplicates_among_the_training_images_leave_exact_copies() -> None:
    training = np.repeat(draws(5, 50), 2, axis=0)
    found = copying(np.concatenate([training[:10], draws(6, 30)]), training)
    assert found.threshold == 0.0
    assert found.memorised == 10 / 40


def test_exact_copies_are_at_distance_zero_however_far_away() -> None:
    points = draws(7, 300, 50) + np.float32(1e4)
    found = nearest_of(points, points[::3], block=64)
    assert found.squared.max() == 0
    assert np.array_equal(found.who[:, 0], np.arange(0, 300, 3))


@pytest.mark.parametrize("block", [16, 2048])
def test_distances_are_those_of_differences_whatever_the_data(block: int) -> None:
    """Clusters, lattices and copies, near and far: where rough distances tell nothing apart, float64 does."""
    for seed in range(12):
        rng = np.random.default_rng(seed)
        points = rng.integers(0, 3, (70, 1 + 4 * (seed % 3))) * [1.0, 1e-6, 1e9][seed // 3 % 3] + [0, 1e4][seed % 2]
        queries = np.concatenate([points[:20], points[20:40] + 1e-3 * rng.standard_normal((20, points.shape[1]))])
        every = np.sqrt(np.square(queries[:, None] - points).sum(axis=2))
        found = nearest_of(points, queries, block)
        assert np.sqrt(found.squared[:, 0]) == pytest.approx(every.min(axis=1), rel=1e-12, abs=1e-300), seed
        assert np.array_equal(every[np.arange(40), found.who[:, 0]] == 0, every.min(axis=1) == 0)
        np.fill_diagonal(within := np.sqrt(np.square(points[:, None] - points).sum(axis=2)), np.inf)
        others = nearest(clouds(points)[0], 1, block, "test")
        assert np.sqrt(others.squared[:, 0]) == pytest.approx(within.min(axis=1), rel=1e-12, abs=1e-300), seed


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1), n=st.integers(1, 60), m=st.integers(2, 60), block=st.integers(1, 70),
    dimensions=st.integers(1, 20),
)  # fmt: skip
def test_agrees_with_scikit_learn_whatever_the_block(seed: int, n: int, m: int, block: int, dimensions: int) -> None:
    rng = np.random.default_rng(seed)
    queries, points = rng.standard_normal((n, dimensions)), rng.standard_normal((m, dimensions))
    tree = NearestNeighbors(algorithm="brute").fit(points)
    distances, rows = tree.kneighbors(queries, 1)
    found = nearest_of(points, queries, block)
    assert np.sqrt(found.squared[:, 0]) == pytest.approx(distances[:, 0], rel=1e-7, abs=1e-9)
    assert np.array_equal(found.who[:, 0], rows[:, 0])
    distances, rows = tree.kneighbors(None, 1)  # of the points themselves: without a point itself
    others = nearest(clouds(points)[0], 1, block, "test")
    assert np.sqrt(others.squared[:, 0]) == pytest.approx(distances[:, 0], rel=1e-7, abs=1e-9)
    assert np.array_equal(others.who[:, 0], rows[:, 0])


def test_the_metric_and_its_mistakes() -> None:
    training, fake = draws(8, 50), draws(9, 20)
    found = copying(fake, training, 0.1)
    values = Memorisation(quantile=0.1).compute(FeatureBank(fake), FeatureBank(training))
    assert values == {"authenticity": found.authenticity, "memorised": found.memorised}
    with pytest.raises(MetricError, match="at least 2 of them, got 1"):
        copying(fake, training[:1])
    with pytest.raises(MetricError, match="at least 1 samples are needed in each set, got 0"):
        copying(fake[:0], training)
    with pytest.raises(MetricError, match=r"between 0 and 1, got 1\.5"):
        copying(fake, training, 1.5)
