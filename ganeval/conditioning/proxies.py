"""What the embedding schemes (2C, D2D-CE) share: a head that places images and classes on one unit sphere."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganeval.conditioning.base import Verdict, verdict_as
from ganeval.conditioning.label_scheme import LabelScheme
from ganeval.errors import UserError
from ganeval.gather import gather
from ganeval.networks.layers import Layers


@dataclass(frozen=True)
class ProxyVerdict(Verdict):
    """Adds ``embedding`` (N, E) of the images and ``proxy`` (N, E) of their labels, rows of L2 norm 1."""

    embedding: Tensor
    proxy: Tensor

    def consistency(self) -> tuple[Tensor, ...]:
        return (self.adv, self.embedding)


class ProxyHead(nn.Module):
    """``h`` (N, C) and ``y`` to a :class:`ProxyVerdict`. Labels (V, N) give proxies (V, N, E) for V versions of them."""

    def __init__(self, features: int, num_classes: int, layers: Layers, embed_dim: int) -> None:
        super().__init__()
        self.adversarial = layers.linear(features, 1)
        self.embed = layers.linear(features, embed_dim)
        self.proxies = layers.embedding(num_classes, embed_dim)

    def forward(self, h: Tensor, y: Tensor) -> Verdict:
        adv = self.adversarial(h).squeeze(1)
        return ProxyVerdict(adv, h, F.normalize(self.embed(h), dim=1), F.normalize(self.proxies(y), dim=-1))


@dataclass(frozen=True)
class ProxyScheme(LabelScheme):
    """A scheme whose loss compares embeddings of ``embed_dim`` numbers with each other and with the proxies of their labels."""

    embed_dim: int = 512

    def __post_init__(self) -> None:
        if self.embed_dim < 1:
            raise UserError(f"{self.kind}: embed_dim is {self.embed_dim}, give at least 1")

    def head(self, features: int, num_classes: int, layers: Layers) -> nn.Module:
        return ProxyHead(features, num_classes, layers, self.embed_dim)

    @abstractmethod
    def compare(self, embedding: Tensor, proxy: Tensor, labels: Tensor) -> Tensor:
        """The unweighted loss of a batch (N, E), (N, E), (N,): a scalar."""

    def label_loss(self, verdict: Verdict, labels: Tensor) -> Tensor:
        """The unweighted loss over the batches of all processes; the verdict's proxies must be those of ``labels``."""
        own = verdict_as(verdict, ProxyVerdict)
        return self.compare(gather(own.embedding), gather(own.proxy), gather(labels))


def cosines(embedding: Tensor, proxy: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines of N embeddings with each other (N, N) and of each with its proxy (N,)."""
    unit = F.normalize(embedding, dim=1)
    return unit @ unit.T, (unit * F.normalize(proxy, dim=1)).sum(1)


def itself(labels: Tensor) -> Tensor:
    """The mask (N, N) of the diagonal."""
    return torch.eye(len(labels), dtype=torch.bool, device=labels.device)


def same_class(labels: Tensor) -> Tensor:
    """The mask (N, N) of pairs with equal labels, the diagonal included."""
    return labels[:, None] == labels[None, :]
