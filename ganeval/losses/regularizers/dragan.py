"""The gradient penalty around reals of DRAGAN (Kodali et al., arXiv 1705.07215)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ganeval.losses.base import Regularizer, Stage, State
from ganeval.losses.regularizers.gradients import critic_for, distance_to_unit_norm, image_gradients


@dataclass(frozen=True)
class Dragan(Regularizer):
    """``weight`` * mean (|gradient| - 1)^2 at x + a s u / 2, under the reals' labels.

    a ~ U(0, 1) for each sample, u ~ U(0, 1) for each pixel and channel, s is the standard deviation of the process's whole batch.
    """

    kind: ClassVar[str] = "dragan"
    differentiates_gradients: ClassVar[bool] = True
    weight: float = 10.0

    def d_penalty(self, stage: Stage, state: State) -> Tensor:
        real, labels, _ = stage.reals()

        def uniform(*shape: int) -> Tensor:
            return torch.rand(shape, generator=stage.rng, device=real.device, dtype=real.dtype)

        share = uniform(len(real), 1, 1, 1)
        noise = 0.5 * real.std() * uniform(*real.shape)
        return self.weight * distance_to_unit_norm(image_gradients(critic_for(stage, labels), real + share * noise))
