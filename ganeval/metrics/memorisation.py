"""Does the generator copy? Each generated sample beside the training image nearest to it.

``authenticity``: the fraction of samples that are farther from their nearest training image than that image is from its nearest
other one. Alaa et al., How faithful is your synthetic data?, ICML 2022, arXiv 2102.08921, section 2.3. ``memorised``: the
fraction nearer to a training image than nearly all training images are to each other. Both mean this only where the reference is
the training set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from ganeval.errors import MetricError
from ganeval.features import FeatureBank
from ganeval.metrics.base import METRICS, Metric, Need, Value
from ganeval.metrics.checks import Array, check_pair, given
from ganeval.metrics.distances import BLOCK, clouds
from ganeval.metrics.neighbours import Nearest, nearest, nearest_among, neighbours_of


class Copying(NamedTuple):
    """Fractions in [0, 1]. ``threshold`` is the distance up to which a sample counts as memorised."""

    authenticity: float
    memorised: float
    threshold: float


def copying(fake: Array, training: Array, quantile: float = 0.01, block: int = BLOCK) -> Copying:
    """The fractions of ``fake`` (N, D) against ``training`` (M, D), M >= 2.

    The threshold is the ``quantile`` of the distances from each training image to its nearest other one: images that
    are new draws of the same distribution lie within it as often, in the fraction ``quantile``. Exact copies
    always do. Where more than that fraction of the training images have duplicates, the threshold is 0 and finds exact
    copies alone. Raises :class:`MetricError` for sets too small, and a quantile outside 0 .. 1.
    """
    _check(fake, training, quantile)
    return _copying(fake, training, nearest(clouds(training)[0], 1, block, "neighbours among real"), quantile, block)


def _check(fake: Array, training: Array, quantile: float) -> None:
    if not 0 <= quantile <= 1:
        raise MetricError(f"a quantile lies between 0 and 1, got {quantile}")
    check_pair(fake, training, minimum=1)
    if len(training) < 2:
        raise MetricError("the distances between training images need at least 2 of them, got 1")


def _copying(fake: Array, training: Array, near: Nearest, quantile: float, block: int) -> Copying:
    """The same, from ``near``, the nearest other training images of each."""
    reals, fakes = clouds(training, fake)
    found = nearest_among(reals, fakes, 1, block, "generated among real")
    among, distance, row = np.sqrt(near.squared[:, 0]), np.sqrt(found.squared[:, 0]), found.who[:, 0]
    threshold = float(np.quantile(among, quantile))
    return Copying(
        authenticity=float((distance > among[row]).mean()),
        memorised=float((distance <= threshold).mean()),
        threshold=threshold,
    )


@dataclass(frozen=True)
class Memorisation(Metric):
    """Authenticity, and the memorised fraction by a threshold at ``quantile`` of the training images' own distances."""

    quantile: float = 0.01

    name: ClassVar[str] = "memorisation"
    values: ClassVar[tuple[Value, ...]] = (
        Value("authenticity", "Authenticity", "Authenticity", "higher", "fraction", (0, 1), proportion=True),
        Value("memorised", "Memorised", "Memorised", "lower", "fraction", (0, 1), proportion=True),
    )
    needs: ClassVar[frozenset[Need]] = frozenset({"reference"})

    @property
    def minimum(self) -> int:
        return 1

    def compute(self, fake: FeatureBank, reference: FeatureBank | None) -> Mapping[str, float]:
        """``authenticity`` and ``memorised``. Raises :class:`MetricError` for a reference of fewer than 2 images."""
        real = given(reference)
        _check(fake.features, real.features, self.quantile)
        near = neighbours_of(real, 1, "neighbours among real")
        found = _copying(fake.features, real.features, near, self.quantile, BLOCK)
        return {"authenticity": found.authenticity, "memorised": found.memorised}


METRICS.add(Memorisation.name, Memorisation())
