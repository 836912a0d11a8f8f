"""The contract of a conditioning scheme: a head on features ``h``, and the loss that reads it."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from torch import Tensor, nn

from ganeval.networks.layers import Layers, channels_last
from ganeval.parts import Part
from ganeval.precision import Mixed, in_full


@dataclass(frozen=True)
class Verdict:
    """What a discriminator says of N images. Schemes derive from it and add what their loss reads.

    ``adv`` (N,): adversarial logit, larger is more real. ``h`` (N, C): features the head stands on.
    """

    adv: Tensor
    h: Tensor

    def consistency(self) -> tuple[Tensor, ...]:
        """The outputs that consistency regularisation keeps equal under augmentation."""
        return (self.adv,)


V = TypeVar("V", bound=Verdict)


def verdict_as(verdict: Verdict, kind: type[V]) -> V:
    """``verdict``, known to be a ``kind``; ``TypeError`` when it comes from another scheme's head."""
    if not isinstance(verdict, kind):
        raise TypeError(f"this loss reads a {kind.__name__}, and the head gave a {type(verdict).__name__}")
    return verdict


class Conditioning(Part):
    """How the discriminator uses labels. One member = one file with its head and its loss.

    The losses are weighted already: the training step adds them to the adversarial loss as they are.
    """

    noun: ClassVar[str] = "conditioning"
    package: ClassVar[str] = "ganeval.conditioning"
    is_adversarial: ClassVar[bool] = False
    """Whether the scheme's own loss takes the adversarial loss's place."""

    @abstractmethod
    def head(self, features: int, num_classes: int, layers: Layers) -> nn.Module:
        """A module that maps ``h`` (N, features) and ``y`` (N,) int64 to a :class:`Verdict`."""

    def d_loss(self, real: Verdict, fake: Verdict, y_real: Tensor, y_fake: Tensor) -> Tensor:
        """The conditional term of the discriminator's loss, a scalar."""
        return real.adv.new_zeros(())

    def g_loss(self, fake: Verdict, y_fake: Tensor) -> Tensor:
        """The conditional term of the generator's loss, a scalar."""
        return fake.adv.new_zeros(())


class Discriminator(Mixed):
    """A body and a head: images (N, C, R, R) in [-1, 1] and labels (N,) to a :class:`Verdict`. The head is in full precision."""

    def __init__(self, body: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.head = head

    def forward(self, images: Tensor, y: Tensor) -> Verdict:
        with self.autocast(images.device):
            h = self.body(channels_last(images))
        verdict: Verdict = self.head(in_full(h), y)
        return verdict
