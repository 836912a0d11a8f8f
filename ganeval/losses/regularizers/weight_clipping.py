"""The weight clipping of WGAN (Arjovsky et al., ICML 2017, arXiv 1701.07875)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from ganeval.errors import UserError
from ganeval.losses.base import Regularizer


@dataclass(frozen=True)
class WeightClipping(Regularizer):
    """Every parameter of the discriminator, those of its normalisation layers included, stays in [-``bound``, ``bound``]."""

    kind: ClassVar[str] = "weight-clipping"
    bound: float = 0.01

    def __post_init__(self) -> None:
        if not self.bound > 0:
            raise UserError(f"weight-clipping: bound is {self.bound}, give a positive number")

    @torch.no_grad()
    def after_d_update(self, discriminator: nn.Module) -> None:
        for parameter in discriminator.parameters():
            parameter.clamp_(-self.bound, self.bound)
