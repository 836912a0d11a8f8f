"""Squared distances between many points: rough ones of all pairs, with a proven bound, and exact ones of the few pairs in doubt.

Rough distances come from matrix products in float32 of points that are centred, scaled by a power of two to norms of at most 1
and, where the processor multiplies bfloat16 in hardware (AMX), rounded to bfloat16. Every comparison that their error could turn
is taken again in float64, so what follows from a comparison is what float64 alone would give.

The bound. Let x' be the rounded point and |x - x'| <= rho |x| for all points; rho is measured, not assumed. A product of two
rounded points is off by at most (2 rho + rho^2) |x| |y| through rounding and g (1 + rho)^2 |x| |y| through float32 sums in any
order, g = D u / (1 - D u), u = 2^-24 (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 3.1; taken twice
here). With 2 |x| |y| <= |x|^2 + |y|^2 the squared distance is off by at most kappa (|x|^2 + |y|^2): the bound separates into a
row's part and a column's, and costs nothing per pair.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganeval.features import Float32, Float64, Int64
from ganeval.metrics.checks import Array

UNIT = 2.0**-24
TINY = 2.0**-96
"""Products of scaled points below this may be lost to underflow, rounding of coordinates below it may be anything."""

BLOCK = 2048
"""Rough distances are formed BLOCK x BLOCK at a time."""

PAIRS = 32
"""Pairs per step of exact distances: measured, what fits into a processor's cache."""


@dataclass(frozen=True)
class Cloud:
    """``points`` (N, D) as given; ``norms`` (N,) squared, from the ``centre`` (D,); ``rough`` (N, D) centred, scaled and rounded.

    Every squared length is in units of the given points; ``scale`` brings a length to those of ``rough``.
    """

    points: Array
    centre: Float64
    norms: Float64
    rough: Tensor
    scale: float
    kappa: float

    def __len__(self) -> int:
        return len(self.points)

    def slices(self, block: int) -> list[slice]:
        return [slice(first, min(first + block, len(self))) for first in range(0, len(self), block)]

    def slack(self, rows: slice) -> Float64:
        """(n,) a point's part of the bound on a squared distance."""
        made: Float64 = self.kappa * self.norms[rows] + (self.points.shape[1] + 4) * TINY / self.scale**2
        return made


def clouds(*sets: Array, block: int = 64) -> list[Cloud]:
    """The sets (N, D) as clouds around the mean of the first, in one scale; made of ``block`` points at a time, whose coordinates
    fit into a processor's cache."""
    centre = sets[0].mean(axis=0, dtype=np.float64)
    norms = [np.concatenate([np.square(part - centre).sum(axis=1) for part in _parts(points, block)]) for points in sets]
    largest = max(float(each.max()) for each in norms) ** 0.5
    scale = 2.0 ** -np.ceil(np.log2(largest)) if largest > 0 else 1.0
    kind = torch.bfloat16 if _multiplies_bfloat16() else torch.float32
    made = []
    for points, squared in zip(sets, norms, strict=True):
        rough = torch.empty(points.shape, dtype=kind)
        rho = _round_into(rough, points, squared, centre, scale, block)
        made.append((points, squared, rough, rho))
    rho = max(each[3] for each in made)
    sums = 2 * points.shape[1] * UNIT
    kappa = 1.01 * (rho * (2 + rho) + sums * (1 + rho) ** 2 + 16 * UNIT)
    return [Cloud(points, centre, squared, rough, float(scale), kappa) for points, squared, rough, _ in made]


def _parts(points: Array, block: int) -> Iterator[Array]:
    return (points[start : start + block] for start in range(0, len(points), block))


def _round_into(rough: Tensor, points: Array, norms: Float64, centre: Float64, scale: float, block: int) -> float:
    """Fill ``rough``; the largest |x - x'| / |x| of the points that are not next to nothing."""
    worst = 0.0
    for start in range(0, len(points), block):
        part = torch.from_numpy((points[start : start + block] - centre) * scale)
        rough[start : start + block] = part
        lost = (part - rough[start : start + block].double()).square().sum(dim=1).numpy() / scale**2
        of = norms[start : start + block]
        told = of * scale**2 > TINY**2
        worst = max(worst, float(np.sqrt(lost[told] / of[told]).max(initial=0.0)))
    return worst


def _multiplies_bfloat16() -> bool:
    """Whether this processor has matrix units for bfloat16, and torch uses them."""
    supported = getattr(torch.cpu, "_is_amx_tile_supported", None)
    return torch.backends.mkldnn.is_available() and supported is not None and bool(supported())


@contextmanager
def rough_products() -> Iterator[None]:
    """Matrix products of float32 may round their factors to bfloat16 inside: those of :class:`Cloud` then are so already, and any
    others are not formed here."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium" if _multiplies_bfloat16() else "highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


@dataclass(frozen=True)
class Tile:
    """The pairs of ``rows`` of ``x`` and ``columns`` of ``y``. ``lower`` (n, m) float32, scaled, never exceeds the squared
    distance."""

    x: Cloud
    y: Cloud
    rows: slice
    columns: slice
    lower: Tensor

    def below(self, reach: Float64, of_rows: bool) -> NDArray[np.bool_]:
        """(n, m) whether each squared distance is less than ``reach``, exactly: (n,) per row or (m,) per column."""
        inside = self.perhaps_below(reach, of_rows)
        at = np.flatnonzero(inside)
        i, j = np.divmod(at, inside.shape[1])
        limit = reach[i if of_rows else j]
        doubtful = self._upper(at, i, j) >= limit
        if self.too_many(int(doubtful.sum())):
            made: NDArray[np.bool_] = self.exact() < (reach[:, None] if of_rows else reach)
            return made
        inside.reshape(-1)[at[doubtful]] = self.exact_at(i[doubtful], j[doubtful]) < limit[doubtful]
        return inside

    def perhaps_below(self, reach: Float64, of_rows: bool) -> NDArray[np.bool_]:
        """(n, m) False only where the squared distance is at least ``reach``."""
        limit = torch.from_numpy(rounded_up(reach * self.x.scale**2))
        made: NDArray[np.bool_] = (self.lower < (limit[:, None] if of_rows else limit)).numpy()
        return made

    def bounds_at(self, at: Int64) -> tuple[Int64, Int64, Float64, Float64]:
        """Row, column, lower and upper bound of the squared distance at the flat indices ``at``."""
        i, j = np.divmod(at, self.lower.shape[1])
        return i, j, self._lower(at), self._upper(at, i, j)

    def _lower(self, at: Int64) -> Float64:
        # float64 before the division: squares of very small or very large features are outside of float32
        made: Float64 = self.lower.numpy().reshape(-1)[at].astype(np.float64) / self.x.scale**2
        return made

    def _upper(self, at: Int64, i: Int64, j: Int64) -> Float64:
        made: Float64 = self._lower(at) + 2 * (self.x.slack(self.rows)[i] + self.y.slack(self.columns)[j])
        return made

    def too_many(self, pairs: int) -> bool:
        """Whether that many exact distances are had sooner from one product of matrices in float64."""
        return pairs > 256 and pairs > self.lower.numel() // 32

    def exact_at(self, i: Int64, j: Int64) -> Float64:
        """(p,) squared distances in float64 of the pairs (``i``, ``j``) within the tile."""
        return squared_distances(self.x.points, self.y.points, i + self.rows.start, j + self.columns.start)

    def exact(self) -> Float64:
        """(n, m) squared distances in float64, never negative; off by rounding of the squared norms."""
        x, y = self.x.points[self.rows] - self.x.centre, self.y.points[self.columns] - self.y.centre
        made: Float64 = x @ y.T
        made *= -2
        made += np.square(x).sum(axis=1)[:, None]
        made += np.square(y).sum(axis=1)
        return np.maximum(made, 0, out=made)


def tile(x: Cloud, y: Cloud, rows: slice, columns: slice) -> Tile:
    """The rough distances of one block; call it inside :func:`rough_products`."""
    scale = x.scale**2
    of_rows, of_columns = (
        torch.from_numpy(((cloud.norms[part] - cloud.slack(part)) * scale).astype(np.float32))
        for cloud, part in ((x, rows), (y, columns))
    )
    lower = torch.addmm(of_columns, x.rough[rows].float() * -2, y.rough[columns].float().T)
    return Tile(x, y, rows, columns, lower.add_(of_rows[:, None]))


def rounded_up(values: Float64) -> Float32:
    """The next float32 above; what is less than a value is less than this."""
    made: Float32 = np.nextafter(values.astype(np.float32), np.float32(np.inf))
    return made


def squared_distances(x: Array, y: Array, i: Int64, j: Int64) -> Float64:
    """(p,) float64 |x_i - y_j|^2 of p pairs, from differences: nothing cancels."""
    made = np.empty(len(i))

    def fill(part: slice) -> None:
        for start in range(part.start, part.stop, PAIRS):
            some = slice(start, min(start + PAIRS, part.stop))
            difference = np.subtract(x.take(i[some], axis=0), y.take(j[some], axis=0), dtype=np.float64)
            made[some] = np.einsum("pd,pd->p", difference, difference)

    threads = torch.get_num_threads()
    share = max(-(-len(i) // threads), PAIRS)
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(fill, [slice(start, min(start + share, len(i))) for start in range(0, len(i), share)]))
    return made
