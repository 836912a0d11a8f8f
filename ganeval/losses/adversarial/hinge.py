"""The hinge loss of Geometric GAN (Lim and Ye, arXiv 1705.02894), used by SNGAN, SAGAN, BigGAN and ReACGAN."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn.functional import relu

from ganeval.losses.base import Adversarial


@dataclass(frozen=True)
class Hinge(Adversarial):
    """D: mean [1 - D(x)]+ + mean [1 + D(G(z))]+. G: -mean D(G(z))."""

    kind: ClassVar[str] = "hinge"

    def d_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return relu(1 - real).mean() + relu(1 + fake).mean()

    def g_loss(self, fake: Tensor) -> Tensor:
        return -fake.mean()
