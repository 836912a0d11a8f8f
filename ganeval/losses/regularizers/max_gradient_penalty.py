"""The maximum gradient penalty of Lipschitz GANs (Zhou et al., ICML 2019, arXiv 1902.05687)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ganeval.gather import gather
from ganeval.losses.base import Regularizer, Stage, State
from ganeval.losses.regularizers.gradients import between_real_and_fake, critic_for, image_gradients


@dataclass(frozen=True)
class MaxGradientPenalty(Regularizer):
    """``weight`` * the largest |gradient|^2 of the batch at points between reals and fakes, under the reals' labels."""

    kind: ClassVar[str] = "max-gradient-penalty"
    differentiates_gradients: ClassVar[bool] = True
    weight: float = 10.0

    def d_penalty(self, stage: Stage, state: State) -> Tensor:
        images, labels = between_real_and_fake(stage)
        return self.weight * gather(image_gradients(critic_for(stage, labels), images).square().sum(1)).amax()
