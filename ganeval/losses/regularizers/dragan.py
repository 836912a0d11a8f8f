"""The gradient penalty around reals of DRAGAN (Kodali et al., arXiv 1705.07215)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from ganeval.gather import drawn, gather
from ganeval.losses.base import Regularizer, Stage, State
from ganeval.losses.regularizers.gradients import critic_for, distance_to_unit_norm, image_gradients


def deviation(images: Tensor) -> Tensor:
    """The standard deviation of all values of ``images`` (N, C, R, R) and of those of the other processes: a scalar."""
    means = gather(images.mean()[None])
    squares = gather((images - means.mean()).square().sum()[None])
    return (squares.sum() / (len(means) * images.numel() - 1)).sqrt()


@dataclass(frozen=True)
class Dragan(Regularizer):
    """``weight`` * mean (|gradient| - 1)^2 at x + a s u / 2, under the reals' labels.

    a ~ U(0, 1) for each sample, u ~ U(0, 1) for each pixel and channel, s is the standard deviation of the whole batch.
    """

    kind: ClassVar[str] = "dragan"
    differentiates_gradients: ClassVar[bool] = True
    weight: float = 10.0

    def d_penalty(self, stage: Stage, state: State) -> Tensor:
        real, labels, _ = stage.reals()
        options: dict[str, Any] = {"generator": stage.rng, "device": real.device, "dtype": real.dtype}

        def uniform(*shape: int) -> Tensor:
            return drawn(lambda count: torch.rand(count, *shape, **options), len(real))

        share = uniform(1, 1, 1)
        noise = 0.5 * deviation(real) * uniform(*real.shape[1:])
        return self.weight * distance_to_unit_norm(image_gradients(critic_for(stage, labels), real + share * noise))
