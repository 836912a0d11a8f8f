"""R1, the gradient penalty at reals (Mescheder et al., ICML 2018, arXiv 1801.04406)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ganeval.errors import UserError
from ganeval.losses.base import Regularizer, Stage, State
from ganeval.losses.regularizers.gradients import critic_for, image_gradients


@dataclass(frozen=True)
class R1(Regularizer):
    """``weight`` / 2 * mean |gradient|^2 with respect to the un-augmented reals, through the augmentation.

    With ``interval`` > 1 it is lazy (Karras et al., CVPR 2020): only in the discriminator updates of every ``interval``-th step,
    and ``interval`` times as strong, so that the mean strength stays the same.
    """

    kind: ClassVar[str] = "r1"
    differentiates_gradients: ClassVar[bool] = True
    weight: float = 1.0
    interval: int = 1

    def __post_init__(self) -> None:
        if self.interval < 1:
            raise UserError(f"r1: interval is {self.interval}, give at least 1")

    def d_penalty(self, stage: Stage, state: State) -> Tensor | None:
        if stage.step % self.interval:
            return None
        real, labels, _ = stage.reals()
        critic = critic_for(stage, labels)
        gradients = image_gradients(lambda images: critic(stage.augment(images)), real)
        return 0.5 * self.weight * self.interval * gradients.square().sum(1).mean()
