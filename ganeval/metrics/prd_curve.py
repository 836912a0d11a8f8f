"""F_8 and F_1/8 of the precision-recall curve of two distributions (PRD), not of the nearest-neighbour precision and recall.

Sajjadi et al., Assessing generative models via precision and recall, NeurIPS 2018, arXiv 1806.00035. Both sets are cut into
clusters together; with P and Q the shares of the reference's and of the generated samples in each, a slope l gives the point

    precision(l) = sum min(l P, Q),    recall(l) = precision(l) / l

of the curve. F_beta = (1 + beta^2) precision recall / (beta^2 precision + recall), its maximum over the curve: F_8 weighs
recall, F_1/8 precision. PyTorch-StudioGAN's tables up to v0.3 (ReACGAN's paper among them) carry these columns.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import MiniBatchKMeans
from sklearn.exceptions import ConvergenceWarning

from ganeval.errors import MetricError
from ganeval.features import FeatureBank, Float64, Int64
from ganeval.metrics.base import METRICS, Metric, Need, Replicates, Value
from ganeval.metrics.checks import Array, check_pair, given
from ganeval.metrics.order import own_order

BETA = 8.0


class Curve(NamedTuple):
    """``precision`` and ``recall`` (A,), in [0, 1], over slopes from near 0 to near infinity: recall falls, precision rises."""

    precision: Float64
    recall: Float64


class Clustering(NamedTuple):
    """``reference`` (K,) the counts of the reference's samples in each cluster; ``fake`` (N,) the cluster of each generated one
    in its own place, -1 where it was left out to make the sets equal.
    """

    reference: Int64
    fake: Int64


def prd_curve(fake: Float64, reference: Float64, angles: int = 1001) -> Curve:
    """The curve of two histograms (K,) over the same clusters, at ``angles`` slopes tan(a), a equally spaced in (0, pi / 2)."""
    slopes = np.tan(np.linspace(1e-10, np.pi / 2 - 1e-10, angles))[:, None]
    precision = np.minimum(slopes * (reference / reference.sum()), fake / fake.sum()).sum(axis=1)
    return Curve(np.clip(precision, 0, 1), np.clip(precision / slopes[:, 0], 0, 1))


def best_f(curve: Curve, beta: float) -> float:
    """The largest F_beta on the curve, in [0, 1]."""
    over = (1 + beta**2) * curve.precision * curve.recall
    under = beta**2 * curve.precision + curve.recall
    return float(np.max(over / np.where(under > 0, under, 1)))


def cluster(fake: Array, reference: Array, clusters: int = 20, runs: int = 10, seed: int = 2020) -> list[Clustering]:
    """``runs`` clusterings of the union of ``fake`` (N, D) and ``reference`` (M, D), each with a seed of its own.

    As in the authors' code: mini-batch k-means, the best of 10 initialisations, on sets of equal size. Where one is larger, each
    run draws as many of it as the other has. Raises :class:`MetricError` where the smaller set has fewer samples than clusters.
    """
    check_pair(fake, reference, minimum=clusters)
    size = min(len(fake), len(reference))
    order, real_order = own_order(fake), own_order(reference)
    found = []
    for run in range(runs):
        stream = np.random.RandomState(seed + run)
        chosen, real = stream.permutation(order)[:size], stream.permutation(real_order)[:size]
        kmeans = MiniBatchKMeans(clusters, n_init=10, random_state=stream)
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", ConvergenceWarning
            )  # fewer distinct samples than clusters: the rest of them stay empty
            labels = kmeans.fit(np.concatenate([fake[chosen], reference[real]])).labels_
        places = np.full(len(fake), -1, dtype=np.int64)
        places[chosen] = labels[:size]
        found.append(Clustering(np.bincount(labels[size:], minlength=clusters), places))
    return found


@dataclass(frozen=True)
class PRDCurve(Metric):
    """F_8 and F_1/8 of the mean curve of ``runs`` clusterings into ``clusters``."""

    clusters: int = 20
    runs: int = 10
    angles: int = 1001
    seed: int = 2020

    name: ClassVar[str] = "prd_curve"
    values: ClassVar[tuple[Value, ...]] = (
        Value("f8", "F8", "F8", "higher", "fraction", (0, 1)),
        Value("f1_8", "F1/8", "F1/8", "higher", "fraction", (0, 1)),
    )
    needs: ClassVar[frozenset[Need]] = frozenset({"reference"})
    minimum_of_both: ClassVar[bool] = True

    @property
    def minimum(self) -> int:
        return self.clusters

    def compute(self, fake: FeatureBank, reference: FeatureBank | None) -> Mapping[str, float]:
        """``f8`` and ``f1_8``. Raises :class:`MetricError` where a set has fewer samples than there are clusters."""
        found = cluster(fake.features, given(reference).features, self.clusters, self.runs, self.seed)
        return self._values(self._curves(found, np.ones(len(fake), dtype=bool)))

    def replicate(self, fake: FeatureBank, reference: FeatureBank | None, group: Int64) -> Replicates:
        """The clusters stay as they are without a group; their own error is the spread of the runs, over the root of the runs."""
        found = cluster(fake.features, given(reference).features, self.clusters, self.runs, self.seed)
        curves = self._curves(found, np.ones(len(fake), dtype=bool))
        each = [self._values([curve]) for curve in curves]
        without = tuple(self._values(self._curves(found, group != g)) for g in range(int(group.max()) + 1))
        spread = {key: float(np.std([values[key] for values in each], ddof=1) / np.sqrt(self.runs)) for key in each[0]}
        return Replicates(self._values(curves), without, spread if self.runs > 1 else {})

    def _curves(self, found: list[Clustering], kept: NDArray[np.bool_]) -> list[Curve]:
        """One curve per clustering, of the generated samples that are ``kept`` (N,)."""
        curves = []
        for clustering in found:
            counts = np.bincount(clustering.fake[kept & (clustering.fake >= 0)], minlength=self.clusters)
            if not counts.any():
                raise MetricError("no generated sample is left to compare")
            curves.append(prd_curve(counts.astype(np.float64), clustering.reference.astype(np.float64), self.angles))
        return curves

    @staticmethod
    def _values(curves: list[Curve]) -> dict[str, float]:
        """Both maxima on the mean curve, as the authors average."""
        mean = Curve(*(np.mean(parts, axis=0) for parts in zip(*curves, strict=True)))
        return {"f8": best_f(mean, BETA), "f1_8": best_f(mean, 1 / BETA)}


METRICS.add(PRDCurve.name, PRDCurve())
