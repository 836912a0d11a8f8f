"""A biased value extrapolated to infinitely many samples: a line through the values of subsets over 1 / N, read off at 0.

Chong & Forsyth, Effectively unbiased FID and Inception Score and where to find them, CVPR 2020, arXiv 1911.07023: the bias of
both scores is very nearly proportional to 1 / N. As in the authors' code, subsets of 15 sizes, equally spaced from N / 10 to N,
are each drawn anew without replacement. Their other proposal, quasi-random (Sobol) latents, belongs to sampling and is not used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from ganeval.errors import MetricError
from ganeval.features import Int64


class Extrapolated(NamedTuple):
    """``limit`` at infinitely many samples; ``fit_error`` its standard error from the residuals; ``slope`` the bias times N."""

    limit: float
    fit_error: float
    slope: float


def extrapolate(value_of: Callable[[Int64], float], count: int, points: int, seed: int) -> Extrapolated:
    """The least-squares line over 1 / n through ``value_of(indices)`` for ``points`` random subsets of sizes n up to ``count``.

    ``fit_error`` tells how far other subsets of the same samples would move the limit, not how far other samples would.
    Raises :class:`MetricError` where there are too few samples for as many sizes.
    """
    if points < 3:
        raise MetricError(f"a line needs at least 3 points to have an error, got {points}")
    if count < fewest(points):
        raise MetricError(f"an extrapolation over {points} points needs at least {fewest(points)} samples, got {count}")
    stream = np.random.RandomState(seed)
    sizes = [int(size) for size in np.linspace(count // 10, count, points)]
    values = [value_of(stream.permutation(count)[:size]) for size in sizes]
    return fit_line([1 / size for size in sizes], values)


def fewest(points: int) -> int:
    """The number of samples from which all sizes differ and the smallest subset has two samples."""
    return max(20, 2 * points)


def fit_line(x: Sequence[float], y: Sequence[float]) -> Extrapolated:
    """The line through ``y`` over ``x`` by least squares, read off at x = 0."""
    design = np.stack([np.ones(len(x)), np.asarray(x, dtype=np.float64)], axis=1)
    target = np.asarray(y, dtype=np.float64)
    (limit, slope), *_ = np.linalg.lstsq(design, target, rcond=None)
    residuals = target - design @ np.array([limit, slope])
    variance = residuals @ residuals / (len(x) - 2)
    fit_error = np.sqrt(variance * np.linalg.inv(design.T @ design)[0, 0])
    return Extrapolated(float(limit), float(fit_error), float(slope))
