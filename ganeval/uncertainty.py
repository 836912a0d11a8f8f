"""How far a score may move with other samples of the same generator: standard errors and 95 % intervals.

Most values by the delete-a-group jackknife: Efron & Stein, The jackknife estimate of variance, Annals of Statistics 9, 1981;
for deleted groups Shao & Wu, A general theory for jackknife variance estimation, Annals of Statistics 17, 1989. Not the
bootstrap: drawing with replacement repeats samples, and a repeated sample is its own nearest neighbour, so the balls of
precision, recall, density and coverage shrink to nothing. Fractions of the generated samples are binomial: Wilson, Probable
inference, the law of succession, and statistical inference, JASA 22, 1927.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit
from scipy.stats import binomtest

from ganeval.errors import MetricError
from ganeval.features import FeatureBank, Int64
from ganeval.metrics.base import Metric, Replicates, Value
from ganeval.scorecard import Interval

# Fixes which samples form a group, so that a score's error is as reproducible as the score.
SEED = 2020

LEVEL = 0.95


@dataclass(frozen=True)
class Measured:
    """A value, its standard error, and the interval at the level 95 % for the value's mean over sets of generated samples.

    ``std_error`` and ``interval`` are ``None`` where they cannot be had: fewer samples than groups, or the metric fails or
    lacks the value without one of the groups. ``value`` is ``None`` only where there is none at all.
    """

    value: float | None
    std_error: float | None
    interval: Interval | None


def measure(metric: Metric, fake: FeatureBank, reference: FeatureBank | None, groups: int = 10) -> dict[str, Measured]:
    """Each value of ``metric`` with its uncertainty over the generated samples; the reference is held fixed.

    Fractions of the samples (``Value.proportion``) have Wilson's interval and the binomial standard error (sqrt p (1 - p) / N): a
    jackknife would find none in a fraction of 0 or 1. Everything else has the jackknife's standard error and Student's t
    with G - 1 degrees of freedom; where a metric draws at random or extrapolates by a fit, the error of that is added in
    quadrature. Raises :class:`MetricError` where the metric fails on all samples or a number is not finite.
    """
    kinds = {value.key: value for value in metric.values}
    if all(value.proportion for value in metric.values) or len(fake) < groups:
        replicates = Replicates(metric.compute(fake, reference))
    else:
        replicates = metric.replicate(fake, reference, groups_of(fake, groups))
    for key, value in replicates.values.items():
        _require_finite(key, value)
    errors = _jackknife_errors(replicates.without)
    return {key: _measured(value, kinds[key], replicates, errors, len(fake)) for key, value in replicates.values.items()}


def _measured(value: float, kind: Value, replicates: Replicates, errors: Mapping[str, float], count: int) -> Measured:
    if kind.proportion:
        return Measured(value, math.sqrt(value * (1 - value) / count), Interval(*_wilson(value, count), LEVEL, "wilson"))
    if kind.key not in errors:
        return Measured(value, None, None)
    own = replicates.own_errors.get(kind.key)
    error = errors[kind.key] if own is None else math.hypot(errors[kind.key], own)
    _require_finite(kind.key, error)
    half = _students(len(replicates.without) - 1) * error
    low, high = max(value - half, min(value, kind.bounds[0])), min(value + half, max(value, kind.bounds[1]))
    return Measured(value, error, Interval(low, high, LEVEL, "jackknife" if own is None else "jackknife and own draws"))


def of_trainings(accuracies: Sequence[float], images: int | None = None) -> Measured:
    """The mean of the ``accuracies`` of trainings that differ in their seed: Student's t over the trainings.

    Where the tested ``images`` are generated, so many of them, they are a sample too: their binomial error is added, in the
    interval Wilson's ends by squares (Zou & Donner, Statistics in Medicine 27, 2008). It counts the part by which trainings
    differ on single images twice, and is too wide rather than too narrow. Images that are held fixed have no error. A single
    training says nothing of the spread: neither error nor interval.
    """
    mean, trainings = float(np.mean(accuracies)), len(accuracies)
    if trainings < 2:
        return Measured(mean, None, None)
    error = float(np.std(accuracies, ddof=1)) / math.sqrt(trainings)
    half = _students(trainings - 1) * error
    low, high = _wilson(mean, images) if images else (mean, mean)
    if images:
        error = math.hypot(error, math.sqrt(mean * (1 - mean) / images))
    interval = Interval(
        max(mean - math.hypot(half, mean - low), 0.0), min(mean + math.hypot(half, high - mean), 1.0), LEVEL,
        "trainings and images" if images else "trainings",
    )  # fmt: skip
    return Measured(mean, error, interval)


def _wilson(fraction: float, count: int) -> tuple[float, float]:
    """Wilson's interval for the ``fraction`` of ``count`` of which something is true."""
    found = binomtest(round(fraction * count), count).proportion_ci(LEVEL, method="wilson")
    return float(found.low), float(found.high)


def _students(freedom: int) -> float:
    """How many standard errors the interval reaches to either side, with so many degrees of freedom."""
    return float(stdtrit(freedom, 0.5 + LEVEL / 2))


def jackknife(metric: Metric, fake: FeatureBank, reference: FeatureBank | None, groups: int = 10) -> dict[str, float]:
    """The jackknife standard error of each value of ``metric`` over the generated samples, in the value's unit.

    With theta_g the value without group g of G, se^2 = (G - 1) / G * sum (theta_g - mean theta)^2. The reference is held fixed.
    Groups are those of :func:`groups_of`. A key is absent where its error cannot be had: where fewer samples than groups exist,
    or the metric fails or lacks the key without a group.
    """
    if groups < 2:
        raise ValueError(f"a jackknife needs at least 2 groups, got {groups}")
    if len(fake) < groups:
        return {}
    return _jackknife_errors(metric.replicate(fake, reference, groups_of(fake, groups)).without)


def groups_of(fake: FeatureBank, groups: int) -> Int64:
    """(N,) which of ``groups`` groups each sample belongs to: random ones, of sizes that differ by at most one.

    They are always the same for the same number of samples and the same labels. Where labels are balanced, the classes' shares
    do not vary from one set of samples to the next, and must not from group to group: each class is spread evenly over the
    groups, by the same draw (a stratified sample: Wolter, Introduction to Variance Estimation, 2007, chapter 4).
    """
    place: Int64 = np.random.RandomState(SEED).permutation(len(fake))
    if fake.labels is not None and _is_balanced(fake.labels):
        place[np.lexsort((place, fake.labels))] = np.arange(len(fake))
    return place % groups


def _is_balanced(labels: Int64) -> bool:
    """Whether there are classes, and as many samples of each, as far as their number allows."""
    counts = np.unique(labels, return_counts=True)[1]
    return len(counts) > 1 and bool(counts.max() - counts.min() <= 1)


def _jackknife_errors(without: Sequence[Mapping[str, float]]) -> dict[str, float]:
    keys = [key for key in without[0] if all(key in values for values in without)] if without else []
    return {key: _standard_error([values[key] for values in without]) for key in keys}


def _standard_error(thetas: list[float]) -> float:
    deviations = np.asarray(thetas, dtype=np.float64) - np.mean(thetas)
    return float(np.sqrt((len(thetas) - 1) / len(thetas) * np.square(deviations).sum()))


def _require_finite(key: str, number: float) -> None:
    if not math.isfinite(number):
        raise MetricError(f"{key} or its standard error came out as {number}")
