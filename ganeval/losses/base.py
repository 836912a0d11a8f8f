"""The contracts of adversarial losses and regularisers, and the stages of a training step they may act on."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from ganeval.conditioning.base import Verdict
from ganeval.parts import Part

State = dict[str, Tensor]
"""What a regulariser or an augmentation carries from step to step: small tensors by name, saved in checkpoints."""


class Adversarial(Part):
    """A loss on adversarial logits: ``real`` (N,) and ``fake`` (M,), larger means more real."""

    noun: ClassVar[str] = "adversarial loss"
    package: ClassVar[str] = "ganeval.losses.adversarial"

    @abstractmethod
    def d_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """The discriminator's loss, a scalar."""

    @abstractmethod
    def g_loss(self, fake: Tensor) -> Tensor:
        """The generator's loss, a scalar."""


@dataclass(frozen=True)
class Stage:
    """What a regulariser may read while one network is updated.

    ``real`` (N, C, R, R) and ``fake`` are images in [-1, 1] before augmentation, ``real`` with the fakes that APA shows among
    them; ``real_verdict`` and ``fake_verdict`` are the discriminator's answers to the same images, augmented.
    In the discriminator's update ``fake`` carries no generator graph; in the generator's update it does, and ``fresh_real()``
    gives a further batch of real images and labels, augmented like any other.
    ``rng`` is the step's own generator on the images' device, the same in all processes: every random draw takes it, for the
    whole batch, by :func:`ganeval.gather.drawn`. ``step`` counts generator updates.
    ``drawn_z`` are the latents as they were drawn, where :meth:`Regularizer.latents` turned them into ``z``.
    """

    generator: nn.Module
    discriminator: nn.Module
    real: Tensor | None
    y_real: Tensor | None
    fake: Tensor
    y_fake: Tensor
    z: Tensor
    real_verdict: Verdict | None
    fake_verdict: Verdict
    augment: Callable[[Tensor], Tensor]
    fresh_real: Callable[[], tuple[Tensor, Tensor]]
    rng: torch.Generator
    step: int
    drawn_z: Tensor | None = None

    def reals(self) -> tuple[Tensor, Tensor, Verdict]:
        """Real images, their labels and the verdict on them; ``ValueError`` in the generator's update, which has none."""
        if self.real is None or self.y_real is None or self.real_verdict is None:
            raise ValueError("there are no real images in the generator's update: use fresh_real()")
        return self.real, self.y_real, self.real_verdict


class Regularizer(Part):
    """A further term or constraint. Members override the stages they act on; the others do nothing.

    ``weight``s are applied inside: a penalty is added to the loss as it is.
    """

    noun: ClassVar[str] = "regularizer"
    needs_adversarial: ClassVar[bool] = False
    """Whether it acts on the adversarial loss, and so on nothing where the conditioning is its own."""
    package: ClassVar[str] = "ganeval.losses.regularizers"
    differentiates_gradients: ClassVar[bool] = False
    """Whether its loss is made of gradients, so that the backward pass differentiates twice."""

    def initial_state(self) -> State:
        """The state before step 0."""
        return {}

    def prepare(self, discriminator: nn.Module) -> None:
        """Once, when the discriminator is built: freeze, mark or add parameters."""

    def latents(self, z: Tensor, y: Tensor, generator: nn.Module, discriminator: nn.Module, rng: torch.Generator) -> Tensor:
        """The latents (N, z_dim) the generator is given instead of ``z``, in both updates."""
        return z

    def select(self, adv: Tensor, step: int) -> Tensor:
        """The adversarial logits (M,) that enter the generator's loss: some of the N of this process, or of those of all."""
        return adv

    def d_penalty(self, stage: Stage, state: State) -> Tensor | None:
        """A scalar added to the discriminator's loss; may update ``state`` in place."""
        return None

    def g_penalty(self, stage: Stage, state: State) -> Tensor | None:
        """A scalar added to the generator's loss; may update ``state`` in place."""
        return None

    def after_d_update(self, discriminator: nn.Module) -> None:
        """After each discriminator update: project the weights."""
