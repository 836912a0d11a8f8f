"""PD, the projection discriminator (Miyato and Koyama, ICLR 2018, arXiv 1802.05637)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from ganeval.conditioning.base import Conditioning, Verdict
from ganeval.networks.layers import Layers


class ProjectionHead(nn.Module):
    """``h`` (N, C) and ``y`` (N,) to a :class:`Verdict` with the logit w.h + b + <E_y, h>."""

    def __init__(self, features: int, num_classes: int, layers: Layers) -> None:
        super().__init__()
        self.adversarial = layers.linear(features, 1)
        self.embedding = layers.embedding(num_classes, features)

    def forward(self, h: Tensor, y: Tensor) -> Verdict:
        return Verdict(self.adversarial(h).squeeze(1) + (self.embedding(y) * h).sum(1), h)


@dataclass(frozen=True)
class Projection(Conditioning):
    """The label enters the adversarial logit; there is no further term in either loss."""

    kind: ClassVar[str] = "projection"

    def head(self, features: int, num_classes: int, layers: Layers) -> nn.Module:
        return ProjectionHead(features, num_classes, layers)
