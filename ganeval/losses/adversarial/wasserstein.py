"""The loss of WGAN (Arjovsky et al., ICML 2017, arXiv 1701.07875); the critic needs a Lipschitz constraint beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ganeval.losses.base import Adversarial


@dataclass(frozen=True)
class Wasserstein(Adversarial):
    """D: mean D(G(z)) - mean D(x). G: -mean D(G(z))."""

    kind: ClassVar[str] = "wasserstein"

    def d_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return fake.mean() - real.mean()

    def g_loss(self, fake: Tensor) -> Tensor:
        return -fake.mean()
