"""No conditioning of the discriminator: one adversarial logit, labels unread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from ganeval.conditioning.base import Conditioning, Verdict
from ganeval.networks.layers import Layers


class AdversarialHead(nn.Module):
    """``h`` (N, C) and ``y`` (unused) to a :class:`Verdict`."""

    def __init__(self, features: int, layers: Layers) -> None:
        super().__init__()
        self.adversarial = layers.linear(features, 1)

    def forward(self, h: Tensor, y: Tensor) -> Verdict:
        return Verdict(self.adversarial(h).squeeze(1), h)


@dataclass(frozen=True)
class Unconditional(Conditioning):
    """The discriminator of an unconditional GAN; no conditional term in either loss."""

    kind: ClassVar[str] = "none"

    def head(self, features: int, num_classes: int, layers: Layers) -> nn.Module:
        return AdversarialHead(features, layers)
