"""The distance of few samples by small matrices: the same as from covariances, whichever set is the small one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ganeval.errors import MetricError
from ganeval.features import Moments, moments_of
from ganeval.metrics import low_rank
from ganeval.metrics.frechet import frechet_distance
from ganeval.metrics.low_rank import distance_of_samples, distance_to_moments


def features(seed: int, count: int, dimensions: int = 40, shift: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    mixing = rng.standard_normal((dimensions, dimensions)) * np.linspace(0.02, 2, dimensions)
    return (np.abs(rng.standard_normal((count, dimensions)) @ mixing) + shift).astype(np.float32)


@pytest.mark.parametrize("count", [2, 3, 20, 39, 40, 41, 300])
@pytest.mark.parametrize("reference", [500, 40, 25])
def test_agrees_with_the_plain_computation(count: int, reference: int) -> None:
    x, y = features(1, count, shift=0.5), features(2, reference)
    plain = frechet_distance(moments_of(x), moments_of(y))
    assert distance_to_moments(x, moments_of(y)) == pytest.approx(plain, rel=1e-9)
    assert distance_of_samples(x, y) == pytest.approx(plain, rel=1e-9)
    assert distance_of_samples(y, x) == pytest.approx(plain, rel=1e-9)


def test_few_samples_need_no_covariance_and_no_eigenproblem_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = features(3, 12), features(4, 200)
    moments, sizes = moments_of(y), []
    solve = torch.linalg.eigvalsh

    def watch(matrix: torch.Tensor) -> torch.Tensor:
        sizes.append(tuple(matrix.shape))
        return solve(matrix)

    monkeypatch.setattr(torch.linalg, "eigvalsh", watch)
    monkeypatch.setattr(low_rank, "frechet_distance", None)
    assert distance_to_moments(x, moments) > 0
    assert sizes == [(12, 12)]


def test_samples_in_a_line_and_copies_of_one() -> None:
    # Variances (v, 0) against (w, 1): only the first direction has a root.
    x = np.array([[-1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])  # variance 2 by n - 1
    moments = Moments(np.array([0.0, 3.0, 0.0]), np.diag([8.0, 1.0, 1.0]), 100)
    assert distance_to_moments(x, moments) == pytest.approx(9 + (2**0.5 - 8**0.5) ** 2 + 2, rel=1e-12)
    same = np.ones((3, 3))
    assert distance_to_moments(same, moments) == pytest.approx(1 + 4 + 1 + 10, rel=1e-12)


def test_mistakes_are_told() -> None:
    moments = moments_of(features(5, 60))
    with pytest.raises(MetricError, match="at least 2 samples, got 1"):
        distance_to_moments(features(6, 1), moments)
    with pytest.raises(MetricError, match="39 and 40 feature dimensions"):
        distance_to_moments(features(6, 5)[:, 1:], moments)
    with pytest.raises(MetricError, match="features of sample 0 are not finite"):
        distance_to_moments(np.full((3, 40), np.nan), moments)
    with pytest.raises(MetricError, match="at least 2 samples"):
        distance_of_samples(features(6, 1), features(6, 90))
