"""The controller that ADA and APA share: a probability that follows the discriminator's overfitting.

Karras et al., NeurIPS 2020 (arXiv 2006.06676), section 3.1: the heuristic r_t = E[sign D(x_real)].
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ganeval.augment.base import Augmentation
from ganeval.errors import UserError
from ganeval.gather import gather
from ganeval.losses.base import State


@dataclass(frozen=True)
class AdaptiveAugmentation(Augmentation):
    """An augmentation with a probability p in [0, 1], ``initial_p`` at first.

    Every ``interval`` calls of :meth:`observe`, p moves by n / (1000 ``kimg``), n being the real images seen since it last
    moved: up where the mean sign of their logits exceeds ``target``, down where it falls short. From 0 to 1 it thus takes
    ``kimg`` thousand images whatever batch and interval are. Images are those of all processes.
    """

    initial_p: float = 0.0
    target: float = 0.6
    interval: int = 4
    kimg: int = 500

    def __post_init__(self) -> None:
        if not 0 <= self.initial_p <= 1:
            raise UserError(f"augmentation.initial_p must be in [0, 1], got {self.initial_p}")
        if not -1 <= self.target <= 1:
            raise UserError(f"augmentation.target is a mean sign: it must be in [-1, 1], got {self.target}")
        for name in ("interval", "kimg"):
            if getattr(self, name) < 1:
                raise UserError(f"augmentation.{name} must be at least 1, got {getattr(self, name)}")

    def initial_state(self) -> State:
        """``p``, and since it last moved: the sum of signs, the images seen, the calls."""
        start = {"p": self.initial_p, "signs": 0.0, "seen": 0.0, "calls": 0.0}
        return {name: torch.tensor(value, dtype=torch.float64) for name, value in start.items()}

    def observe(self, real_logits: Tensor, state: State) -> None:
        """Count the signs of the logits (N,) and move ``p`` when it is due; nothing waits for the device."""
        logits = gather(real_logits.detach())
        state["signs"] += logits.sign().sum(dtype=torch.float64)
        state["seen"] += logits.numel()
        state["calls"] += 1
        due = state["calls"] >= self.interval
        direction = torch.sign(state["signs"] / state["seen"] - self.target)
        state["p"].add_(due * direction * state["seen"] / (1000 * self.kimg)).clamp_(0, 1)
        for name in ("signs", "seen", "calls"):
            state[name].masked_fill_(due, 0)
