"""bCR, consistency regularisation of reals and fakes (Zhao et al., AAAI 2021, arXiv 2002.04724)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ganeval.augment.transforms import flip_and_shift
from ganeval.losses.base import Regularizer, Stage, State
from ganeval.losses.regularizers.consistency import disagreement


@dataclass(frozen=True)
class BalancedConsistency(Regularizer):
    """``real_weight`` and ``fake_weight`` * disagreement between the verdicts on images and on flipped and shifted images."""

    kind: ClassVar[str] = "balanced-consistency"
    real_weight: float = 10.0
    fake_weight: float = 10.0

    def d_penalty(self, stage: Stage, state: State) -> Tensor:
        real, y_real, on_real = stage.reals()
        moved_real = stage.discriminator(flip_and_shift(real, stage.rng), y_real)
        moved_fake = stage.discriminator(flip_and_shift(stage.fake, stage.rng), stage.y_fake)
        on_reals = self.real_weight * disagreement(on_real, moved_real)
        return on_reals + self.fake_weight * disagreement(stage.fake_verdict, moved_fake)
