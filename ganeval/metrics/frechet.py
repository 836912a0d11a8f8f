"""Fréchet distance between the Gaussians fitted to two sets of features: FID on Inception, FD on other extractors.

    d = |m1 - m2|^2 + tr S1 + tr S2 - 2 tr (S1 S2)^(1/2)

Heusel et al., NIPS 2017, arXiv 1706.08500; covariances normalised by N - 1. The trace of the root is the sum of
the singular values of F1' F2 for any factors S1 = F1 F1', S2 = F2 F2'. No matrix root is taken, so nothing can be complex.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from ganeval.errors import MetricError
from ganeval.features import FeatureBank, Int64, Moments, moments_of
from ganeval.metrics.base import FRECHET, METRICS, Metric, Need, Replicates, Value
from ganeval.metrics.checks import Array, check_pair, given

# A distance, or an eigenvalue of a covariance, this little below zero is rounding of (float32) statistics, relative to its scale.
ROUNDING = 1e-6

# Relative to the largest eigenvalue: null eigenvalues of a singular product came out below 2 eps, measured at D = 2 to 700.
NEGLIGIBLE = 64 * torch.finfo(torch.float64).eps


def frechet_distance(a: Moments, b: Moments) -> float:
    """The squared distance of two Gaussians, in squared feature units; 0 where they are the same.

    Raises :class:`MetricError` where the moments differ in dimension, rest on fewer than 2 samples, are not finite or
    are no covariances, and where a number overflows.
    """
    for moments in (a, b):
        _check_moments(moments)
    if len(a.mean) != len(b.mean):
        raise MetricError(f"{len(a.mean)} and {len(b.mean)} feature dimensions cannot be compared: use one extractor for both")
    shift = a.mean - b.mean
    with _solver_failures():
        root = _trace_of_root(torch.tensor(a.cov, dtype=torch.float64), torch.tensor(b.cov, dtype=torch.float64))
    return _distance(float(shift @ shift), float(np.trace(a.cov) + np.trace(b.cov)), root)


def frechet_distance_of_samples(x: Array, y: Array) -> float:
    """The distance of the Gaussians fitted to ``x`` (N, D) and ``y`` (M, D).

    Where neither set has more samples than dimensions, no D x D matrix is formed: with the centred samples as factors the
    trace of the root is the nuclear norm of an N x M matrix. Raises :class:`MetricError` as :func:`frechet_distance` does.
    """
    check_pair(x, y, minimum=2)
    if max(len(x), len(y)) > x.shape[1]:
        return frechet_distance(moments_of(x), moments_of(y))
    shift = x.mean(axis=0, dtype=np.float64) - y.mean(axis=0, dtype=np.float64)
    a, b = _centred_factor(x), _centred_factor(y)
    with _solver_failures():
        root = float(torch.linalg.svdvals(a @ b.T).sum())
    return _distance(float(shift @ shift), float(a.square().sum() + b.square().sum()), root)


@contextmanager
def _solver_failures() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:  # what torch's LinAlgError is
        raise MetricError(f"the matrix solver failed: {' '.join(str(error).split())}") from error


def _distance(shift: float, spread: float, root: float) -> float:
    distance = shift + spread - 2 * root
    if not -ROUNDING * (shift + spread) <= distance < math.inf:
        raise MetricError(f"the squared distance came out as {distance:.3g}: the features are too large or the moments wrong")
    return max(distance, 0.0)


def _trace_of_root(a: Tensor, b: Tensor) -> float:
    """tr (a b)^(1/2) of two positive semi-definite float64 matrices.

    With a = L L' it is the sum of the roots of the eigenvalues of L' b L: one Cholesky factor and one symmetric eigenproblem.
    Roots magnify rounding near zero, so a (nearly) singular product takes the slower way over the factors of both matrices,
    which drops the null directions and takes no root of a rounding error.
    """
    lower, failed = torch.linalg.cholesky_ex(a)
    if not failed:
        eigenvalues = torch.linalg.eigvalsh(lower.T @ b @ lower)
        if eigenvalues[0] > _negligible(eigenvalues):
            return float(eigenvalues.sqrt().sum())
    return float(torch.linalg.svdvals(_factor(a).T @ _factor(b)).sum())


def _factor(cov: Tensor) -> Tensor:
    """F (D, rank) with F F' = cov; eigenvalues within rounding of zero are dropped, one clearly below it is an error."""
    eigenvalues, vectors = torch.linalg.eigh(cov)
    if eigenvalues[0] < -ROUNDING * float(eigenvalues.abs().max()):
        raise MetricError(f"a covariance is not positive semi-definite: it has the eigenvalue {float(eigenvalues[0]):.3g}")
    kept = eigenvalues > _negligible(eigenvalues)
    factor: Tensor = vectors[:, kept] * eigenvalues[kept].sqrt()
    return factor


def _negligible(eigenvalues: Tensor) -> float:
    """The size below which an eigenvalue cannot be told from zero; ``eigenvalues`` ascend."""
    return NEGLIGIBLE * max(float(eigenvalues[-1]), 0.0)


def _centred_factor(x: Array) -> Tensor:
    centred = x - x.mean(axis=0, dtype=np.float64)
    return torch.from_numpy(centred / np.sqrt(len(x) - 1))


def _check_moments(moments: Moments) -> None:
    dimensions = moments.mean.shape
    if len(dimensions) != 1 or moments.cov.shape != dimensions * 2:
        raise MetricError(f"moments need a mean (D,) and a covariance (D, D), got {dimensions} and {moments.cov.shape}")
    if moments.count < 2:
        raise MetricError(f"moments need at least 2 samples, got {moments.count}")
    if not (np.isfinite(moments.mean).all() and np.isfinite(moments.cov).all()):
        raise MetricError("the mean or the covariance is not finite")


@dataclass(frozen=True)
class Frechet(Metric):
    """FID / FD. The covariances are cached in the banks; small sets take the form that needs none."""

    name: ClassVar[str] = "frechet"
    values: ClassVar[tuple[Value, ...]] = (FRECHET,)
    needs: ClassVar[frozenset[Need]] = frozenset({"reference"})

    def compute(self, fake: FeatureBank, reference: FeatureBank | None) -> Mapping[str, float]:
        """``fid`` from the banks' features. Raises :class:`MetricError` for fewer than 2 samples or unequal dimensions."""
        real = given(reference)
        if max(len(fake), len(real)) <= fake.features.shape[1]:
            return {"fid": frechet_distance_of_samples(fake.features, real.features)}
        return {"fid": frechet_distance(fake.moments, real.moments)}

    def replicate(self, fake: FeatureBank, reference: FeatureBank | None, group: Int64) -> Replicates:
        """One more pass over the features for all groups together."""
        from ganeval.metrics.frechet_without import distances_without

        values = self.compute(fake, reference)
        try:
            return Replicates(values, tuple({"fid": d} for d in distances_without(fake, given(reference), group)))
        except MetricError:
            return Replicates(values)


METRICS.add(Frechet.name, Frechet())
