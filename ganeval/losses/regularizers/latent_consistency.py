"""zCR, latent consistency regularisation (Zhao et al., AAAI 2021, arXiv 2002.04724); with bCR it makes ICR."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from ganeval.gather import drawn
from ganeval.losses.base import Regularizer, Stage, State
from ganeval.losses.regularizers.consistency import disagreement


@dataclass(frozen=True)
class LatentConsistency(Regularizer):
    """Let z' = z + noise from N(0, ``radius``^2).

    D: ``d_weight`` * disagreement between the verdicts on G(z) and G(z'), both augmented.
    G: -``g_weight`` * mean (G(z) - G(z'))^2, so that the generator does not ignore its latent.
    """

    kind: ClassVar[str] = "latent-consistency"
    radius: float = 0.05
    d_weight: float = 20.0
    g_weight: float = 0.5

    def _generate_nearby(self, stage: Stage) -> Tensor:
        z, rng = stage.z, stage.rng
        noise = drawn(lambda count: torch.randn(count, z.shape[1], generator=rng, device=z.device, dtype=z.dtype), len(z))
        images: Tensor = stage.generator(z + self.radius * noise, stage.y_fake)
        return images

    def d_penalty(self, stage: Stage, state: State) -> Tensor:
        with torch.no_grad():
            nearby = self._generate_nearby(stage)
        verdict = stage.discriminator(stage.augment(nearby), stage.y_fake)
        return self.d_weight * disagreement(stage.fake_verdict, verdict)

    def g_penalty(self, stage: Stage, state: State) -> Tensor:
        return -self.g_weight * mse_loss(stage.fake, self._generate_nearby(stage))
