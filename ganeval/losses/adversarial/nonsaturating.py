"""The non-saturating loss of the first GAN (Goodfellow et al., NIPS 2014, arXiv 1406.2661), called "vanilla" by some."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn.functional import softplus

from ganeval.losses.base import Adversarial


@dataclass(frozen=True)
class NonSaturating(Adversarial):
    """D: mean softplus(-D(x)) + mean softplus(D(G(z))). G: mean softplus(-D(G(z))), which is -log of the chance of "real"."""

    kind: ClassVar[str] = "non-saturating"

    def d_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return softplus(-real).mean() + softplus(fake).mean()

    def g_loss(self, fake: Tensor) -> Tensor:
        return softplus(-fake).mean()
