"""Top-k training of the generator (Sinha et al., NeurIPS 2020, arXiv 2002.06224)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ganeval.errors import UserError
from ganeval.gather import gather
from ganeval.losses.base import Regularizer


@dataclass(frozen=True)
class TopK(Regularizer):
    """Only the k fakes that look most real enter the generator's adversarial loss; its other terms read all of them.

    k / N is ``gamma`` to the power of the number of whole ``decay_every`` steps done (an epoch in the paper), but at least
    ``nu``. k is rounded, and at least 1. ``decay_every`` is an epoch of CIFAR-10 at batch 64 unless said otherwise.
    They are chosen from the batches of all processes.
    """

    kind: ClassVar[str] = "top-k"
    needs_adversarial: ClassVar[bool] = True
    gamma: float = 0.99
    nu: float = 0.5
    decay_every: int = 781

    def __post_init__(self) -> None:
        if not (0 < self.gamma <= 1 and 0 < self.nu <= 1):
            raise UserError(f"top-k: gamma is {self.gamma} and nu is {self.nu}, give both in (0, 1]")
        if self.decay_every < 1:
            raise UserError(f"top-k: decay_every is {self.decay_every}, give at least 1 step")

    def select(self, adv: Tensor, step: int) -> Tensor:
        share = max(self.gamma ** (step // self.decay_every), self.nu)
        everyone = gather(adv)
        return everyone.topk(max(1, round(share * len(everyone)))).values
