"""IS-infinity: the Inception Score of one split extrapolated to infinitely many samples.

Chong & Forsyth, CVPR 2020, arXiv 1911.07023.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from ganeval.features import FeatureBank, Float64, Int64
from ganeval.metrics.base import METRICS, Metric, Need, Replicates, Value
from ganeval.metrics.checks import check_finite
from ganeval.metrics.extrapolation import Extrapolated, extrapolate, fewest
from ganeval.metrics.inception_score import score_of_split
from ganeval.metrics.order import own_order


def inception_score_infinity(log_probabilities: Float64, points: int = 15, seed: int = 2020) -> Extrapolated:
    """The score of ``log_probabilities`` (N, K), natural logarithm, in the limit of large N, with the error of the fit."""
    check_finite(log_probabilities, "log-probabilities")
    samples = log_probabilities[own_order(log_probabilities)]
    return extrapolate(lambda chosen: score_of_split(samples[chosen]), len(samples), points, seed)


@dataclass(frozen=True)
class InceptionScoreInfinity(Metric):
    """IS-inf from ``points`` subsets drawn with ``seed``."""

    points: int = 15
    seed: int = 2020

    name: ClassVar[str] = "inception_score_infinity"
    values: ClassVar[tuple[Value, ...]] = (Value("is_inf", "IS-inf", "IS-inf", "higher", "classes"),)
    needs: ClassVar[frozenset[Need]] = frozenset({"logits"})

    @property
    def minimum(self) -> int:
        return fewest(self.points)

    def compute(self, fake: FeatureBank, reference: FeatureBank | None) -> Mapping[str, float]:
        """``is_inf``. Raises :class:`MetricError` without logits or for too few samples."""
        return {"is_inf": inception_score_infinity(fake.log_probabilities, self.points, self.seed).limit}

    def replicate(self, fake: FeatureBank, reference: FeatureBank | None, group: Int64) -> Replicates:
        """The jackknife is that of one split: other samples move every point of the line, and so its limit, alike."""
        fit = inception_score_infinity(fake.log_probabilities, self.points, self.seed)
        without = tuple({"is_inf": score_of_split(fake.log_probabilities[group != g])} for g in range(int(group.max()) + 1))
        return Replicates({"is_inf": fit.limit}, without, {"is_inf": fit.fit_error})


METRICS.add(InceptionScoreInfinity.name, InceptionScoreInfinity())
