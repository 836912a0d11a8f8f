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
from ganeval.metrics.nearest import BLOCK, nearest, nearest_other


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
    if not 0 <= quantile <= 1:
        raise MetricError(f"a quantile lies between 0 and 1, got {quantile}")
    check_pair(fake, training, minimum=1)
    if len(training) < 2:
        raise MetricError("the distances between training images need at least 2 of them, got 1")
    among, to_training = nearest_other(training, block).distance, nearest(fake, training, block)
    threshold = float(np.quantile(among, quantile))
    return Copying(
        authenticity=float((to_training.distance > among[to_training.row]).mean()),
        memorised=float((to_training.distance <= threshold).mean()),
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
        found = copying(fake.features, given(reference).features, self.quantile)
        return {"authenticity": found.authenticity, "memorised": found.memorised}


METRICS.add(Memorisation.name, Memorisation())
