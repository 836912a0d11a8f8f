"""The recipe: everything that decides what a training run computes, except its data's pixels and its seed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ganeval.augment.base import Augmentation
from ganeval.conditioning.base import Conditioning
from ganeval.errors import UserError
from ganeval.losses.base import Adversarial, Regularizer
from ganeval.networks.base import Backbone
from ganeval.recipes.schema import sha256_of_part

Prior = Literal["gaussian", "uniform"]


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise UserError(message)


@dataclass(frozen=True)
class Citation:
    """Where the row comes from: the paper, its table, and the source's own configuration file."""

    paper: str
    table: str = ""
    source: str = ""


@dataclass(frozen=True)
class Data:
    """``dataset`` by name; square images of ``resolution`` pixels; ``flip``: random horizontal flips (p = 1/2).

    Limited data: ``fraction`` in (0, 1] of every class is seen, the same images in every run; ``classes`` are the labels that
    are kept (empty = all), numbered anew from 0 in this order.
    """

    dataset: str
    resolution: int
    flip: bool = True
    fraction: float = 1.0
    classes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        _require(0 < self.fraction <= 1, f"data.fraction must be above 0 and at most 1, got {self.fraction}")
        distinct = len(set(self.classes)) == len(self.classes) and min(self.classes, default=0) >= 0
        _require(distinct, f"data.classes must be different labels from 0 on, got {','.join(map(str, self.classes))}")
        _require(self.resolution >= 4, f"data.resolution must be at least 4 pixels, got {self.resolution}")


@dataclass(frozen=True)
class Adam:
    """Two Adam optimisers (Kingma & Ba 2015) that share their betas. ``eps`` 1e-6 is PyTorch-StudioGAN's."""

    g_lr: float = 2e-4
    d_lr: float = 2e-4
    beta1: float = 0.5
    beta2: float = 0.999
    eps: float = 1e-6
    g_weight_decay: float = 0.0
    d_weight_decay: float = 0.0

    def __post_init__(self) -> None:
        _require(min(self.g_lr, self.d_lr) > 0, "optimizer.g_lr and optimizer.d_lr must be above 0")
        for name in ("beta1", "beta2"):
            _require(0 <= getattr(self, name) < 1, f"optimizer.{name} must be in [0, 1), got {getattr(self, name)}")


@dataclass(frozen=True)
class Schedule:
    """``steps`` generator updates; before each, ``d_steps`` discriminator updates, every one on fresh batches.

    ``batch_size`` images enter one forward pass, ``accumulation`` passes make one update.
    """

    steps: int
    batch_size: int = 64
    d_steps: int = 5
    accumulation: int = 1

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "d_steps", "accumulation"):
            _require(getattr(self, name) >= 1, f"schedule.{name} must be at least 1, got {getattr(self, name)}")

    @property
    def images_per_step(self) -> int:
        """Real images one step consumes."""
        return self.batch_size * self.accumulation * self.d_steps


@dataclass(frozen=True)
class EMA:
    """Moving average of the generator with ``decay``; a plain copy before step ``start``."""

    decay: float = 0.9999
    start: int = 1000

    def __post_init__(self) -> None:
        _require(0 <= self.decay < 1, f"ema.decay must be in [0, 1), got {self.decay}")
        _require(self.start >= 0, f"ema.start must be at least 0, got {self.start}")


@dataclass(frozen=True)
class Recipe:
    """One row of a paper's table. Each part has only its own parameters, so an impossible combination cannot be written.

    ``adversarial`` is ``None`` where the conditioning is its own adversarial loss (multi-hinge); ``prior`` is the distribution
    of the latents: N(0, 1) or U(-1, 1).
    """

    method: str
    data: Data
    backbone: Backbone
    conditioning: Conditioning
    adversarial: Adversarial | None
    schedule: Schedule
    optimizer: Adam = field(default_factory=Adam)
    ema: EMA | None = field(default_factory=EMA)
    regularizers: tuple[Regularizer, ...] = ()
    augmentation: Augmentation | None = None
    prior: Prior = "gaussian"
    citation: Citation = field(default_factory=lambda: Citation("none"))

    def __post_init__(self) -> None:
        self.backbone.check(self.data.resolution)
        scheme = f"conditioning '{self.conditioning.kind}'"
        if self.conditioning.is_adversarial:
            _require(self.adversarial is None, f"{scheme} is its own adversarial loss: set adversarial=none")
            idle = [part.kind for part in self.regularizers if part.needs_adversarial]
            _require(not idle, f"{scheme} leaves nothing for {', '.join(idle)} to act on: leave it out")
        else:
            _require(self.adversarial is not None, f"{scheme} needs an adversarial loss: set adversarial=hinge or another")
        kinds = [part.kind for part in self.regularizers]
        _require(len(set(kinds)) == len(kinds), f"regularizers={','.join(kinds)} names one of them twice: name each once")

    def fingerprint(self) -> str:
        """SHA-256 of the canonical JSON: two recipes with the same fingerprint compute the same."""
        return sha256_of_part(self)
