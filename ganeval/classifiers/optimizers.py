"""How a classifier's weights move: AdamW with a warm cosine, SGD with steps."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from ganeval.classifiers.recipe import Optimizer
from ganeval.errors import UserError


def _check(lr: float, weight_decay: float) -> None:
    if lr <= 0 or weight_decay < 0:
        raise UserError(f"optimizer: lr must be above 0 and weight_decay at least 0, got {lr} and {weight_decay}")


@dataclass(frozen=True)
class AdamW(Optimizer):
    """AdamW (Loshchilov & Hutter 2019); the rate rises in a line for the part ``warmup`` and falls in a cosine to 0."""

    kind: ClassVar[str] = "adamw"
    lr: float = 4e-3
    weight_decay: float = 5e-4
    warmup: float = 0.2

    def __post_init__(self) -> None:
        _check(self.lr, self.weight_decay)
        if not 0 < self.warmup < 1:
            raise UserError(f"optimizer.warmup must be between 0 and 1, got {self.warmup}")

    def make(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.AdamW(parameters, lr=self.lr, weight_decay=self.weight_decay)

    def factor(self, done: float) -> float:
        if done < self.warmup:
            return done / self.warmup
        return 0.5 * (1 + math.cos(math.pi * (done - self.warmup) / (1 - self.warmup)))


@dataclass(frozen=True)
class SGD(Optimizer):
    """SGD with momentum; the rate is multiplied by ``decay`` when each part of the training in ``milestones`` is done.

    ``weight_decay`` acts on every parameter, those of BatchNorm and biases included.
    """

    kind: ClassVar[str] = "sgd"
    lr: float = 0.1
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 1e-4
    milestones: tuple[float, ...] = (0.5, 0.75)
    decay: float = 0.1

    def __post_init__(self) -> None:
        _check(self.lr, self.weight_decay)
        if not 0 <= self.momentum < 1 or (self.nesterov and not self.momentum):
            raise UserError(f"optimizer.momentum must be in [0, 1), and above 0 with Nesterov's rule, got {self.momentum}")

    def make(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.SGD(
            parameters, lr=self.lr, momentum=self.momentum, nesterov=self.nesterov, weight_decay=self.weight_decay
        )

    def factor(self, done: float) -> float:
        return math.prod([self.decay for milestone in self.milestones if done >= milestone])
