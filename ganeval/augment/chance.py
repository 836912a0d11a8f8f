"""Random numbers of a batch: one per image, in float64, from one generator that all processes share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ganeval.gather import drawn


@dataclass(frozen=True)
class Draws:
    """Draws for ``count`` images from ``rng``, on its device; every method gives (count,).

    Several processes, each with ``count`` images of one batch, draw what a single one with all of them would.

    Parameters are drawn in float64 whatever the images are, so float32 and float64 images meet the same transforms.
    """

    rng: torch.Generator
    count: int

    def uniform(self, low: float = 0.0, high: float = 1.0) -> Tensor:
        """float64, uniform in [low, high)."""
        return low + (high - low) * drawn(lambda count: torch.rand(count, **self._options, dtype=torch.float64), self.count)

    def normal(self, deviation: float = 1.0) -> Tensor:
        """float64, normal with mean 0."""
        return deviation * drawn(lambda count: torch.randn(count, **self._options, dtype=torch.float64), self.count)

    def whole(self, low: int, high: int) -> Tensor:
        """int64, uniform over low, low + 1 ... high."""
        return drawn(lambda count: torch.randint(low, high + 1, (count,), **self._options), self.count)

    def happens(self, probability: Tensor | float) -> Tensor:
        """bool, true with ``probability``: never at 0, always at 1."""
        return self.uniform() < probability

    @property
    def _options(self) -> dict[str, Any]:
        return {"generator": self.rng, "device": self.rng.device}


def per_image(values: Tensor, images: Tensor) -> Tensor:
    """Values (N,) as (N, 1, 1, 1) of the type of ``images``."""
    return values.to(images.dtype)[:, None, None, None]


def scaled_about(images: Tensor, centre: Tensor | float, factor: Tensor) -> Tensor:
    """centre + factor (images - centre) with one factor (N,) per image; exactly the images where the factor is 1."""
    return images + (per_image(factor, images) - 1) * (images - centre)
