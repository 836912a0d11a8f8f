"""AC, the auxiliary classifier of ACGAN (Odena et al., ICML 2017, arXiv 1610.09585), in the three forms in use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import torch.nn.functional as F
from torch import Tensor, nn

from ganeval.conditioning.base import Verdict, verdict_as
from ganeval.conditioning.label_scheme import LabelScheme
from ganeval.errors import UserError
from ganeval.networks.layers import Layers

Variant = Literal["studiogan", "original", "am-gan"]


@dataclass(frozen=True)
class ClassVerdict(Verdict):
    """Adds ``class_logits`` (N, K)."""

    class_logits: Tensor

    def consistency(self) -> tuple[Tensor, ...]:
        return (self.adv, self.class_logits)


class ClassifierHead(nn.Module):
    """``h`` (N, C) and ``y`` (unused) to a :class:`ClassVerdict`.

    With ``normalize`` the class logits are cosines between ``h`` and the class weights. (PyTorch-StudioGAN's switch of that
    meaning normalises ``h`` alone: its normalised weights never reach the layer.)
    """

    def __init__(self, features: int, num_classes: int, layers: Layers, normalize: bool = False) -> None:
        super().__init__()
        self.normalize = normalize
        self.adversarial = layers.linear(features, 1)
        self.classifier = layers.linear(features, num_classes, bias=False)

    def forward(self, h: Tensor, y: Tensor) -> Verdict:
        return ClassVerdict(self.adversarial(h).squeeze(1), h, self.class_logits(self.classifier, h))

    def class_logits(self, classifier: nn.Linear, h: Tensor) -> Tensor:
        """What ``classifier`` says of ``h``: (N, K)."""
        if self.normalize:
            return F.linear(F.normalize(h, dim=1), F.normalize(classifier.weight, dim=1))
        logits: Tensor = classifier(h)
        return logits


@dataclass(frozen=True)
class ACGAN(LabelScheme):
    """A classifier beside the adversarial logit, trained by cross-entropy (CE).

    =========== ============ ============ =============== ==========================================
    variant     D on reals   D on fakes   G               source
    =========== ============ ============ =============== ==========================================
    studiogan   CE(y)        none         CE(y)           ACGAN-Mod of PyTorch-StudioGAN
    original    CE(y)        CE(y)        CE(y)           Odena et al. 2017
    am-gan      CE(y)        none         CE(argmax)      AC-GAN* of Zhou et al., ICLR 2018
    =========== ============ ============ =============== ==========================================

    y on a fake is the label it was made for; argmax is the class the classifier finds most likely at that moment, a constant for
    the gradient: nothing ties the fake to its label, and the paper's generator reads none.
    Every term has the factor ``weight``. ``normalize`` turns the class logits into cosines.
    """

    kind: ClassVar[str] = "acgan"
    variant: Variant = "studiogan"
    normalize: bool = False

    def __post_init__(self) -> None:
        if self.variant not in get_args(Variant):
            raise UserError(f"acgan: variant is '{self.variant}', choose one of {', '.join(get_args(Variant))}")

    def head(self, features: int, num_classes: int, layers: Layers) -> nn.Module:
        return ClassifierHead(features, num_classes, layers, self.normalize)

    def label_loss(self, verdict: Verdict, labels: Tensor) -> Tensor:
        """The unweighted cross-entropy with ``labels`` (N,), a scalar."""
        return F.cross_entropy(verdict_as(verdict, ClassVerdict).class_logits, labels)

    def d_loss(self, real: Verdict, fake: Verdict, y_real: Tensor, y_fake: Tensor) -> Tensor:
        on_real = super().d_loss(real, fake, y_real, y_fake)
        if self.variant == "original":
            return on_real + self.weight * self.label_loss(fake, y_fake)
        return on_real

    def g_loss(self, fake: Verdict, y_fake: Tensor) -> Tensor:
        if self.variant == "am-gan":
            y_fake = verdict_as(fake, ClassVerdict).class_logits.argmax(1)
        return super().g_loss(fake, y_fake)
