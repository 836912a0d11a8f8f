"""Precision, recall, density and coverage without each group of the generated samples in turn, from one pass over the distances.

For the jackknife: one computation per group would take as many passes as there are groups.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ganeval.errors import MetricError
from ganeval.features import Float64, Int64
from ganeval.metrics.checks import Array
from ganeval.metrics.prdc import PRDC, ROUNDING, Comparison


class Parts(NamedTuple):
    """``points`` (N, D) in contiguous ``parts``, to be taken relative to ``centre`` (D,)."""

    points: Array
    centre: Float64
    parts: list[slice]

    def at(self, rows: slice) -> Tensor:
        """The centred points of ``rows``, float64."""
        return torch.from_numpy(self.points[rows] - self.centre)


class Sums(NamedTuple):
    """``hits`` (M,) how many real balls each generated sample is in; (G, N) which real samples have one of group g in their
    ball (``occupied``), and which lie in the ball of a generated one when group g is absent (``near_fake``).
    """

    hits: Tensor
    occupied: Tensor
    near_fake: Tensor


def prdc_without(
    real: Array, fake: Array, group: Int64, k: int, comparison: Comparison, block: int = 2048
) -> list[PRDC]:  # fmt: skip
    """What ``prdc(real, fake[group != g], k, comparison)`` gives for each g of 0 .. G - 1; ``group`` (M,) of the M in ``fake``.

    Memory is O(block^2 + block D + G (k M + N)) beside the sets and a copy of ``fake``. Raises :class:`MetricError` where no
    more than k samples are left without some group.
    """
    groups = int(group.max()) + 1
    left = len(fake) - np.bincount(group, minlength=groups)
    if min(len(real), left.min()) <= k:
        raise MetricError(f"at least {k + 1} samples are needed in each set, got {len(real)} and {left.min()}")
    centre = real.mean(axis=0, dtype=np.float64)
    order = np.argsort(group, kind="stable")
    bounds = [int(bound) for bound in np.searchsorted(group[order], np.arange(groups + 1))]
    reals = Parts(real, centre, [slice(0, len(real))])
    fakes = Parts(fake[order], centre, [slice(*ends) for ends in itertools.pairwise(bounds)])
    nearest, norms = _nearest(fakes, k, block)
    nearest_without = (_without(nearest, g).topk(k, dim=1, largest=False).values for g in range(groups))
    fake_reach = torch.stack([_reach(each, norms, comparison) for each in nearest_without])
    nearest, norms = _nearest(reals, k, block)
    sums = _compare(reals, fakes, _reach(nearest[:, 0], norms, comparison), fake_reach, block)
    return [_values(sums, fakes.parts[g], g, k) for g in range(groups)]


def _compare(reals: Parts, fakes: Parts, real_reach: Tensor, fake_reach: Tensor, block: int) -> Sums:
    groups, count = len(fakes.parts), len(reals.points)
    hits = torch.zeros(len(fakes.points), dtype=torch.int64)
    occupied, near_fake = (torch.zeros(groups, count, dtype=torch.bool) for _ in range(2))
    for rows in _slices(slice(0, count), block):
        x = reals.at(rows)
        for own, part in enumerate(fakes.parts):
            for columns in _slices(part, block):
                distances = _squared_distances(x, fakes.at(columns))
                inside = distances < real_reach[rows, None]
                hits[columns] += inside.sum(dim=0)
                occupied[own, rows] |= inside.any(dim=1)
                for g in (g for g in range(groups) if g != own):
                    near_fake[g, rows] |= (distances < fake_reach[g, columns]).any(dim=1)
    return Sums(hits, occupied, near_fake)


def _values(sums: Sums, part: slice, g: int, k: int) -> PRDC:
    """The four values without the group ``g`` of the generated samples, those of ``part``."""
    kept = torch.cat([sums.hits[: part.start], sums.hits[part.stop :]])
    occupied = torch.cat([sums.occupied[:g], sums.occupied[g + 1 :]]).any(dim=0)
    return PRDC(
        precision=int((kept > 0).sum()) / len(kept),
        recall=int(sums.near_fake[g].sum()) / len(occupied),
        density=int(kept.sum()) / (k * len(kept)),
        coverage=int(occupied.sum()) / len(occupied),
    )


def _nearest(cloud: Parts, k: int, block: int) -> tuple[Tensor, Tensor]:
    """(N, parts, k) the k smallest squared distances of each point to the others in each part, inf beyond their number; and the
    squared norms (N,).
    """
    count = len(cloud.points)
    nearest = torch.full((count, len(cloud.parts), k), torch.inf, dtype=torch.float64)
    norms = torch.empty(count, dtype=torch.float64)
    for rows in _slices(slice(0, count), block):
        x = cloud.at(rows)
        norms[rows] = x.square().sum(dim=1)
        for index, part in enumerate(cloud.parts):
            for columns in _slices(part, block):
                distances = _squared_distances(x, cloud.at(columns))
                first, last = max(rows.start, columns.start), min(rows.stop, columns.stop)
                itself = torch.arange(first, max(first, last))
                distances[itself - rows.start, itself - columns.start] = torch.inf
                both = torch.cat([nearest[rows, index], distances], dim=1)
                nearest[rows, index] = both.topk(k, dim=1, largest=False).values
    return nearest, norms


def _slices(whole: slice, block: int) -> list[slice]:
    return [slice(first, min(first + block, whole.stop)) for first in range(whole.start, whole.stop, block)]


def _without(nearest: Tensor, g: int) -> Tensor:
    """(N, G, k) as (N, (G - 1) k): everything but the part ``g``."""
    return torch.cat([nearest[:, :g], nearest[:, g + 1 :]], dim=1).flatten(1)


def _reach(nearest: Tensor, norms: Tensor, comparison: Comparison) -> Tensor:
    """(N,) the value below which a squared distance is inside each ball, from the k smallest distances (N, k), ascending."""
    radius = nearest[:, -1]
    rim = ROUNDING * (norms + radius)
    return radius - rim if comparison == "less" else radius + rim


def _squared_distances(x: Tensor, y: Tensor) -> Tensor:
    norms = x.square().sum(dim=1, keepdim=True) + y.square().sum(dim=1)
    return torch.addmm(norms, x, y.T, alpha=-2)
