"""Kernel distance: KID on Inception, KD on other extractors.

Unbiased squared maximum mean discrepancy under k(x, y) = (x'y / D + 1)^3, averaged over subsets (Binkowski et al., ICLR 2018,
arXiv 1801.01401). Unbiased, hence it may be slightly negative.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from ganeval.errors import MetricError
from ganeval.features import FeatureBank, Float64, Int64
from ganeval.metrics.base import METRICS, Metric, Need, Replicates, Value
from ganeval.metrics.checks import Array, check_pair, given


class KernelDistance(NamedTuple):
    """``mean`` over the subsets and their standard deviation ``std`` (ddof 0); the mean's own noise is std / sqrt(subsets)."""

    mean: float
    std: float


def kernel_distance(x: Array, y: Array, subsets: int = 100, subset_size: int = 1000, seed: int = 2020) -> KernelDistance:
    """The kernel distance of ``x`` (N, D) and ``y`` (M, D) over ``subsets`` pairs of ``subset_size`` samples each.

    Subsets are drawn without replacement from one stream, ``x`` before ``y``: torch-fidelity's order, so that the same seed
    gives its subsets. Kernels are float64. Raises :class:`MetricError` where a set is smaller than a subset.
    """
    chosen = _pairs_of_subsets(x, y, subsets, subset_size, seed)
    distances = [squared_discrepancy(x[i].astype(np.float64), y[j].astype(np.float64)) for i, j in chosen]
    return KernelDistance(float(np.mean(distances)), float(np.std(distances)))


def kernel_distances_without(
    x: Array, y: Array, group: Int64, subsets: int = 100, subset_size: int = 1000, seed: int = 2020
) -> Float64:
    """(G + 1,) the mean of :func:`kernel_distance`, then the same without each group of ``x``; ``group`` (N,) in 0 .. G - 1.

    The subsets stay as they are, less the samples of the group: with other draws for each group, the noise of the draws would
    pass for a spread of the samples. One pass of kernels gives all, from their sums over pairs of groups. A mean is NaN where
    some subset is left with fewer than 2 samples.
    """
    groups = int(group.max()) + 1
    whole, without = [], []
    for i, j in _pairs_of_subsets(x, y, subsets, subset_size, seed):
        sums = _kernel_sums(x[i].astype(np.float64), y[j].astype(np.float64))
        whole.append(sums.discrepancy())
        without.append(_without_groups(sums, (group[i] == np.arange(groups)[:, None]).astype(np.float64)))
    return np.array([np.mean(whole), *np.mean(without, axis=0)])


class KernelSums(NamedTuple):
    """Kernels of n and m samples: ``rows`` (n, n) within the first without their diagonal, ``across`` (n,) their sums over the
    second, and the sums ``xx``, ``yy`` (without the diagonals) and ``xy``.
    """

    rows: Float64
    across: Float64
    xx: float
    yy: float
    xy: float
    n: int
    m: int

    def discrepancy(self) -> float:
        n, m = self.n, self.m
        return float(self.xx / (n * (n - 1)) + self.yy / (m * (m - 1)) - 2 * self.xy / (n * m))


def _kernel_sums(x: Float64, y: Float64) -> KernelSums:
    rows, across = _cubic(x, x), _cubic(x, y)
    xx = rows.sum() - _cubic_diagonal(x).sum()
    yy = _cubic(y, y).sum() - _cubic_diagonal(y).sum()
    np.fill_diagonal(rows, 0)
    return KernelSums(rows, across.sum(axis=1), xx, yy, across.sum(), len(x), len(y))


def _without_groups(sums: KernelSums, belongs: Float64) -> Float64:
    """(G,) the discrepancy without the samples of each group; ``belongs`` (G, n) is 1 where a sample is in it, else 0."""
    to_groups = belongs @ sums.rows
    left = sums.n - belongs.sum(axis=1)
    xx = sums.xx - 2 * to_groups.sum(axis=1) + (to_groups * belongs).sum(axis=1)
    xy = sums.xy - belongs @ sums.across
    with np.errstate(divide="ignore", invalid="ignore"):
        values = xx / (left * (left - 1)) + sums.yy / (sums.m * (sums.m - 1)) - 2 * xy / (left * sums.m)
    kept: Float64 = np.where(left >= 2, values, np.nan)
    return kept


def _pairs_of_subsets(x: Array, y: Array, subsets: int, subset_size: int, seed: int) -> Iterator[tuple[Int64, Int64]]:
    """Indices into ``x`` and into ``y``, ``subset_size`` each, without replacement."""
    check_pair(x, y, minimum=2)
    if not 2 <= subset_size <= min(len(x), len(y)):
        raise MetricError(
            f"subsets of {subset_size} cannot be drawn from sets of {len(x)} and {len(y)} samples: "
            f"subset_size must lie between 2 and {min(len(x), len(y))}"
        )
    stream = np.random.RandomState(seed)
    for _ in range(subsets):
        first = stream.choice(len(x), subset_size, replace=False)
        yield first, stream.choice(len(y), subset_size, replace=False)


def squared_discrepancy(x: Float64, y: Float64) -> float:
    """Unbiased MMD^2 of ``x`` (n, D) and ``y`` (m, D) under the cubic kernel; pairs of a sample with itself are left out."""
    return _kernel_sums(x, y).discrepancy()


def _cubic(x: Float64, y: Float64) -> Float64:
    return _cube(x @ y.T / x.shape[1] + 1)


def _cubic_diagonal(x: Float64) -> Float64:
    return _cube(np.square(x).sum(axis=1) / x.shape[1] + 1)


def _cube(base: Float64) -> Float64:
    return base * base * base  # a general power is many times slower


@dataclass(frozen=True)
class Kernel(Metric):
    """KID / KD: the mean over ``subsets`` subsets of ``subset_size`` samples; the stream's first set is the generated one."""

    subsets: int = 100
    subset_size: int = 1000
    seed: int = 2020

    name: ClassVar[str] = "kernel"
    values: ClassVar[tuple[Value, ...]] = (Value("kid", "KID", "KD", "lower", "squared kernel distance"),)
    needs: ClassVar[frozenset[Need]] = frozenset({"reference"})

    @property
    def minimum(self) -> int:
        return self.subset_size

    def compute(self, fake: FeatureBank, reference: FeatureBank | None) -> Mapping[str, float]:
        """``kid``. Raises :class:`MetricError` where either set is smaller than a subset."""
        real = given(reference)
        return {"kid": kernel_distance(fake.features, real.features, self.subsets, self.subset_size, self.seed).mean}

    def replicate(self, fake: FeatureBank, reference: FeatureBank | None, group: Int64) -> Replicates:
        """All from one pass, on the same subsets; raises :class:`MetricError` as :meth:`compute` does."""
        sets = fake.features, given(reference).features
        distance, *without = kernel_distances_without(*sets, group, self.subsets, self.subset_size, self.seed)
        known = tuple({"kid": float(value)} for value in without) if np.isfinite(without).all() else ()
        return Replicates({"kid": float(distance)}, known)


METRICS.add(Kernel.name, Kernel())
