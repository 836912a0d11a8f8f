"""Fréchet distance between the Gaussians fitted to two sets of features: FID on Inception, FD on other extractors.

    d = |m1 - m2|^2 + tr S1 + tr S2 - 2 tr (S1 S2)^(1/2)

Heusel et al., NIPS 2017, arXiv 1706.08500; covariances normalised by N - 1. The trace of the root is the sum of
the singular values of F1' F2 for any factors S1 = F1 F1', S2 = F2 F2'. No matrix root is taken, so nothing can be complex.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganeval.canonical import later
from ganeval.errors import MetricError
from ganeval.features import FeatureBank, Float64, MomentBank, Moments, moments_of
from ganeval.metrics.base import FRECHET, METRICS, Metric, Need, Value
from ganeval.metrics.checks import Array, check_pair, given
from ganeval.metrics.memory import remembered
from ganeval.progress import counted

# A distance, or an eigenvalue of a covariance, this little below zero is rounding of (float32) statistics, relative to its scale.
ROUNDING = 1e-6

# Relative to the largest eigenvalue: null eigenvalues of a singular product came out below 2 eps, measured at D = 2 to 700.
NEGLIGIBLE = 64 * torch.finfo(torch.float64).eps


def frechet_distance(a: Moments, b: Moments) -> float:
    """The squared distance of two Gaussians, in squared feature units; 0 where they are the same.

    Raises :class:`MetricError` where the moments differ in dimension, rest on fewer than 2 samples, are not finite or
    are no covariances, and where a number overflows.
    """
    _check_pair_of_moments(a, b)
    return _distance_of_moments(a, b, _cholesky(b.cov))


def _distance_of_moments(a: Moments, b: Moments, lower: Tensor | None) -> float:
    with _solver_failures():
        root = _trace_of_root(torch.tensor(a.cov, dtype=torch.float64), torch.tensor(b.cov, dtype=torch.float64), lower)
    return _distance_with_root(a, b, root)


def _distance_with_root(a: Moments, b: Moments, root: float) -> float:
    shift = a.mean - b.mean
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


def _trace_of_root(a: Tensor, b: Tensor, lower: Tensor | None) -> float:
    """tr (a b)^(1/2) of two positive semi-definite float64 matrices, b = L L' with the Cholesky factor L where it has one.

    It is the sum of the roots of the eigenvalues of L' a L: one symmetric eigenproblem.
    Roots magnify rounding near zero, so a (nearly) singular product takes the slower way over the factors of both matrices,
    which drops the null directions and takes no root of a rounding error.
    """
    if lower is not None:
        eigenvalues = torch.linalg.eigvalsh(lower.T @ a @ lower)
        if eigenvalues[0] > _negligible(eigenvalues):
            return float(eigenvalues.sqrt().sum())
    return float(torch.linalg.svdvals(_factor(a).T @ _factor(b)).sum())


def _cholesky(cov: Float64) -> Tensor | None:
    """The lower factor of a covariance (D, D), ``None`` where it is singular."""
    lower, failed = torch.linalg.cholesky_ex(torch.tensor(cov, dtype=torch.float64))
    return None if failed else lower


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


def _check_pair_of_moments(a: Moments, b: Moments) -> None:
    for moments in (a, b):
        _check_moments(moments)
    if len(a.mean) != len(b.mean):
        raise MetricError(f"{len(a.mean)} and {len(b.mean)} feature dimensions cannot be compared: use one extractor for both")


def _check_moments(moments: Moments) -> None:
    dimensions = moments.mean.shape
    if len(dimensions) != 1 or moments.cov.shape != dimensions * 2:
        raise MetricError(f"moments need a mean (D,) and a covariance (D, D), got {dimensions} and {moments.cov.shape}")
    if moments.count is not None and moments.count < 2:
        raise MetricError(f"moments need at least 2 samples, got {moments.count}")
    if not (np.isfinite(moments.mean).all() and np.isfinite(moments.cov).all()):
        raise MetricError("the mean or the covariance is not finite")


def _normalised(moments: Moments, ddof: int) -> Moments:
    """``moments``, whose covariance is normalised by ``count - 1``, with one normalised by ``count - ddof``.

    Statistics of which nobody knows the count are taken as they are.
    """
    count = moments.count
    if count is None:
        return moments
    return Moments(moments.mean, moments.cov * ((count - 1) / (count - ddof)), count)


@dataclass(frozen=True)
class Frechet(Metric):
    """FID / FD. The covariances are cached in the banks; small sets take the form that needs none.

    Covariances are normalised by N - ``ddof``: 1 nearly everywhere, 0 in StyleGAN's code, tr S / N less of each trace.
    """

    ddof: int = later(1)

    name: ClassVar[str] = "frechet"
    values: ClassVar[tuple[Value, ...]] = (FRECHET,)
    needs: ClassVar[frozenset[Need]] = frozenset({"reference"})
    moments_suffice: ClassVar[bool] = True

    def compute(self, fake: FeatureBank, reference: FeatureBank | None) -> Mapping[str, float]:
        """``fid`` from the banks' features. Raises :class:`MetricError` for fewer than 2 samples or unequal dimensions."""
        real = given(reference)
        if self.ddof != 1:
            return {"fid": frechet_distance(_normalised(fake.moments, self.ddof), _normalised(real.moments, self.ddof))}
        few = not isinstance(fake, MomentBank) and len(fake) <= fake.features.shape[1]
        if few and not isinstance(real, MomentBank) and len(real) <= real.features.shape[1]:
            return {"fid": frechet_distance_of_samples(fake.features, real.features)}
        _check_pair_of_moments(fake.moments, real.moments)
        lower = _factor_of_reference(real)
        if lower is not None and few:
            return {"fid": _distance_of_few(fake, real.moments, lower)}
        return {"fid": _distance_of_moments(fake.moments, real.moments, lower)}

    def without_groups(
        self, fake: FeatureBank, reference: FeatureBank | None, group: NDArray[np.int64]
    ) -> Sequence[Mapping[str, float]]:
        """The values without each group, whose moments are those of all samples less the group's, in float64.

        A null direction may add the root of a rounding error, 1e-8 of the largest singular value: too little for a standard error
        to tell, and five times as fast as :func:`frechet_distance`, which has none.
        """
        real = given(reference)
        if self.ddof != 1 or len(fake) - int(np.bincount(group).max()) <= fake.features.shape[1]:
            return super().without_groups(fake, reference, group)  # a difference of moments would have noise for null directions
        _check_pair_of_moments(fake.moments, real.moments)
        factor, groups = _some_factor_of_reference(real), range(int(group.max()) + 1)
        return [
            {"fid": _distance_from_factor(_moments_without(fake, group == g), real.moments, factor)}
            for g in counted("Fréchet distance without each group", groups)
        ]


def _distance_of_few(few: FeatureBank, moments: Moments, lower: Tensor) -> float:
    """The distance of fewer samples than dimensions: they are a factor of their singular covariance."""
    with _solver_failures():
        root = float(torch.linalg.svdvals(_centred_factor(few.features) @ lower).sum())
    return _distance_with_root(few.moments, moments, root)


def _distance_from_factor(a: Moments, b: Moments, factor: Tensor) -> float:
    """The distance from the roots of the eigenvalues of F' S1 F, S2 = F F'; rounding makes null ones a little more or less."""
    with _solver_failures():
        eigenvalues = torch.linalg.eigvalsh(factor.T @ torch.from_numpy(a.cov) @ factor)
    return _distance_with_root(a, b, float(eigenvalues.clamp(min=0).sqrt().sum()))


def _factor_of_reference(real: FeatureBank) -> Tensor | None:
    """The Cholesky factor, computed once per reference."""
    with _solver_failures():
        return remembered(real, "cholesky", lambda: _cholesky(real.moments.cov))


def _some_factor_of_reference(real: FeatureBank) -> Tensor:
    """The Cholesky factor, or where the covariance is singular one of fewer columns, computed once per reference."""
    lower = _factor_of_reference(real)
    if lower is not None:
        return lower
    with _solver_failures():
        return remembered(real, "eigenfactor", lambda: _factor(torch.tensor(real.moments.cov, dtype=torch.float64)))


def _moments_without(bank: FeatureBank, left_out: NDArray[np.bool_]) -> Moments:
    """Mean and covariance of the other samples. Everything is taken from the mean of all, so that nothing cancels."""
    mean, cov, _ = bank.moments
    count = len(bank)
    gone = bank.features[left_out] - mean
    left = count - len(gone)
    shift = -gone.sum(axis=0) / left
    scatter = cov * (count - 1) - gone.T @ gone - left * np.outer(shift, shift)
    return Moments(mean + shift, scatter / (left - 1), left)


METRICS.add(Frechet.name, Frechet())
