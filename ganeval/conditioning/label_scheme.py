"""Schemes with a loss on labels alone: what TAC and ADC can stand on."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ganeval.conditioning.base import Conditioning, Verdict


@dataclass(frozen=True)
class LabelScheme(Conditioning):
    """The discriminator learns the labels of reals, the generator makes fakes that show theirs; both terms times ``weight``."""

    noun: ClassVar[str] = "label scheme"
    weight: float = 1.0

    @abstractmethod
    def label_loss(self, verdict: Verdict, labels: Tensor) -> Tensor:
        """How badly ``verdict`` fits ``labels`` (N,): an unweighted scalar."""

    def d_loss(self, real: Verdict, fake: Verdict, y_real: Tensor, y_fake: Tensor) -> Tensor:
        return self.weight * self.label_loss(real, y_real)

    def g_loss(self, fake: Verdict, y_fake: Tensor) -> Tensor:
        return self.weight * self.label_loss(fake, y_fake)
