"""D2D-CE, the data-to-data cross-entropy of ReACGAN (Kang et al., NeurIPS 2021, arXiv 2111.01118)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import torch
from torch import Tensor

from ganeval.conditioning.proxies import ProxyScheme, cosines, itself, same_class
from ganeval.errors import UserError

Formula = Literal["studiogan", "paper"]


def d2d_ce_terms(
    embedding: Tensor, proxy: Tensor, labels: Tensor, temperature: float, margin: float, formula: Formula = "studiogan"
) -> Tensor:
    """The loss (N,) of every sample for embeddings (N, E), the proxies (N, E) of their labels, and labels (N,).

    With a_i = [(m_p - cos(e_i, p_i)) / t]+ and s_ij = (cos(e_i, e_j) - m_n) / t, m_n = 1 - m_p, the paper's loss is

        l_i = a_i + log(exp(-a_i) + sum over j with y_j != y_i of exp([s_ij]+)).

    Pairs that are easy already (cos(e_i, p_i) >= m_p, cos(e_i, e_j) <= m_n) have no gradient, and samples of the own class are
    no negatives. The form ``studiogan``, behind the published numbers, weights the sum of negatives by exp(-M_i), where M_i is
    the largest s_ij over *all* j != i, without gradient; it is not a mere numerical stabilisation. A batch of one class, and so a
    batch of one sample, has no negatives and loss 0.
    """
    between, to_proxy = cosines(embedding, proxy)
    shortfall = torch.relu((margin - to_proxy) / temperature)
    excess = (between + margin - 1) / temperature
    exponents = torch.relu(excess)
    if formula == "studiogan":
        largest = excess.detach().masked_fill(itself(labels), -torch.inf).amax(1, keepdim=True)
        exponents = exponents - largest  # of a single sample: infinite, and masked below
    negatives = exponents.masked_fill(same_class(labels), -torch.inf)
    return shortfall + torch.cat((-shortfall[:, None], negatives), dim=1).logsumexp(1)


def d2d_ce(
    embedding: Tensor, proxy: Tensor, labels: Tensor, temperature: float, margin: float, formula: Formula = "studiogan"
) -> Tensor:
    """The mean of :func:`d2d_ce_terms`, a scalar."""
    return d2d_ce_terms(embedding, proxy, labels, temperature, margin, formula).mean()


@dataclass(frozen=True)
class D2DCE(ProxyScheme):
    """ReACGAN. Each network is trained on its own batch: the discriminator on reals, the generator on its fakes.

    ``temperature`` > 0; ``margin`` is m_p in (0, 1], the negative margin is 1 - m_p; defaults are those of CIFAR-10.
    """

    kind: ClassVar[str] = "d2dce"
    weight: float = 0.5
    embed_dim: int = 512
    temperature: float = 0.5
    margin: float = 0.98
    formula: Formula = "studiogan"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.temperature > 0:
            raise UserError(f"d2dce: temperature is {self.temperature}, give a positive number")
        if not 0 < self.margin <= 1:
            raise UserError(f"d2dce: margin is {self.margin}, give a cosine in (0, 1]")
        if self.formula not in get_args(Formula):
            raise UserError(f"d2dce: formula is '{self.formula}', choose one of {', '.join(get_args(Formula))}")

    def compare(self, embedding: Tensor, proxy: Tensor, labels: Tensor) -> Tensor:
        return d2d_ce(embedding, proxy, labels, self.temperature, self.margin, self.formula)
