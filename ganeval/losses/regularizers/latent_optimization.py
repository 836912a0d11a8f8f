"""The latent optimisation of LOGAN (Wu et al., arXiv 1912.00953)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from ganeval.errors import UserError
from ganeval.gather import drawn
from ganeval.losses.base import Regularizer, Stage, State
from ganeval.precision import full_precision


@dataclass(frozen=True)
class LatentOptimization(Regularizer):
    """Latents are moved to where the discriminator sees more real images, ``steps`` times:

        z <- clip(z + ``alpha`` g / (``beta`` + |g|^2), -1, 1),  g = d D(G(z), y) / dz,

    for a random share ``rate`` of the samples; meant for z ~ U(-1, 1). The generator's gradient flows through g. Both losses get
    ``weight`` * mean |z' - z|^2, the cost of the way from the drawn z to the z' used.

    PyTorch-StudioGAN returns from inside its loop and so takes one step whatever its settings say: ``steps`` = 1 is what it did.
    """

    kind: ClassVar[str] = "latent-optimization"
    differentiates_gradients: ClassVar[bool] = True
    steps: int = 1
    alpha: float = 0.9
    beta: float = 0.1
    rate: float = 0.8
    weight: float = 0.1

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise UserError(f"latent-optimization: steps is {self.steps}, give at least 1")
        if not 0 <= self.rate <= 1:
            raise UserError(f"latent-optimization: rate is {self.rate}, give a share of the samples in [0, 1]")

    def latents(self, z: Tensor, y: Tensor, generator: nn.Module, discriminator: nn.Module, rng: torch.Generator) -> Tensor:
        keep_graph = torch.is_grad_enabled()
        for _ in range(self.steps):
            with torch.enable_grad(), full_precision(generator, discriminator):
                at = z if z.requires_grad else z.detach().requires_grad_()
                logits = discriminator(generator(at, y), y).adv
                (slope,) = torch.autograd.grad(logits.sum(), at, create_graph=keep_graph)
            move = self.alpha * slope / (self.beta + slope.square().sum(1, keepdim=True))
            chosen = drawn(lambda count: torch.rand(count, 1, generator=rng, device=rng.device), len(z)) < self.rate
            z = torch.where(chosen, z + move, z).clamp(-1, 1)
        return z

    def _transport(self, stage: Stage) -> Tensor:
        if stage.drawn_z is None:
            raise ValueError("latent optimisation needs the latents as they were drawn: fill Stage.drawn_z")
        return self.weight * (stage.z - stage.drawn_z).square().sum(1).mean()

    def d_penalty(self, stage: Stage, state: State) -> Tensor:
        return self._transport(stage)

    def g_penalty(self, stage: Stage, state: State) -> Tensor:
        return self._transport(stage)
