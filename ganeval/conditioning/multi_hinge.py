"""MH, the multi-hinge loss of MHingeGAN (Kavalerov et al., WACV 2021, arXiv 1912.04216)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from ganeval.conditioning.base import Conditioning, Verdict, verdict_as
from ganeval.networks.layers import Layers


def crammer_singer(logits: Tensor, target: Tensor) -> Tensor:
    """mean [1 + max over j != t of l_j - l_t]+ for logits (N, J >= 2) and targets (N,): a scalar."""
    wanted = logits.gather(1, target[:, None])
    strongest = logits.scatter(1, target[:, None], -torch.inf).amax(1, keepdim=True)
    return torch.relu(1 + strongest - wanted).mean()


@dataclass(frozen=True)
class MultiHingeVerdict(Verdict):
    """Adds ``logits`` (N, K + 1): K classes of real images, and fake.

    ``adv`` is the label's logit minus that of fake. No term of the loss reads it; adaptive augmentation and logs do.
    """

    logits: Tensor

    def consistency(self) -> tuple[Tensor, ...]:
        return (self.logits,)


class MultiHingeHead(nn.Module):
    """``h`` (N, C) and ``y`` (N,) to a :class:`MultiHingeVerdict`."""

    def __init__(self, features: int, num_classes: int, layers: Layers) -> None:
        super().__init__()
        self.adversarial = layers.linear(features, num_classes + 1)

    def forward(self, h: Tensor, y: Tensor) -> Verdict:
        logits = self.adversarial(h)
        return MultiHingeVerdict(logits.gather(1, y[:, None]).squeeze(1) - logits[:, -1], h, logits)


@dataclass(frozen=True)
class MultiHinge(Conditioning):
    """Its own adversarial loss: recipes that use it have none beside it.

    D: reals belong to their class, fakes to class K. G: fakes belong to their label, times ``g_weight``.
    """

    kind: ClassVar[str] = "multi-hinge"
    is_adversarial: ClassVar[bool] = True
    g_weight: float = 0.05

    def head(self, features: int, num_classes: int, layers: Layers) -> nn.Module:
        return MultiHingeHead(features, num_classes, layers)

    def d_loss(self, real: Verdict, fake: Verdict, y_real: Tensor, y_fake: Tensor) -> Tensor:
        on_fake = verdict_as(fake, MultiHingeVerdict).logits
        target = torch.full_like(y_fake, on_fake.shape[1] - 1)
        return crammer_singer(verdict_as(real, MultiHingeVerdict).logits, y_real) + crammer_singer(on_fake, target)

    def g_loss(self, fake: Verdict, y_fake: Tensor) -> Tensor:
        return self.g_weight * crammer_singer(verdict_as(fake, MultiHingeVerdict).logits, y_fake)
