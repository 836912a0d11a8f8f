"""Precision and recall, density and coverage: two sets compared through balls around their samples.

The ball of a sample reaches to its k-th nearest neighbour in its own set. Improved precision and recall: Kynkäänniemi et al.,
NeurIPS 2019, arXiv 1904.06991. Density and coverage: Naeem et al., ICML 2020, arXiv 2002.09797. ``precision``, ``density`` and
``coverage`` use the balls of the real samples, ``recall`` those of the generated ones.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple, get_args

import numpy as np
import torch
from torch import Tensor

from ganeval.errors import MetricError
from ganeval.features import FeatureBank, Float64, Int64
from ganeval.metrics.base import METRICS, Metric, Need, Replicates, Value
from ganeval.metrics.checks import Array, check_pair, given

# Whether a sample exactly on the rim of a ball lies inside: "less" as in prdc and StudioGAN, "less_equal" as in torch-fidelity.
Comparison = Literal["less", "less_equal"]

# Squared distances in float64 that differ by less than this part of the squared norms involved count as equal. It is above the
# rounding of a matrix product (20 eps measured, D up to 8192) and below what float32 features tell apart: duplicates are ties.
ROUNDING = 1e-13


class PRDC(NamedTuple):
    """Fractions in [0, 1]; ``density`` is at least 0, about 1 for equal distributions, and may exceed 1."""

    precision: float
    recall: float
    density: float
    coverage: float


class Cloud(NamedTuple):
    """``points`` (N, D), to be taken relative to ``centre`` (D,): far from the origin the products below would cancel."""

    points: Array
    centre: Float64

    def slices(self, block: int, start: int = 0) -> Iterator[slice]:
        return (slice(first, min(first + block, len(self.points))) for first in range(start, len(self.points), block))

    def at(self, rows: slice) -> Tensor:
        """The centred points of ``rows``, float64."""
        return torch.from_numpy(self.points[rows] - self.centre)


def prdc(real: Array, fake: Array, k: int = 5, comparison: Comparison = "less", block: int = 2048) -> PRDC:
    """The four values of ``fake`` (M, D) against ``real`` (N, D), balls reaching to the ``k``-th neighbour, self excluded.

    Squared distances are float64, taken ``block`` x ``block`` at a time: memory is O(block^2 + block D + N + M) beside the
    features, and the values do not depend on ``block``. Raises :class:`MetricError` where a set has no more than ``k`` samples.
    """
    if k < 1:
        raise MetricError(f"k counts neighbours and must be at least 1, got {k}")
    if comparison not in get_args(Comparison):
        raise MetricError(f"unknown comparison '{comparison}': known are {', '.join(get_args(Comparison))}")
    check_pair(real, fake, minimum=k + 1)
    centre = real.mean(axis=0, dtype=np.float64)
    reals, fakes = Cloud(real, centre), Cloud(fake, centre)
    real_reach, fake_reach = (_reach(cloud, k, comparison, block) for cloud in (reals, fakes))
    near_real, near_fake, occupied = (torch.zeros(n, dtype=torch.bool) for n in (len(fake), len(real), len(real)))
    memberships = 0
    for rows in reals.slices(block):
        for columns in fakes.slices(block):
            distances = _squared_distances(reals.at(rows), fakes.at(columns))
            in_real_ball = distances < real_reach[rows, None]
            memberships += int(in_real_ball.sum())
            near_real[columns] |= in_real_ball.any(dim=0)
            occupied[rows] |= in_real_ball.any(dim=1)
            near_fake[rows] |= (distances < fake_reach[columns]).any(dim=1)
    return PRDC(
        precision=int(near_real.sum()) / len(fake),
        recall=int(near_fake.sum()) / len(real),
        density=memberships / (k * len(fake)),
        coverage=int(occupied.sum()) / len(real),
    )


def _reach(cloud: Cloud, k: int, comparison: Comparison, block: int) -> Tensor:
    """(N,) the value below which a squared distance is inside each ball; half of the symmetric distances are computed."""
    count = len(cloud.points)
    nearest = torch.full((count, k), torch.inf, dtype=torch.float64)
    norms = torch.empty(count, dtype=torch.float64)
    for rows in cloud.slices(block):
        x = cloud.at(rows)
        norms[rows] = x.square().sum(dim=1)
        within = _squared_distances(x, x).fill_diagonal_(torch.inf)  # a sample is not its own neighbour
        nearest[rows] = _smallest(nearest[rows], within)
        for columns in cloud.slices(block, start=rows.stop):
            across = _squared_distances(x, cloud.at(columns))
            nearest[rows] = _smallest(nearest[rows], across)
            nearest[columns] = _smallest(nearest[columns], across.T)
    radius = nearest[:, -1]
    rim = ROUNDING * (norms + radius)
    return radius - rim if comparison == "less" else radius + rim


def _squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """(n, m) float64; rounding may leave the distance of duplicates slightly below zero."""
    norms = x.square().sum(dim=1, keepdim=True) + y.square().sum(dim=1)
    return torch.addmm(norms, x, y.T, alpha=-2)


def _smallest(nearest: Tensor, distances: Tensor) -> Tensor:
    """The k smallest, ascending, of each row of ``nearest`` (n, k) and ``distances`` (n, m) together."""
    k = nearest.shape[1]
    found = distances.topk(min(k, distances.shape[1]), dim=1, largest=False).values
    return torch.cat([nearest, found], dim=1).topk(k, dim=1, largest=False).values


@dataclass(frozen=True)
class PrecisionRecallDensityCoverage(Metric):
    """Precision, recall, density and coverage with ``k`` neighbours; ``comparison`` says whether the rim belongs to a ball."""

    k: int = 5
    comparison: Comparison = "less"

    name: ClassVar[str] = "prdc"
    values: ClassVar[tuple[Value, ...]] = (
        Value("precision", "Precision", "Precision", "higher", "fraction", (0, 1), proportion=True),
        Value("recall", "Recall", "Recall", "higher", "fraction", (0, 1)),
        Value("density", "Density", "Density", "higher", "fraction", (0, math.inf)),
        Value("coverage", "Coverage", "Coverage", "higher", "fraction", (0, 1)),
    )
    needs: ClassVar[frozenset[Need]] = frozenset({"reference"})

    @property
    def minimum(self) -> int:
        return self.k + 1

    def compute(self, fake: FeatureBank, reference: FeatureBank | None) -> Mapping[str, float]:
        """The four values. Raises :class:`MetricError` where either set has no more than ``k`` samples."""
        return prdc(given(reference).features, fake.features, self.k, self.comparison)._asdict()

    def replicate(self, fake: FeatureBank, reference: FeatureBank | None, group: Int64) -> Replicates:
        """One more pass over the distances for all groups together."""
        from ganeval.metrics.prdc_without import prdc_without

        values, real = self.compute(fake, reference), given(reference).features
        try:
            without = prdc_without(real, fake.features, group, self.k, self.comparison)
        except MetricError:
            return Replicates(values)
        return Replicates(values, tuple(found._asdict() for found in without))


METRICS.add(PrecisionRecallDensityCoverage.name, PrecisionRecallDensityCoverage())
