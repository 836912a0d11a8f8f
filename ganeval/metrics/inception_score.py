"""Inception Score: how sure a classifier is of each sample, and how evenly the samples spread over its classes.

    IS = exp E_x KL(p(y|x) || p(y)) = exp(H(mean p) - mean H(p))

Salimans et al., NIPS 2016, arXiv 1606.03498. Between 1 and the number of classes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from ganeval.canonical import later
from ganeval.errors import MetricError
from ganeval.features import FeatureBank, Float64, Int64
from ganeval.metrics.base import METRICS, Metric, Need, Replicates, Value
from ganeval.metrics.checks import check_finite


class InceptionScores(NamedTuple):
    """``mean`` over the splits and their standard deviation ``std`` (ddof 0)."""

    mean: float
    std: float


def inception_score(log_probabilities: Float64, splits: int = 10, seed: int = 2020, shuffle: bool = True) -> InceptionScores:
    """The score of ``log_probabilities`` (N, K), natural logarithm, over ``splits`` parts of the shuffled samples.

    The shuffle and the bounds floor(i N / splits) are torch-fidelity's: samples sorted by class would otherwise give
    splits of few classes. ``shuffle=False`` takes the samples in their order.
    Raises :class:`MetricError` where there are fewer samples than splits.
    """
    check_finite(log_probabilities, "log-probabilities")
    parts = split_indices(len(log_probabilities), splits, seed, shuffle)
    scores = [score_of_split(log_probabilities[part]) for part in parts]
    return InceptionScores(float(np.mean(scores)), float(np.std(scores)))


def split_indices(count: int, splits: int, seed: int, shuffle: bool) -> list[Int64]:
    """Which samples each split has. Raises :class:`MetricError` where there are fewer samples than splits."""
    if not 1 <= splits <= count:
        raise MetricError(f"{count} samples cannot be cut into {splits} splits: splits must lie between 1 and {count}")
    order = np.random.RandomState(seed).permutation(count) if shuffle else np.arange(count)
    return [order[i * count // splits : (i + 1) * count // splits] for i in range(splits)]


def score_of_split(log_probabilities: Float64) -> float:
    """exp(H(mean p) - mean H(p)) of one split (n, K), n >= 1."""
    probabilities = np.exp(log_probabilities)
    marginal = probabilities.mean(axis=0)
    present = marginal[marginal > 0]  # p log p vanishes with p
    information = (probabilities * log_probabilities).sum(axis=1).mean() - (present * np.log(present)).sum()
    return float(np.exp(information))


@dataclass(frozen=True)
class InceptionScore(Metric):
    """IS: the mean over ``splits`` splits of the samples, shuffled with ``seed`` unless ``shuffle`` is off."""

    splits: int = 10
    seed: int = 2020
    shuffle: bool = later(True)

    name: ClassVar[str] = "inception_score"
    values: ClassVar[tuple[Value, ...]] = (Value("is", "IS", "IS", "higher", "classes", (1, math.inf)),)
    needs: ClassVar[frozenset[Need]] = frozenset({"logits"})

    @property
    def minimum(self) -> int:
        return self.splits

    def compute(self, fake: FeatureBank, reference: FeatureBank | None) -> Mapping[str, float]:
        """``is``. Raises :class:`MetricError` without logits or with fewer samples than splits."""
        return {"is": inception_score(fake.log_probabilities, self.splits, self.seed, self.shuffle).mean}

    def replicate(self, fake: FeatureBank, reference: FeatureBank | None, group: Int64) -> Replicates:
        """Every sample stays in its split while others are left out: splits cut anew would pass for a spread of the samples.

        Where there are at least as many shuffled splits as groups, each split is left out in turn in place of a group: splits
        are independent sets of samples, so the error is the plain one of the mean over them.
        """
        values, groups = self.compute(fake, reference), int(group.max()) + 1
        parts, predicted = split_indices(len(fake), self.splits, self.seed, self.shuffle), fake.log_probabilities
        if self.shuffle and self.splits >= max(groups, 2):
            scores = np.array([score_of_split(predicted[part]) for part in parts])
            return Replicates(values, tuple({"is": float(np.delete(scores, i).mean())} for i in range(self.splits)))
        left = [[part[group[part] != g] for part in parts] for g in range(groups)]
        if not all(len(part) for each in left for part in each):
            return Replicates(values)
        means = [np.mean([score_of_split(predicted[part]) for part in each]) for each in left]
        return Replicates(values, tuple({"is": float(mean)} for mean in means))


METRICS.add(InceptionScore.name, InceptionScore())
