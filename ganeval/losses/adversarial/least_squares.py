"""The loss of LSGAN (Mao et al., ICCV 2017, arXiv 1611.04076)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ganeval.losses.base import Adversarial


@dataclass(frozen=True)
class LeastSquares(Adversarial):
    """D: mean (D(x) - 1)^2 / 2 + mean D(G(z))^2 / 2. G: mean (D(G(z)) - 1)^2 / 2."""

    kind: ClassVar[str] = "least-squares"

    def d_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return 0.5 * ((real - 1).square().mean() + fake.square().mean())

    def g_loss(self, fake: Tensor) -> Tensor:
        return 0.5 * (fake - 1).square().mean()
