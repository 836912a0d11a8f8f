"""Balls around the samples of two sets, and who lies in whose: what precision, recall, density and coverage are counted from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from ganeval.features import Float64, Int64
from ganeval.metrics.distances import Cloud, Tile, rough_products, squared_distances, tile
from ganeval.metrics.neighbours import Nearest
from ganeval.progress import counted

Bools = NDArray[np.bool_]

# Squared distances in float64 that differ by less than this part of the squared norms involved count as equal. It is above the
# rounding of a matrix product (20 eps measured, D up to 8192) and below what float32 features tell apart: duplicates are ties.
ROUNDING = 1e-13

RARE = 1e-4
"""How often the neighbours found for a sample may prove too few once a group is left out; those samples are searched again."""


@dataclass(frozen=True)
class Balls:
    """A ball around each point of ``cloud``, to its ``k``-th neighbour; ``closed`` where the rim belongs to it."""

    cloud: Cloud
    nearest: Nearest
    k: int
    closed: bool

    def reach(self) -> Float64:
        """(N,) the value below which a squared distance is inside each ball."""
        return self._rim(self.nearest.squared[:, self.k - 1])

    def reach_without(self, group: Int64, g: int) -> Float64:
        """(N,) the same with the points of the group ``g`` taken away; without meaning for those points themselves."""
        others = group[self.nearest.who] != g
        place = others.cumsum(axis=1)
        radius = np.take_along_axis(self.nearest.squared, (place == self.k).argmax(axis=1)[:, None], axis=1)[:, 0]
        for point in np.flatnonzero((place[:, -1] < self.k) & (group != g)):
            radius[point] = self._search(int(point), np.flatnonzero(group != g))
        return self._rim(radius)

    def _search(self, point: int, among: Int64) -> float:
        """The squared distance of ``point`` to its k-th neighbour ``among`` the others, from all distances."""
        among = among[among != point]
        squared = squared_distances(self.cloud.points, self.cloud.points, np.full_like(among, point), among)
        return float(np.partition(squared, self.k - 1)[self.k - 1])

    def _rim(self, radius: Float64) -> Float64:
        rim = ROUNDING * (self.cloud.norms + radius)
        return radius + rim if self.closed else radius - rim


def neighbours_for(k: int, group: Int64) -> int:
    """How many neighbours hold ``k`` outside of any one group, but for a few samples in a million."""
    sizes = np.bincount(group)
    largest, most = float(sizes.max()) / len(group), len(group) - 1
    enough = (n for n in range(k + 1, most) if len(sizes) * binom.sf(n - k, n, largest) < RARE)
    return min(next(enough, most), k + int(sizes.max()), most)


class Encounters(NamedTuple):
    """Who lies in whose ball. ``memberships`` (M,): in how many real balls each generated sample lies. (N, G) bool:
    ``occupied``: whether the ball of a real sample holds a generated one of the group; ``near``: whether a real sample lies in a
    ball of the group; ``near_without``: whether it lies in a ball of another group as that is without the group."""

    memberships: Int64
    occupied: Bools
    near: Bools
    near_without: Bools


def encounters(reals: Balls, fakes: Balls, group: Int64, *, leave_out: bool, block: int) -> Encounters:
    """Of every pair once. ``group`` (M,) counts from 0. ``near_without`` is only found out where ``leave_out``."""
    n, m, groups = len(reals.cloud), len(fakes.cloud), int(group.max()) + 1
    met = Encounters(np.zeros(m, np.int64), *(np.zeros((n, groups), dtype=bool) for _ in range(3)))
    real_reach, fake_reach = reals.reach(), fakes.reach()
    wider = _reaches_without(fakes, group, groups) if leave_out else None
    tiles = [(rows, columns) for rows in reals.cloud.slices(block) for columns in fakes.cloud.slices(block)]
    with rough_products():
        for rows, columns in counted("real against generated", tiles):
            pairs = tile(reals.cloud, fakes.cloud, rows, columns)
            in_real = pairs.below(real_reach[rows], of_rows=True)
            met.memberships[columns] += np.count_nonzero(in_real, axis=0)
            met.occupied[rows] |= _any_of(in_real, group[columns], groups)
            in_fake = pairs.below(fake_reach[columns], of_rows=False)
            met.near[rows] |= _any_of(in_fake, group[columns], groups)
            if wider is not None:
                _widen(met, pairs, in_fake, wider[columns])
    return met


def _any_of(inside: Bools, group: Int64, groups: int) -> Bools:
    """(n, G) whether any of a row's columns that are inside belongs to the group."""
    found = np.zeros((len(inside), groups), dtype=bool)
    i, j = np.divmod(np.flatnonzero(inside), inside.shape[1])
    found[i, group[j]] = True
    return found


def _reaches_without(fakes: Balls, group: Int64, groups: int) -> Float64:
    """(M, G) the reach of each generated sample without each group; minus infinity for its own group, where it has no ball."""
    reaches = np.stack([fakes.reach_without(group, g) for g in range(groups)], axis=1)
    reaches[np.arange(len(group)), group] = -np.inf
    return reaches


def _widen(met: Encounters, pairs: Tile, in_fake: Bools, wider: Float64) -> None:
    """Note the real samples that lie in a ball only when that is without a group. A sample in balls of two groups stays in one of
    them whichever group goes."""
    settled = np.count_nonzero(met.near[pairs.rows], axis=1) >= 2
    maybe = pairs.perhaps_below(wider.max(axis=1), of_rows=False) & ~in_fake
    maybe[settled] = False
    at = np.flatnonzero(maybe)
    i, j = np.divmod(at, maybe.shape[1])
    squared = pairs.exact()[i, j] if pairs.too_many(len(at)) else pairs.exact_at(i, j)
    for g in range(wider.shape[1]):
        met.near_without[pairs.rows.start + i[squared < wider[j, g]], g] = True
