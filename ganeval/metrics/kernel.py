"""Kernel distance: KID on Inception, KD on other extractors.

Unbiased squared maximum mean discrepancy under k(x, y) = (x'y / D + 1)^3, averaged over subsets (Binkowski et al., ICLR 2018,
arXiv 1801.01401). Unbiased, hence it may be slightly negative.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ganeval.errors import MetricError
from ganeval.features import FeatureBank, Float64, Int64
from ganeval.metrics.base import METRICS, Metric, Need, Value
from ganeval.metrics.checks import Array, check_pair, given
from ganeval.progress import counted

BLOCK = 1024


class KernelDistance(NamedTuple):
    """``mean`` over the subsets and their standard deviation ``std`` (ddof 0); the mean's own noise is std / sqrt(subsets)."""

    mean: float
    std: float


def kernel_distance(x: Array, y: Array, subsets: int = 100, subset_size: int = 1000, seed: int = 2020) -> KernelDistance:
    """The kernel distance of ``x`` (N, D) and ``y`` (M, D) over ``subsets`` pairs of ``subset_size`` samples each.

    Subsets are drawn without replacement from one stream, ``x`` before ``y``: torch-fidelity's order, so that the same seed
    gives its subsets. Kernels are float64. Raises :class:`MetricError` where a set is smaller than a subset.
    """
    check_pair(x, y, minimum=2)
    if not 2 <= subset_size <= min(len(x), len(y)):
        raise MetricError(
            f"subsets of {subset_size} cannot be drawn from sets of {len(x)} and {len(y)} samples: "
            f"subset_size must lie between 2 and {min(len(x), len(y))}"
        )
    stream = np.random.RandomState(seed)
    distances = []
    for _ in range(subsets):
        a = x[stream.choice(len(x), subset_size, replace=False)].astype(np.float64)
        b = y[stream.choice(len(y), subset_size, replace=False)].astype(np.float64)
        distances.append(squared_discrepancy(a, b))
    return KernelDistance(float(np.mean(distances)), float(np.std(distances)))


def squared_discrepancy(x: Float64, y: Float64) -> float:
    """Unbiased MMD^2 of ``x`` (n, D) and ``y`` (m, D) under the cubic kernel; pairs of a sample with itself are left out."""
    n, m = len(x), len(y)
    within_x = (_cubic(x, x).sum() - _cubic_diagonal(x).sum()) / (n * (n - 1))
    within_y = (_cubic(y, y).sum() - _cubic_diagonal(y).sum()) / (m * (m - 1))
    return float(within_x + within_y - 2 * _cubic(x, y).sum() / (n * m))


def _cubic(x: Float64, y: Float64) -> Float64:
    return _cube(x @ y.T / x.shape[1] + 1)


def _cubic_diagonal(x: Float64) -> Float64:
    return _cube(np.square(x).sum(axis=1) / x.shape[1] + 1)


def _cube(base: Float64) -> Float64:
    return base * base * base  # a general power is many times slower


class Subsets(NamedTuple):
    """Row s holds the samples of subset s: ``fake`` (S, m) and ``real`` (S, m) indices."""

    fake: Int64
    real: Int64


def subset_distances(x: Array, y: Array, subsets: Subsets) -> Float64:
    """(S,) the squared discrepancy of many subsets, each kernel value formed once, BLOCK x BLOCK at a time."""
    size = subsets.fake.shape[1]
    chosen = [_membership(index, len(rows)) for index, rows in zip(subsets, (x, y), strict=True)]
    within = [
        _kernel_sums(rows, rows, own, own) - own @ _cubic_diagonal(rows.astype(np.float64))
        for rows, own in zip((x, y), chosen, strict=True)
    ]
    across = _kernel_sums(x, y, *chosen)
    made: Float64 = (within[0] + within[1]) / (size * (size - 1)) - 2 * across / size**2
    return made


def _membership(index: Int64, count: int) -> Float64:
    """(S, count) 1 where a sample belongs to a subset."""
    made = np.zeros((len(index), count))
    np.put_along_axis(made, index, 1.0, axis=1)
    return made


def _kernel_sums(x: Array, y: Array, of_x: Float64, of_y: Float64) -> Float64:
    """(S,) the sum of the kernel over each subset's pairs; of a set with itself half of the pairs are formed."""
    symmetric = x is y
    blocks = [
        (slice(i, i + BLOCK), slice(j, j + BLOCK))
        for i in range(0, len(x), BLOCK)
        for j in range(i if symmetric else 0, len(y), BLOCK)
    ]
    total = np.zeros(len(of_x))
    for rows, columns in counted("kernel distance without each group", blocks):
        kernel = _cubic(x[rows].astype(np.float64), y[columns].astype(np.float64))
        weight = 2 if symmetric and rows != columns else 1
        total += weight * np.einsum("sj,sj->s", of_x[:, rows] @ kernel, of_y[:, columns])
    return total


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

    def without_groups(
        self, fake: FeatureBank, reference: FeatureBank | None, group: NDArray[np.int64]
    ) -> Sequence[Mapping[str, float]]:
        """The values without each group. Their subsets overlap: where the kernel of all pairs is less work than that of each
        subset on its own, every pair's is formed once."""
        real, groups = given(reference), int(group.max()) + 1
        left = len(fake) - np.bincount(group)
        check_pair(fake.features, real.features, minimum=2)
        if self._one_by_one_is_less(len(fake), len(real), groups, fake.features.shape[1]) or left.min() < self.subset_size:
            return super().without_groups(fake, reference, group)
        drawn = [self._subsets(np.flatnonzero(group != g), len(real)) for g in range(groups)]
        all_subsets = Subsets(*(np.concatenate(parts) for parts in zip(*drawn, strict=True)))
        distances = subset_distances(fake.features, real.features, all_subsets)
        return [{"kid": float(part.mean())} for part in distances.reshape(groups, self.subsets)]

    def _subsets(self, kept: Int64, reals: int) -> Subsets:
        """The subsets :func:`kernel_distance` draws from the samples ``kept``."""
        stream = np.random.RandomState(self.seed)
        drawn = [
            (
                kept[stream.choice(len(kept), self.subset_size, replace=False)],
                stream.choice(reals, self.subset_size, replace=False),
            )
            for _ in range(self.subsets)
        ]
        return Subsets(*(np.stack(parts) for parts in zip(*drawn, strict=True)))

    def _one_by_one_is_less(self, fakes: int, reals: int, groups: int, dimensions: int) -> bool:
        """By the multiplications in matrix products."""
        subsets = groups * self.subsets
        together = (fakes**2 / 2 + reals**2 / 2 + fakes * reals) * (dimensions + subsets)
        return bool(2 * subsets * self.subset_size**2 * dimensions < together)


METRICS.add(Kernel.name, Kernel())
