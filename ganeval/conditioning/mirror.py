"""MD: one adversarial logit per class, of which the label's is read (Mescheder et al., ICML 2018, arXiv 1801.04406)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from ganeval.conditioning.base import Conditioning, Verdict
from ganeval.networks.layers import Layers


class MirrorHead(nn.Module):
    """``h`` (N, C) and ``y`` (N,) to a :class:`Verdict` with logit number y of K."""

    def __init__(self, features: int, num_classes: int, layers: Layers) -> None:
        super().__init__()
        self.adversarial = layers.linear(features, num_classes)

    def forward(self, h: Tensor, y: Tensor) -> Verdict:
        return Verdict(self.adversarial(h).gather(1, y[:, None]).squeeze(1), h)


@dataclass(frozen=True)
class Mirror(Conditioning):
    """The label selects the adversarial logit; there is no further term in either loss."""

    kind: ClassVar[str] = "mirror"

    def head(self, features: int, num_classes: int, layers: Layers) -> nn.Module:
        return MirrorHead(features, num_classes, layers)
