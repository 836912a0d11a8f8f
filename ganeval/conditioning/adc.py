"""ADC, the auxiliary discriminative classifier (Hou et al., ICML 2022, arXiv 2107.10060), on top of AC, 2C or D2D-CE."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from ganeval.conditioning.acgan import ACGAN, ClassifierHead
from ganeval.conditioning.base import Conditioning, Verdict, verdict_as
from ganeval.conditioning.label_scheme import LabelScheme
from ganeval.conditioning.proxies import ProxyHead, ProxyScheme, ProxyVerdict
from ganeval.errors import UserError
from ganeval.networks.layers import Layers


@dataclass(frozen=True)
class ADCVerdict(Verdict):
    """Holds two answers of the base scheme's type over 2K classes.

    ``as_real`` is to be read with the label "real y" (2y), ``as_fake`` with "fake y" (2y + 1). Both come from one forward pass;
    under AC, whose class logits do not depend on the label, they are the same object.
    """

    as_real: Verdict
    as_fake: Verdict

    def consistency(self) -> tuple[Tensor, ...]:
        return self.as_real.consistency()


class DoubledClassifierHead(ClassifierHead):
    """A classifier of K classes, each real or fake."""

    def __init__(self, features: int, num_classes: int, layers: Layers, normalize: bool) -> None:
        super().__init__(features, 2 * num_classes, layers, normalize)

    def forward(self, h: Tensor, y: Tensor) -> Verdict:
        verdict = super().forward(h, y)
        return ADCVerdict(verdict.adv, h, verdict, verdict)


class DoubledProxyHead(ProxyHead):
    """Proxies of K classes, each real or fake."""

    def __init__(self, features: int, num_classes: int, layers: Layers, embed_dim: int) -> None:
        super().__init__(features, 2 * num_classes, layers, embed_dim)

    def forward(self, h: Tensor, y: Tensor) -> Verdict:
        both = verdict_as(super().forward(h, torch.stack((2 * y, 2 * y + 1))), ProxyVerdict)
        as_real, as_fake = (replace(both, proxy=proxy) for proxy in both.proxy)
        return ADCVerdict(both.adv, h, as_real, as_fake)


@dataclass(frozen=True)
class ADC(Conditioning):
    """The classifier tells the reals of a class from its fakes.

    With L the base scheme's loss on labels and w its weight. D: w (L(real, 2y) + L(fake, 2y + 1)).
    G: w (L(fake, 2y) - L(fake, 2y + 1)), both read from one verdict.
    """

    kind: ClassVar[str] = "adc"
    base: LabelScheme = field(default_factory=ACGAN)

    def __post_init__(self) -> None:
        if isinstance(self.base, ACGAN) and self.base.variant != "studiogan":
            raise UserError(f"adc: base.variant is '{self.base.variant}', but ADC has fixed targets: leave it at 'studiogan'")

    def head(self, features: int, num_classes: int, layers: Layers) -> nn.Module:
        if isinstance(self.base, ProxyScheme):
            return DoubledProxyHead(features, num_classes, layers, self.base.embed_dim)
        normalize = isinstance(self.base, ACGAN) and self.base.normalize
        return DoubledClassifierHead(features, num_classes, layers, normalize)

    def d_loss(self, real: Verdict, fake: Verdict, y_real: Tensor, y_fake: Tensor) -> Tensor:
        return self.base.weight * (self._as_real(real, y_real) + self._as_fake(fake, y_fake))

    def g_loss(self, fake: Verdict, y_fake: Tensor) -> Tensor:
        return self.base.weight * (self._as_real(fake, y_fake) - self._as_fake(fake, y_fake))

    def _as_real(self, verdict: Verdict, y: Tensor) -> Tensor:
        return self.base.label_loss(verdict_as(verdict, ADCVerdict).as_real, 2 * y)

    def _as_fake(self, verdict: Verdict, y: Tensor) -> Tensor:
        return self.base.label_loss(verdict_as(verdict, ADCVerdict).as_fake, 2 * y + 1)
