"""Nearest neighbours by blocks of distances: memory for a block, not for all pairs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from ganeval.features import Float64, Int64
from ganeval.metrics.checks import Array

BLOCK = 2048


class Nearest(NamedTuple):
    """``distance`` (N,) to the nearest neighbour, 0 for exact copies, and its ``row`` (N,) among the points."""

    distance: Float64
    row: Int64


def nearest(queries: Array, points: Array, block: int = BLOCK) -> Nearest:
    """The nearest of ``points`` (M, D), M >= 1, to each of ``queries`` (N, D)."""
    return _nearest(queries, points, block, itself=False)


def nearest_other(points: Array, block: int = BLOCK) -> Nearest:
    """The nearest other point to each of ``points`` (M, D), M >= 2; a copy of a point is another one."""
    return _nearest(points, points, block, itself=True)


def _nearest(queries: Array, points: Array, block: int, *, itself: bool) -> Nearest:
    """Squared distances are float64 products of centred points, which find the neighbour; its distance is then taken anew from
    differences, which do not cancel: memory is O(block^2 + block D) beside the sets.
    """
    centre = points.mean(axis=0, dtype=np.float64)
    distance, index = np.empty(len(queries)), np.empty(len(queries), dtype=np.int64)
    for first in range(0, len(queries), block):
        rows = slice(first, min(first + block, len(queries)))
        x = torch.from_numpy(queries[rows] - centre)
        best = torch.full((len(x),), torch.inf, dtype=torch.float64)
        found = torch.zeros(len(x), dtype=torch.int64)
        for start in range(0, len(points), block):
            y = torch.from_numpy(points[start : start + block] - centre)
            squares = torch.addmm(y.square().sum(dim=1), x, y.T, alpha=-2)  # less |x|^2, which is the same for all of a row
            if itself and start == first:
                squares.fill_diagonal_(torch.inf)
            values, places = squares.min(dim=1)
            closer = values < best
            best, found = torch.where(closer, values, best), torch.where(closer, places + start, found)
        index[rows] = found.numpy()
        differences = queries[rows].astype(np.float64) - points[index[rows]]
        distance[rows] = np.sqrt(np.square(differences).sum(axis=1))
    return Nearest(distance, index)
