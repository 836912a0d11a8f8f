"""2C, the conditional contrastive loss of ContraGAN (Kang and Park, NeurIPS 2020, arXiv 2006.12681)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ganeval.conditioning.proxies import ProxyScheme, cosines, itself, same_class
from ganeval.errors import UserError


def conditional_contrastive(embedding: Tensor, proxy: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """The mean loss, a scalar, for embeddings (N, E), the proxies (N, E) of their labels, and labels (N,).

    With s_ij = cos(e_i, e_j) / t and p_i = cos(e_i, proxy_i) / t

        l_i = -log[(exp p_i + sum over j != i with y_j = y_i of exp s_ij) / (exp p_i + sum over all j != i of exp s_ij)].

    A sample of the own class is a positive and stays in the denominator. A batch of one class has loss 0.
    """
    between, to_proxy = cosines(embedding, proxy)
    others = (between / temperature).masked_fill(itself(labels), -torch.inf)
    own = (to_proxy / temperature)[:, None]
    positives = torch.cat((own, others.masked_fill(~same_class(labels), -torch.inf)), dim=1)
    everything = torch.cat((own, others), dim=1)
    return (everything.logsumexp(1) - positives.logsumexp(1)).mean()


@dataclass(frozen=True)
class Contrastive(ProxyScheme):
    """ContraGAN. Each network is trained on its own batch: the discriminator on reals, the generator on its fakes."""

    kind: ClassVar[str] = "contrastive"
    temperature: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.temperature > 0:
            raise UserError(f"contrastive: temperature is {self.temperature}, give a positive number")

    def compare(self, embedding: Tensor, proxy: Tensor, labels: Tensor) -> Tensor:
        return conditional_contrastive(embedding, proxy, labels, self.temperature)
