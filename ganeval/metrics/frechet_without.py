"""The Fréchet distance without each group of the generated samples in turn, from one pass over their features.

For the jackknife: the covariance of all but one group is the sum of the others', so each sample is multiplied out once.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ganeval.errors import MetricError
from ganeval.features import FeatureBank, Int64, Moments
from ganeval.metrics.checks import Array
from ganeval.metrics.frechet import frechet_distance
from ganeval.metrics.low_rank import distance_of_samples, distance_to_moments


def distances_without(fake: FeatureBank, reference: FeatureBank, group: Int64) -> tuple[float, ...]:
    """The squared distance to ``reference`` without each group 0 .. G - 1; ``group`` (N,) of the samples in ``fake``.

    Sets of no more samples than dimensions take the forms that need no covariance. Raises :class:`MetricError` where a
    group's absence leaves fewer than 2 samples.
    """
    groups, dimensions = int(group.max()) + 1, fake.features.shape[1]
    left = len(fake) - np.bincount(group, minlength=groups)
    if left.min() > dimensions:
        return tuple(frechet_distance(reference.moments, moments) for moments in moments_without(fake.features, group))
    rests = (fake.features[group != g] for g in range(groups))
    if len(reference) <= dimensions:
        return tuple(distance_of_samples(rest, reference.features) for rest in rests)
    return tuple(distance_to_moments(rest, reference.moments) for rest in rests)


def moments_without(features: Array, group: Int64) -> Iterator[Moments]:
    """The moments of ``features`` (N, D) without each group; a D x D matrix per group is held, float64.

    All are taken about the common mean c: the rest then has the sum -s_g, its mean is c - s_g / n, and its scatter about that
    is the total less the group's and less n times the square of the shift.
    """
    centre = features.mean(axis=0, dtype=np.float64)
    sums, scatters, counts = [], [], []
    for g in range(int(group.max()) + 1):
        part = features[group == g] - centre
        sums.append(part.sum(axis=0))
        scatters.append(part.T @ part)
        counts.append(len(part))
    total = np.sum(scatters, axis=0)
    for own, scatter, count in zip(sums, scatters, counts, strict=True):
        rest = len(features) - count
        if rest < 2:
            raise MetricError(f"moments need at least 2 samples, got {rest}")
        shift = own / rest
        yield Moments(centre - shift, (total - scatter - rest * np.outer(shift, shift)) / (rest - 1), rest)
