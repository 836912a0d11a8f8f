"""Kernel distance: KID on Inception, KD on other extractors.

Unbiased squared maximum mean discrepancy under k(x, y) = (x'y / D + 1)^3, averaged over subsets (Binkowski et al., ICLR 2018,
arXiv 1801.01401). Unbiased, hence it may be slightly negative.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from ganeval.errors import MetricError
from ganeval.features import FeatureBank, Float64
from ganeval.metrics.base import METRICS, Metric, Need, Value
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


METRICS.add(Kernel.name, Kernel())
