"""AM Score: like the Inception Score, with a classifier of the data set itself and its predictions on real data as the goal.

    AM = E_x H(p(y|x)) + KL(mean p on the reference || mean p on the samples)

Zhou et al., ICLR 2018, arXiv 1703.02000. In nats, at least 0, lower is better. A collapsed generator pays in the
divergence, an unsure classifier in the entropy; the Inception Score cannot tell the two. Comparable only under one classifier.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from ganeval.errors import MetricError
from ganeval.features import FeatureBank, Float64
from ganeval.metrics.base import METRICS, Metric, Need, Value
from ganeval.metrics.checks import check_finite, given
from ganeval.metrics.memory import kept


class AMTerms(NamedTuple):
    """``entropy`` E H(p) and ``divergence`` KL(reference || generated), both in nats and at least 0."""

    entropy: float
    divergence: float


def mean_prediction(log_probabilities: Float64) -> Float64:
    """(K,) the mean of the probabilities, from (N, K) natural logarithms. Raises :class:`MetricError` where there are none."""
    check_finite(log_probabilities, "log-probabilities")
    if len(log_probabilities) == 0:
        raise MetricError("at least 1 sample is needed in each set, got 0")
    mean: Float64 = np.exp(log_probabilities).mean(axis=0)
    return mean


def am_score(fake: Float64, reference: Float64, floor: float = 1e-18) -> AMTerms:
    """The two terms from log-probabilities ``fake`` (N, K) and ``reference`` (M, K), natural logarithm.

    A class that the samples never show would make the divergence infinite. ``floor`` bounds the generated mean from below,
    and so caps the cost of a missing class at ``q log(q / floor)`` for its share q of the reference: 41.4 q nats at 1e-18,
    the value in the authors' code. Raises :class:`MetricError` where the sets are empty or the classes differ.
    """
    return _terms(fake, mean_prediction(reference), floor)


def _terms(fake: Float64, real: Float64, floor: float) -> AMTerms:
    """The same, of the reference its mean prediction ``real`` (K,)."""
    check_finite(fake, "log-probabilities")
    if fake.shape[1] != len(real):
        raise MetricError(f"predictions over {fake.shape[1]} and over {len(real)} classes cannot be compared")
    if len(fake) == 0:
        raise MetricError("at least 1 sample is needed in each set, got 0")
    probabilities = np.exp(fake)
    entropy = 0.0 - (probabilities * fake).sum(axis=1).mean()  # not -x, which is -0 for sure predictions
    generated = np.maximum(probabilities.mean(axis=0), floor)
    shown = real > 0  # p log p vanishes with p
    divergence = (real[shown] * np.log(real[shown] / generated[shown])).sum()
    return AMTerms(float(entropy), max(float(divergence), 0.0))  # equal means may give -1e-17


@dataclass(frozen=True)
class AMScore(Metric):
    """AM and its two terms; ``floor`` is the cap on a missing class (see :func:`am_score`)."""

    floor: float = 1e-18

    name: ClassVar[str] = "am_score"
    values: ClassVar[tuple[Value, ...]] = (
        Value("am", "AM", "AM", "lower", "nats", (0, math.inf)),
        Value("am_entropy", "AM entropy", "AM entropy", "lower", "nats", (0, math.inf)),
        Value("am_kl", "AM KL", "AM KL", "lower", "nats", (0, math.inf)),
    )
    needs: ClassVar[frozenset[Need]] = frozenset({"reference", "logits"})
    classes_matter: ClassVar[bool] = True

    @property
    def minimum(self) -> int:
        return 1

    def compute(self, fake: FeatureBank, reference: FeatureBank | None) -> Mapping[str, float]:
        """``am``, ``am_entropy``, ``am_kl``. Raises :class:`MetricError` without logits on both sides."""
        real = given(reference)
        known = kept(real, "mean_prediction", lambda: {"mean": mean_prediction(real.log_probabilities)})
        terms = _terms(fake.log_probabilities, known["mean"], self.floor)
        return {"am": terms.entropy + terms.divergence, "am_entropy": terms.entropy, "am_kl": terms.divergence}


METRICS.add(AMScore.name, AMScore())
