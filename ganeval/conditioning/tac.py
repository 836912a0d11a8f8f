"""TAC, twin auxiliary classifiers (Gong et al., NeurIPS 2019, arXiv 1907.02690), on top of AC, 2C or D2D-CE."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from ganeval.conditioning.acgan import ACGAN, ClassifierHead, ClassVerdict
from ganeval.conditioning.base import Conditioning, Verdict, verdict_as
from ganeval.conditioning.label_scheme import LabelScheme
from ganeval.conditioning.proxies import ProxyHead, ProxyScheme, ProxyVerdict
from ganeval.networks.layers import Layers


@dataclass(frozen=True)
class TwinVerdict(Verdict):
    """Holds two answers of the base scheme's type: ``main`` of its own layers, ``twin`` of the twin's."""

    main: Verdict
    twin: Verdict

    def consistency(self) -> tuple[Tensor, ...]:
        return self.main.consistency()


class TwinClassifierHead(ClassifierHead):
    """A second classifier on the same ``h``."""

    def __init__(self, features: int, num_classes: int, layers: Layers, normalize: bool) -> None:
        super().__init__(features, num_classes, layers, normalize)
        self.twin_classifier = layers.linear(features, num_classes, bias=False)

    def forward(self, h: Tensor, y: Tensor) -> Verdict:
        main = super().forward(h, y)
        twin = ClassVerdict(main.adv, h, self.class_logits(self.twin_classifier, h))
        return TwinVerdict(main.adv, h, main, twin)


class TwinProxyHead(ProxyHead):
    """A second embedding of the same ``h`` with proxies of its own."""

    def __init__(self, features: int, num_classes: int, layers: Layers, embed_dim: int) -> None:
        super().__init__(features, num_classes, layers, embed_dim)
        self.twin_embed = layers.linear(features, embed_dim)
        self.twin_proxies = layers.embedding(num_classes, embed_dim)

    def forward(self, h: Tensor, y: Tensor) -> Verdict:
        main = super().forward(h, y)
        embedding, proxy = F.normalize(self.twin_embed(h), dim=1), F.normalize(self.twin_proxies(y), dim=-1)
        return TwinVerdict(main.adv, h, main, ProxyVerdict(main.adv, h, embedding, proxy))


@dataclass(frozen=True)
class TAC(Conditioning):
    """The twin learns the labels of fakes, and the generator is rewarded where the twin fails.

    D: the base scheme's loss + ``d_weight`` * L(twin on fakes). G: the base scheme's loss - ``g_weight`` * L(twin on fakes).
    L is the base scheme's loss on labels. (PyTorch-StudioGAN since July 2022 trains no twin: its twin terms read the main
    classifier's output, and with equal weights the generator's cancel.)
    """

    kind: ClassVar[str] = "tac"
    base: LabelScheme = field(default_factory=ACGAN)
    d_weight: float = 1.0
    g_weight: float = 1.0

    def head(self, features: int, num_classes: int, layers: Layers) -> nn.Module:
        if isinstance(self.base, ProxyScheme):
            return TwinProxyHead(features, num_classes, layers, self.base.embed_dim)
        normalize = isinstance(self.base, ACGAN) and self.base.normalize
        return TwinClassifierHead(features, num_classes, layers, normalize)

    def d_loss(self, real: Verdict, fake: Verdict, y_real: Tensor, y_fake: Tensor) -> Tensor:
        on_real, on_fake = verdict_as(real, TwinVerdict), verdict_as(fake, TwinVerdict)
        main = self.base.d_loss(on_real.main, on_fake.main, y_real, y_fake)
        return main + self.d_weight * self.base.label_loss(on_fake.twin, y_fake)

    def g_loss(self, fake: Verdict, y_fake: Tensor) -> Tensor:
        on_fake = verdict_as(fake, TwinVerdict)
        return self.base.g_loss(on_fake.main, y_fake) - self.g_weight * self.base.label_loss(on_fake.twin, y_fake)
