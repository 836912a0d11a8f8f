"""The gradient penalty of WGAN-GP (Gulrajani et al., NIPS 2017, arXiv 1704.00028)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ganeval.losses.base import Regularizer, Stage, State
from ganeval.losses.regularizers.gradients import between_real_and_fake, critic_for, distance_to_unit_norm, image_gradients


@dataclass(frozen=True)
class GradientPenalty(Regularizer):
    """``weight`` * mean (|gradient| - 1)^2 at points between reals and fakes, under the reals' labels."""

    kind: ClassVar[str] = "gradient-penalty"
    differentiates_gradients: ClassVar[bool] = True
    weight: float = 10.0

    def d_penalty(self, stage: Stage, state: State) -> Tensor:
        images, labels = between_real_and_fake(stage)
        return self.weight * distance_to_unit_norm(image_gradients(critic_for(stage, labels), images))
