"""The nearest neighbours of every point, exactly: in another set, or in its own, from half of the symmetric rough distances."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch

from ganeval.features import FeatureBank, Float64, Int64
from ganeval.metrics.distances import BLOCK, Cloud, Tile, clouds, rough_products, squared_distances, tile
from ganeval.metrics.memory import kept, remembered
from ganeval.progress import counted

MANY = 6
"""Candidates per wanted neighbour above which a tile's float64 distances are formed: usual features have fewer than two."""

FEWEST = 5
"""Neighbours that are found at least: fewer cost hardly less, and one search serves every metric with its usual number."""


class Nearest(NamedTuple):
    """``squared`` (N, n) float64 distances to the n nearest points, ascending, and ``who`` (N, n) they are."""

    squared: Float64
    who: Int64


def neighbours_of(bank: FeatureBank, count: int, what: str) -> Nearest:
    """At least the ``count`` nearest other samples of each of ``bank``, 1 <= count < N, in its features; sought once.

    What an earlier call found is taken where it is as many, and so is what an earlier score found and the bank keeps. It
    follows from the bank alone, not from what that is compared with.
    """
    known: dict[int, Nearest] = remembered(bank, "neighbours", dict)
    for size, found in known.items():
        if size >= count:
            return found
    size = min(max(count, FEWEST), len(bank) - 1)
    arrays = kept(bank, "neighbours", lambda: nearest(clouds(bank.features)[0], size, BLOCK, what)._asdict(), count=size)
    known[size] = Nearest(arrays["squared"], arrays["who"])
    return known[size]


def nearest_among(points: Cloud, queries: Cloud, count: int, block: int, what: str) -> Nearest:
    """The ``count`` nearest of ``points`` to each of ``queries``, 1 <= count <= number of points; a copy's distance is 0.

    Of points at the same distance any may be named. Both clouds are of one call of :func:`ganeval.metrics.distances.clouds`.
    """
    candidates = _Candidates(queries, points, count)
    blocks = [(rows, columns) for rows in queries.slices(block) for columns in points.slices(block)]
    with rough_products():
        for rows, columns in counted(what, blocks):
            candidates.add(tile(queries, points, rows, columns), of_rows=True)
    return candidates.settle()


def nearest(cloud: Cloud, count: int, block: int, what: str) -> Nearest:
    """The ``count`` nearest other points, 1 <= count < N. Of points at the same distance any may be named."""
    candidates = _Candidates(cloud, cloud, count)
    blocks = cloud.slices(block)
    diagonal = [(rows, rows) for rows in blocks]  # first: they give every point a bound to hold the others against
    across = [(rows, columns) for n, rows in enumerate(blocks) for columns in blocks[n + 1 :]]
    with rough_products():
        for rows, columns in counted(what, diagonal + across):
            pairs = tile(cloud, cloud, rows, columns)
            if rows == columns:
                pairs.lower.fill_diagonal_(torch.inf)  # a point is not its own neighbour
            candidates.add(pairs, of_rows=True)
            if rows != columns:
                candidates.add(pairs, of_rows=False)
    return candidates.settle()


@dataclass
class _Candidates:
    """Pairs of a point of ``cloud`` and one of ``others`` that may be among the ``count`` nearest of the first: those whose lower
    bound is below ``count`` upper bounds."""

    cloud: Cloud
    others: Cloud
    count: int
    found: list[tuple[Int64, Int64, Float64]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.upper = np.full((len(self.cloud), self.count), np.inf)

    def add(self, pairs: Tile, of_rows: bool) -> None:
        """The candidates of a tile's rows among its columns, or of its columns among its rows."""
        own, other = (pairs.rows, pairs.columns) if of_rows else (pairs.columns, pairs.rows)
        bound = self.upper[own, -1]
        if not np.isfinite(bound).all():
            bound = np.minimum(bound, self._first_bound(pairs, of_rows))
        at = np.flatnonzero(pairs.perhaps_below(bound, of_rows))
        if len(at) > MANY * self.count * (own.stop - own.start):
            return self._add_exactly(pairs, of_rows)
        i, j, lower, upper = pairs.bounds_at(at)
        points, others = (i, j) if of_rows else (j, i)
        self._lower_bounds(own, points, upper)
        self.found.append((points + own.start, others + other.start, lower))
        return None

    def _first_bound(self, pairs: Tile, of_rows: bool) -> Float64:
        """(n,) a bound from one tile alone: that of the ``count`` smallest lower bounds, each with the tile's largest slack."""
        lower = pairs.lower if of_rows else pairs.lower.T
        if lower.shape[1] <= self.count:
            return np.full(len(lower), np.inf)
        least = lower.topk(self.count, dim=1, largest=False).values[:, -1].double().numpy() / self.cloud.scale**2
        own, other = (pairs.rows, pairs.columns) if of_rows else (pairs.columns, pairs.rows)
        slack = self.cloud.slack(own) + self.others.slack(other).max()
        bound: Float64 = np.nextafter(least + 2.0001 * slack, np.inf)
        return bound

    def _add_exactly(self, pairs: Tile, of_rows: bool) -> None:
        """Where bounds cannot tell the points of a tile apart, its float64 distances do; the ``count`` least of them suffice."""
        own, other = (pairs.rows, pairs.columns) if of_rows else (pairs.columns, pairs.rows)
        squared = pairs.exact()
        if self.others is self.cloud and pairs.rows == pairs.columns:
            np.fill_diagonal(squared, np.inf)
        squared = squared if of_rows else squared.T
        wanted = min(self.count, squared.shape[1])
        least = np.argpartition(squared, wanted - 1, axis=1)[:, :wanted]
        values = np.take_along_axis(squared, least, axis=1)
        better = values < self.upper[own, -1:]
        points, place = np.nonzero(better)
        self._lower_bounds(own, points, values[better])
        self.found.append((points + own.start, least[points, place] + other.start, values[better]))

    def _lower_bounds(self, own: slice, points: Int64, upper: Float64) -> None:
        """Take the upper bounds ``upper`` of the block's ``points`` into account."""
        held = _least(len(self.upper[own]), points, upper, self.count)[0]
        self.upper[own] = np.sort(np.concatenate([self.upper[own], held], axis=1), axis=1)[:, : self.count]

    def settle(self) -> Nearest:
        """Of what was found, what is not worse than the final bounds, told apart in float64."""
        points, others, lower = (np.concatenate(parts) for parts in zip(*self.found, strict=True))
        left = lower <= self.upper[points, -1]
        points, others = points[left], others[left]
        squared = squared_distances(self.cloud.points, self.others.points, points, others)
        held, place = _least(len(self.cloud), points, squared, self.count)
        return Nearest(held, others[place])


def _least(rows: int, row: Int64, values: Float64, count: int) -> tuple[Float64, Int64]:
    """(rows, count) the smallest ``values`` of each row, ascending, infinite where there are fewer, and where they stand."""
    order = np.lexsort((values, row))
    sorted_rows = row[order]
    rank = np.arange(len(order)) - np.searchsorted(sorted_rows, np.arange(rows))[sorted_rows]
    kept = rank < count
    held, place = np.full((rows, count), np.inf), np.zeros((rows, count), dtype=np.int64)
    held[sorted_rows[kept], rank[kept]] = values[order[kept]]
    place[sorted_rows[kept], rank[kept]] = order[kept]
    return held, place
