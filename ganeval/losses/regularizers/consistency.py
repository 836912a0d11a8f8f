"""CR, consistency regularisation of reals (Zhang et al., ICLR 2020, arXiv 1910.12027)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn.functional import mse_loss

from ganeval.augment.transforms import flip_and_shift
from ganeval.conditioning.base import Verdict
from ganeval.losses.base import Regularizer, Stage, State


def disagreement(one: Verdict, other: Verdict) -> Tensor:
    """The mean squared differences between what two verdicts must keep equal, summed over the outputs: a scalar."""
    pairs = zip(one.consistency(), other.consistency(), strict=True)
    return sum((mse_loss(a, b) for a, b in pairs), one.adv.new_zeros(()))


@dataclass(frozen=True)
class Consistency(Regularizer):
    """``weight`` * disagreement between the verdicts on reals and on flipped and shifted reals; both receive gradient.

    Flips and shifts apply to reals that did not pass the recipe's own augmentation.
    """

    kind: ClassVar[str] = "consistency"
    weight: float = 10.0

    def d_penalty(self, stage: Stage, state: State) -> Tensor:
        real, labels, verdict = stage.reals()
        return self.weight * disagreement(verdict, stage.discriminator(flip_and_shift(real, stage.rng), labels))
