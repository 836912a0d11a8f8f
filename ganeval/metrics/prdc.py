"""Precision and recall, density and coverage: two sets compared through balls around their samples.

The ball of a sample reaches to its k-th nearest neighbour in its own set. Improved precision and recall: Kynkäänniemi et al.,
NeurIPS 2019, arXiv 1904.06991. Density and coverage: Naeem et al., ICML 2020, arXiv 2002.09797. ``precision``, ``density`` and
``coverage`` use the balls of the real samples, ``recall`` those of the generated ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from ganeval.canonical import later
from ganeval.errors import MetricError
from ganeval.features import FeatureBank, Int64
from ganeval.metrics.balls import Balls, Encounters, encounters, neighbours_for
from ganeval.metrics.base import METRICS, Metric, Need, Value
from ganeval.metrics.checks import Array, check_pair, given
from ganeval.metrics.distances import BLOCK, clouds
from ganeval.metrics.memory import remembered
from ganeval.metrics.neighbours import nearest, neighbours_of

# Whether a sample exactly on the rim of a ball lies inside: "less" as in prdc and StudioGAN, "less_equal" as in torch-fidelity.
Comparison = Literal["less", "less_equal"]

SPARE = 7
"""Neighbours of a generated sample beyond the k-th that are found at once, so that leaving out a tenth needs no second search."""


class PRDC(NamedTuple):
    """Fractions in [0, 1]; ``density`` is at least 0, about 1 for equal distributions, and may exceed 1."""

    precision: float
    recall: float
    density: float
    coverage: float


def prdc(real: Array, fake: Array, k: int = 5, comparison: Comparison = "less", block: int = BLOCK) -> PRDC:
    """The four values of ``fake`` (M, D) against ``real`` (N, D), balls reaching to the ``k``-th neighbour, self excluded.

    They are those of float64 distances; most are formed in less (:mod:`ganeval.metrics.distances`). Memory is O(block^2 + N + M)
    and two to four bytes per feature beside the features. The values do not depend on ``block``. Raises :class:`MetricError`
    where a set has no more than ``k`` samples.
    """
    _check(real, fake, k, comparison)
    reals, fakes = clouds(real, fake)
    found = [nearest(cloud, k, block, f"neighbours among {what}") for cloud, what in ((reals, "real"), (fakes, "generated"))]
    balls = [Balls(cloud, near, k, comparison == "less_equal") for cloud, near in zip((reals, fakes), found, strict=True)]
    one_group = np.zeros(len(fake), dtype=np.int64)
    return _values(encounters(balls[0], balls[1], one_group, leave_out=False, block=block), one_group, k, None)


def _check(real: Array, fake: Array, k: int, comparison: str) -> None:
    if k < 1:
        raise MetricError(f"k counts neighbours and must be at least 1, got {k}")
    if comparison not in get_args(Comparison):
        raise MetricError(f"unknown comparison '{comparison}': known are {', '.join(get_args(Comparison))}")
    check_pair(real, fake, minimum=k + 1)


def _values(met: Encounters, group: Int64, k: int, without: int | None) -> PRDC:
    """The four values of all generated samples, or of those outside the group ``without``."""
    kept = group != without if without is not None else np.ones(len(group), dtype=bool)
    groups: NDArray[np.bool_] = np.arange(met.occupied.shape[1]) != (-1 if without is None else without)
    memberships = met.memberships[kept]
    near, count = met.near[:, groups].any(axis=1), len(met.near)
    if without is not None:
        near = near | met.near_without[:, without]
    return PRDC(
        precision=int((memberships > 0).sum()) / len(memberships),
        recall=int(near.sum()) / count,
        density=int(memberships.sum()) / (k * len(memberships)),
        coverage=int(met.occupied[:, groups].any(axis=1).sum()) / count,
    )


@dataclass(frozen=True)
class PrecisionRecallDensityCoverage(Metric):
    """Precision, recall, density and coverage with ``k`` neighbours; ``comparison`` says whether the rim belongs to a ball.

    Where the reference has more than ``reals`` images, so many of it are drawn with ``reals_seed``: the cost grows with their
    square.
    """

    k: int = 5
    comparison: Comparison = "less"
    reals: int | None = later(None)
    reals_seed: int = later(0)

    name: ClassVar[str] = "prdc"
    values: ClassVar[tuple[Value, ...]] = (
        Value("precision", "Precision", "Precision", "higher", "fraction", (0, 1), proportion=True),
        Value("recall", "Recall", "Recall", "higher", "fraction", (0, 1)),
        Value("density", "Density", "Density", "higher", "ratio", (0, math.inf)),
        Value("coverage", "Coverage", "Coverage", "higher", "fraction", (0, 1)),
    )
    needs: ClassVar[frozenset[Need]] = frozenset({"reference"})
    minimum_of_both: ClassVar[bool] = True

    @property
    def minimum(self) -> int:
        return self.k + 1

    def compute(self, fake: FeatureBank, reference: FeatureBank | None) -> Mapping[str, float]:
        """The four values. Raises :class:`MetricError` where either set has no more than ``k`` samples."""
        one_group = np.zeros(len(fake), dtype=np.int64)
        met = self._encounters(fake, self._reals(reference), one_group, min(self.k + SPARE, len(fake) - 1), leave_out=False)
        return _values(met, one_group, self.k, None)._asdict()

    def without_groups(self, fake: FeatureBank, reference: FeatureBank | None, group: Int64) -> Sequence[Mapping[str, float]]:
        """The values without each group, from one visit of the distances: equal to those of the smaller sets."""
        count = neighbours_for(self.k, group)
        if len(fake) - int(np.bincount(group).max()) <= self.k:
            raise MetricError(f"without a group of {int(np.bincount(group).max())} there are no {self.k + 1} samples left")
        met = self._encounters(fake, self._reals(reference), group, count, leave_out=True)
        return [_values(met, group, self.k, g)._asdict() for g in range(int(group.max()) + 1)]

    def _reals(self, reference: FeatureBank | None) -> FeatureBank:
        """The part of the reference that is used."""
        real, count = given(reference), self.reals
        if count is None or len(real) <= count:
            return real
        drawn = np.random.RandomState(self.reals_seed).permutation(len(real))[:count]
        which = {"count": count, "seed": self.reals_seed}
        return remembered(real, ("part", count, self.reals_seed), lambda: real.part(which, drawn))

    def _encounters(self, fake: FeatureBank, real: FeatureBank, group: Int64, count: int, *, leave_out: bool) -> Encounters:
        """Of both banks' balls; neighbours that an earlier call found are not sought again."""
        _check(real.features, fake.features, self.k, self.comparison)
        found = (
            neighbours_of(real, self.k, "neighbours among real"),
            neighbours_of(fake, count, "neighbours among generated"),
        )
        balls = [
            Balls(cloud, near, self.k, self.comparison == "less_equal")
            for cloud, near in zip(clouds(real.features, fake.features), found, strict=True)
        ]  # fmt: skip
        return encounters(balls[0], balls[1], group, leave_out=leave_out, block=BLOCK)


METRICS.add(PrecisionRecallDensityCoverage.name, PrecisionRecallDensityCoverage())
