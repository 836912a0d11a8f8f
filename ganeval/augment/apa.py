"""APA, adaptive pseudo augmentation (Jiang et al., NeurIPS 2021, arXiv 2111.06849)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ganeval.augment.chance import Draws
from ganeval.augment.controller import AdaptiveAugmentation
from ganeval.losses.base import State


@dataclass(frozen=True)
class APA(AdaptiveAugmentation):
    """Deceives the discriminator: each real image is replaced by a fake one with the adaptive probability p.

    The substitute is the fake at the same place of the batch, without gradient; it is shown as real under the label of the
    image it replaces, though it was generated for another, as PyTorch-StudioGAN does. The same fake is also shown as fake.
    The logits that p follows are those of the mixed batch.
    """

    kind: ClassVar[str] = "apa"

    def apply(self, images: Tensor, state: State, rng: torch.Generator) -> Tensor:
        """The images themselves."""
        return images

    def mix(self, real: Tensor, fake: Tensor, state: State, rng: torch.Generator) -> Tensor:
        """Real images (N, C, R, R), some of them replaced by those of ``fake`` (N, C, R, R)."""
        replaced = Draws(rng, len(real)).happens(state["p"])
        return torch.where(replaced[:, None, None, None], fake.detach(), real)
