"""The Fréchet distance of samples to the moments of another set, without their own D x D covariance where they are few.

With the centred samples A = (X - m) / sqrt(n - 1) as the factor of their covariance, the trace of the root of the product with
S is the sum of the roots of the eigenvalues of A S A', an n x n matrix.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from ganeval.errors import MetricError
from ganeval.features import Moments, moments_of
from ganeval.metrics.checks import Array, check_finite, check_pair
from ganeval.metrics.frechet import NEGLIGIBLE, _distance, _solver_failures, frechet_distance, frechet_distance_of_samples


def distance_to_moments(x: Array, moments: Moments) -> float:
    """The squared distance of the Gaussian fitted to ``x`` (N, D) and the one of ``moments``.

    Equal to ``frechet_distance`` to rounding. Raises :class:`MetricError` as that does.
    """
    check_finite(x, "features")
    if x.shape[1] != len(moments.mean):
        raise MetricError(
            f"{x.shape[1]} and {len(moments.mean)} feature dimensions cannot be compared: use one extractor for both"
        )
    if not 2 <= len(x) <= x.shape[1]:
        return frechet_distance(moments, moments_of(x))
    mean = x.mean(axis=0, dtype=np.float64)
    factor = torch.from_numpy((x - mean) / np.sqrt(len(x) - 1))
    with _solver_failures():
        eigenvalues = torch.linalg.eigvalsh(factor @ torch.from_numpy(moments.cov) @ factor.T)
    kept = eigenvalues[eigenvalues > NEGLIGIBLE * float(eigenvalues[-1])]
    shift = mean - moments.mean
    spread = float(factor.square().sum() + np.trace(moments.cov))
    return _distance(float(shift @ shift), spread, float(kept.sqrt().sum()))


def distance_of_samples(x: Array, y: Array, moments_of_y: Callable[[], Moments] | None = None) -> float:
    """The squared distance of the Gaussians fitted to ``x`` (N, D) and ``y`` (M, D), by the smallest matrices there are.

    ``moments_of_y`` is asked only where y has more samples than dimensions, and may know them from before. Raises
    :class:`MetricError` where a set has fewer than 2 samples, is not finite, or the dimensions differ.
    """
    check_pair(x, y, minimum=2)
    of_y = moments_of_y or (lambda: moments_of(y))
    many_x, many_y = (len(each) > x.shape[1] for each in (x, y))
    if many_x and many_y:
        return frechet_distance(moments_of(x), of_y())
    if many_x or many_y:
        return distance_to_moments(x, of_y()) if many_y else distance_to_moments(y, moments_of(x))
    return frechet_distance_of_samples(x, y)
