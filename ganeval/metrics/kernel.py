"""Kernel distance: KID on Inception, KD on other extractors.

Unbiased squared maximum mean discrepancy under k(x, y) = (x'y / D + 1)^3, averaged over subsets (Binkowski et al., ICLR 2018,
arXiv 1801.01401). Unbiased, hence it may be slightly negative.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from ganeval.errors import MetricError
from ganeval.features import FeatureBank, Float64, Int64
from ganeval.metrics.base import METRICS, Metric, Need, Replicates, Value
from ganeval.metrics.checks import Array, check_pair, given
from ganeval.metrics.memory import kept

WHOLE = 2**26
"""The most kernels of two sets that are held at once: 512 MiB."""

Cubes = Callable[[Int64, Int64], Float64]
"""The indices (n,) of some samples and (m,) of others to their kernels (n, m), which are the caller's own."""


class KernelDistance(NamedTuple):
    """``mean`` over the subsets and their standard deviation ``std`` (ddof 0); the mean's own noise is std / sqrt(subsets)."""

    mean: float
    std: float


@dataclass(frozen=True)
class Subsets:
    """``number`` pairs of subsets of ``size`` samples each, drawn without replacement from one stream, the first set's before the
    second's: torch-fidelity's order, so that the same ``seed`` gives its subsets."""

    number: int = 100
    size: int = 1000
    seed: int = 2020

    def draw(self, n: int, m: int) -> Iterator[tuple[Int64, Int64]]:
        """Ascending indices into sets of ``n`` and of ``m`` samples; raises :class:`MetricError` where a set is smaller than a
        subset."""
        if not 2 <= self.size <= min(n, m):
            raise MetricError(
                f"subsets of {self.size} cannot be drawn from sets of {n} and {m} samples: "
                f"subset_size must lie between 2 and {min(n, m)}"
            )
        return self._pairs(n, m)

    def _pairs(self, n: int, m: int) -> Iterator[tuple[Int64, Int64]]:
        stream = np.random.RandomState(self.seed)
        for _ in range(self.number):
            first, second = (stream.choice(count, self.size, replace=False) for count in (n, m))
            yield np.sort(first), np.sort(second)  # ascending ones are read from memory twice as fast


def kernel_distance(x: Array, y: Array, subsets: int = 100, subset_size: int = 1000, seed: int = 2020) -> KernelDistance:
    """The kernel distance of ``x`` (N, D) and ``y`` (M, D) over ``subsets`` pairs of ``subset_size`` samples each.

    See :class:`Subsets` for how they are drawn. Kernels are float64. Raises :class:`MetricError` where a set is smaller than a
    subset.
    """
    check_pair(x, y, minimum=2)
    drawn = Subsets(subsets, subset_size, seed)
    distances = [sums.discrepancy() for sums, _ in _sums_of_subsets(x, y, drawn, sums_within(y, len(x), drawn))]
    return KernelDistance(float(np.mean(distances)), float(np.std(distances)))


def sums_within(y: Array, others: int, drawn: Subsets) -> Float64:
    """(S,) the sum of the kernels of the samples of each subset of ``y`` with each other, beside a set of ``others`` samples."""
    pairs, cubes = drawn.draw(others, len(y)), _cubes(y, y, drawn)
    return np.array([_without_diagonal(cubes(j, j)).sum() for _, j in pairs])


def _sums_of_subsets(x: Array, y: Array, drawn: Subsets, within: Float64) -> Iterator[tuple[KernelSums, Int64]]:
    """The sums of each pair of subsets, ``within`` from :func:`sums_within`, and the indices of the samples of ``x``."""
    pairs, inside, across = drawn.draw(len(x), len(y)), _cubes(x, x, drawn), _cubes(x, y, drawn)
    for (i, j), yy in zip(pairs, within, strict=True):
        yield _kernel_sums(inside(i, i), across(i, j), float(yy)), i


def _cubes(x: Array, y: Array, drawn: Subsets) -> Cubes:
    """The kernels of samples of ``x`` and of ``y``: all formed at once where that is less work than for each pair of subsets."""
    if len(x) * len(y) <= min(WHOLE, drawn.number * drawn.size**2):
        whole = _cubic(x.astype(np.float64), y.astype(np.float64))
        return lambda i, j: whole[np.ix_(i, j)]
    return lambda i, j: _cubic(x[i].astype(np.float64), y[j].astype(np.float64))


def kernel_distances_without(x: Array, y: Array, group: Int64, drawn: Subsets, within: Float64) -> Float64:
    """(G + 1,) the mean over the subsets, then the same without each group of ``x``; ``group`` (N,) counts from 0.

    The subsets stay as they are, less the samples of the group: with other draws for each group, the noise of the draws would
    pass for a spread of the samples. ``within`` are :func:`sums_within` of ``y``. One pass of kernels gives all, from their sums
    over pairs of groups. A mean is NaN where some subset is left with fewer than 2 samples.
    """
    groups = int(group.max()) + 1
    whole, without = [], []
    for sums, i in _sums_of_subsets(x, y, drawn, within):
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


def _kernel_sums(inside: Float64, across: Float64, yy: float) -> KernelSums:
    rows = _without_diagonal(inside)
    return KernelSums(rows, across.sum(axis=1), rows.sum(), yy, across.sum(), *across.shape)


def _without_diagonal(kernels: Float64) -> Float64:
    np.fill_diagonal(kernels, 0)
    return kernels


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


def squared_discrepancy(x: Float64, y: Float64) -> float:
    """Unbiased MMD^2 of ``x`` (n, D) and ``y`` (m, D) under the cubic kernel; pairs of a sample with itself are left out."""
    return _kernel_sums(_cubic(x, x), _cubic(x, y), float(_without_diagonal(_cubic(y, y)).sum())).discrepancy()


def _cubic(x: Float64, y: Float64) -> Float64:
    """(n, m) the kernels, in place: of large sets every further copy would be another hundred megabytes."""
    base: Float64 = x @ y.T
    base /= x.shape[1]
    base += 1
    square = np.square(base)  # a general power is many times slower
    square *= base
    return square


@dataclass(frozen=True)
class Kernel(Metric):
    """KID / KD: the mean over ``subsets`` subsets of ``subset_size`` samples; the stream's first set is the generated one."""

    subsets: int = 100
    subset_size: int = 1000
    seed: int = 2020

    name: ClassVar[str] = "kernel"
    values: ClassVar[tuple[Value, ...]] = (Value("kid", "KID", "KD", "lower", "squared kernel distance"),)
    needs: ClassVar[frozenset[Need]] = frozenset({"reference"})
    minimum_of_both: ClassVar[bool] = True

    @property
    def minimum(self) -> int:
        return self.subset_size

    def compute(self, fake: FeatureBank, reference: FeatureBank | None) -> Mapping[str, float]:
        """``kid``. Raises :class:`MetricError` where either set is smaller than a subset."""
        real = given(reference)
        sums = _sums_of_subsets(fake.features, real.features, self._drawn, self._within(fake, real))
        return {"kid": float(np.mean([each.discrepancy() for each, _ in sums]))}

    def replicate(self, fake: FeatureBank, reference: FeatureBank | None, group: Int64) -> Replicates:
        """All from one pass, on the same subsets; raises :class:`MetricError` as :meth:`compute` does."""
        real = given(reference)
        within = self._within(fake, real)
        distance, *without = kernel_distances_without(fake.features, real.features, group, self._drawn, within)
        known = tuple({"kid": float(value)} for value in without) if np.isfinite(without).all() else ()
        return Replicates({"kid": float(distance)}, known)

    @property
    def _drawn(self) -> Subsets:
        return Subsets(self.subsets, self.subset_size, self.seed)

    def _within(self, fake: FeatureBank, real: FeatureBank) -> Float64:
        """The sums within the reference's subsets, which follow from it and the number of generated samples: kept with it."""
        check_pair(fake.features, real.features, minimum=2)
        drawn, others = self._drawn, len(fake)
        arrays = kept(
            real, "kernel_sums", lambda: {"within": sums_within(real.features, others, drawn)},
            others=others, **dataclasses.asdict(drawn),
        )  # fmt: skip
        return arrays["within"]


METRICS.add(Kernel.name, Kernel())
