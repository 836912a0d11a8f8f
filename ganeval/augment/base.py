"""The contract of an augmentation: differentiable, batched, on the images' device, all chance from one generator."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from ganeval.errors import UserError
from ganeval.losses.base import State
from ganeval.parts import Part


class Augmentation(Part):
    """What is done to every image, real or fake, before the discriminator sees it."""

    noun: ClassVar[str] = "augmentation"
    package: ClassVar[str] = "ganeval.augment"

    def initial_state(self) -> State:
        """The state before step 0, as float64 scalars (for example the adaptive probability)."""
        return {}

    @abstractmethod
    def apply(self, images: Tensor, state: State, rng: torch.Generator) -> Tensor:
        """Images (N, C, R, R) in [-1, 1] to images of the same shape, with gradient.

        Chance comes from ``rng`` by :class:`~ganeval.augment.chance.Draws`: it is the same in all processes.
        """

    def mix(self, real: Tensor, fake: Tensor, state: State, rng: torch.Generator) -> Tensor:
        """The real images the discriminator is shown, before :meth:`apply` (APA replaces some by fakes)."""
        return real

    def observe(self, real_logits: Tensor, state: State) -> None:
        """Called with D(real) (N,) of every batch the discriminator learns from: adaptive members move their probability here.

        That is once per discriminator update, or ``schedule.accumulation`` times.
        """


def require_strength(strength: float) -> None:
    """Raise ``UserError`` unless ``strength`` lies between doing nothing (0) and the published ranges (1)."""
    if not 0 <= strength <= 1:
        raise UserError(f"augmentation.strength must be in [0, 1], got {strength}")
