"""How far a score may move with other samples of the same generator: the delete-a-group jackknife.

Efron & Stein, The jackknife estimate of variance, Annals of Statistics 9, 1981; for deleted groups Shao & Wu, A general theory
for jackknife variance estimation, Annals of Statistics 17, 1989. Not the bootstrap: drawing with replacement repeats samples,
and a repeated sample is its own nearest neighbour, so the balls of precision, recall, density and coverage shrink to nothing.
"""

from __future__ import annotations

import numpy as np

from ganeval.errors import MetricError
from ganeval.features import FeatureBank
from ganeval.metrics.base import Metric

# Fixes which samples form a group, so that a score's error is as reproducible as the score.
SEED = 2020


def jackknife(metric: Metric, fake: FeatureBank, reference: FeatureBank | None, groups: int = 10) -> dict[str, float]:
    """The standard error of each value of ``metric`` over the generated samples, in the value's unit.

    With theta_g the value without group g of G, se^2 = (G - 1) / G * sum (theta_g - mean theta)^2. The reference is held fixed.
    Groups are random, of sizes that differ by at most one, and always the same for the same number of samples. A key is absent
    where its error cannot be had: where fewer samples than groups exist, or the metric fails or lacks the key without a group.
    """
    if groups < 2:
        raise ValueError(f"a jackknife needs at least 2 groups, got {groups}")
    if len(fake) < groups:
        return {}
    group = np.random.RandomState(SEED).permutation(len(fake)) % groups
    try:
        values = metric.without_groups(fake, reference, group)
    except MetricError:
        return {}
    keys = [key for key in values[0] if all(key in value for value in values)]
    return {key: _standard_error([value[key] for value in values]) for key in keys}


def _standard_error(thetas: list[float]) -> float:
    deviations = np.asarray(thetas, dtype=np.float64) - np.mean(thetas)
    return float(np.sqrt((len(thetas) - 1) / len(thetas) * np.square(deviations).sum()))
