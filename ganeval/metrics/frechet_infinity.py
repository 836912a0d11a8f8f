"""FID-infinity: the Fréchet distance extrapolated to infinitely many generated samples.

Chong & Forsyth, CVPR 2020, arXiv 1911.07023. The reference is taken as it is: the bias of its own number of images stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from ganeval.features import FeatureBank, Int64, Moments
from ganeval.metrics.base import METRICS, Metric, Need, Replicates, Value
from ganeval.metrics.checks import Array, check_pair, given
from ganeval.metrics.extrapolation import Extrapolated, extrapolate, fewest
from ganeval.metrics.frechet import Frechet
from ganeval.metrics.low_rank import distance_to_moments
from ganeval.metrics.order import own_order


def frechet_infinity(fake: Array, reference: Moments, points: int = 15, seed: int = 2020) -> Extrapolated:
    """The distance of ``fake`` (N, D) to ``reference`` in the limit of large N, with the error of the fit.

    Not bounded by 0: at a true distance of 0 it scatters around it. Where the smallest subsets, of N / 10 samples, have fewer
    samples than dimensions, the bias is no longer proportional to 1 / N and the limit comes out too low.
    """
    samples = fake[own_order(fake)]
    return extrapolate(lambda chosen: distance_to_moments(samples[chosen], reference), len(samples), points, seed)


@dataclass(frozen=True)
class FrechetInfinity(Metric):
    """FID-inf / FD-inf from ``points`` subsets drawn with ``seed``."""

    points: int = 15
    seed: int = 2020

    name: ClassVar[str] = "frechet_infinity"
    values: ClassVar[tuple[Value, ...]] = (Value("fid_inf", "FID-inf", "FD-inf", "lower", "squared feature distance"),)
    needs: ClassVar[frozenset[Need]] = frozenset({"reference"})

    @property
    def minimum(self) -> int:
        return fewest(self.points)

    def compute(self, fake: FeatureBank, reference: FeatureBank | None) -> Mapping[str, float]:
        """``fid_inf``. Raises :class:`MetricError` for too few samples or unequal dimensions."""
        return {"fid_inf": self._fit(fake, reference).limit}

    def replicate(self, fake: FeatureBank, reference: FeatureBank | None, group: Int64) -> Replicates:
        """The jackknife is the plain distance's: other samples move every point of the line, and so its limit, alike."""
        fit = self._fit(fake, reference)
        without = tuple({"fid_inf": plain["fid"]} for plain in Frechet().without_groups(fake, reference, group))
        return Replicates({"fid_inf": fit.limit}, without, {"fid_inf": fit.fit_error})

    def _fit(self, fake: FeatureBank, reference: FeatureBank | None) -> Extrapolated:
        real = given(reference)
        check_pair(fake.features, real.features, minimum=2)
        return frechet_infinity(fake.features, real.moments, self.points, self.seed)


METRICS.add(FrechetInfinity.name, FrechetInfinity())
