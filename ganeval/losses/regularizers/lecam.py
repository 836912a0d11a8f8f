"""The LeCam regulariser for little data (Tseng et al., CVPR 2021, arXiv 2104.03310)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ganeval.gather import gather
from ganeval.losses.base import Regularizer, Stage, State


def lecam(real: Tensor, fake: Tensor, anchor_real: Tensor, anchor_fake: Tensor) -> Tensor:
    """mean [real - anchor_fake]+^2 + mean [anchor_real - fake]+^2 of logits (N,), (M,) and two scalars: a scalar."""
    return torch.relu(real - anchor_fake).square().mean() + torch.relu(anchor_real - fake).square().mean()


@dataclass(frozen=True)
class LeCam(Regularizer):
    """``weight`` * :func:`lecam`, whose anchors are moving averages of the mean logits of reals and of fakes.

    The averages take in the logits of an update before it uses them. Up to step ``start`` they only follow the latest logits,
    and there is no penalty. Means are over the batches of all processes.
    """

    kind: ClassVar[str] = "lecam"
    weight: float = 0.3
    decay: float = 0.99
    start: int = 1000

    def initial_state(self) -> State:
        return {"real": torch.zeros((), dtype=torch.float64), "fake": torch.zeros((), dtype=torch.float64)}

    def d_penalty(self, stage: Stage, state: State) -> Tensor | None:
        real, fake = stage.reals()[2].adv, stage.fake_verdict.adv
        started = stage.step > self.start
        for name, logits in (("real", real), ("fake", fake)):
            mean = gather(logits.detach()).to(torch.float64).mean()
            state[name].lerp_(mean, 1 - self.decay if started else 1.0)
        if not started:
            return None
        return self.weight * lecam(real, fake, state["real"].to(real.dtype), state["fake"].to(fake.dtype))
