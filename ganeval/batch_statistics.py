"""What BatchNorm normalises by when a trained generator is sampled: stored statistics, those of the batch, or standing ones.

Brock et al., ICLR 2019, arXiv 1809.11096, section 4.1, for standing statistics; the variant here is PyTorch-StudioGAN's. A
generator without BatchNorm gives the same images under all of them.
"""

from __future__ import annotations

import copy
import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ganeval.errors import UserError
from ganeval.rng import derived_seed, uniforms

G = TypeVar("G", bound=nn.Module)

Inputs = Callable[[int, int, int], tuple[Tensor, Tensor]]
"""(seed, start, stop) to latents (stop - start, z_dim) and labels (stop - start,) on the generator's device."""

BLOCK = 64
"""Images of one forward pass. A block is always computed whole, so that rounding cannot depend on who asks for what."""


class Statistics(ABC):
    """How BatchNorm normalises. ``block`` images, counted from sample 0, make one forward pass."""

    kind: ClassVar[str]

    @property
    def block(self) -> int:
        return BLOCK

    @abstractmethod
    def applied(self, module: G, seed: int, inputs: Inputs) -> G:
        """``module``, in evaluation mode, under these statistics: itself or a changed copy."""


@dataclass(frozen=True)
class Running(Statistics):
    """The averages that training stored."""

    kind: ClassVar[str] = "running"

    def applied(self, module: G, seed: int, inputs: Inputs) -> G:
        return module

    def __str__(self) -> str:
        return self.kind


@dataclass(frozen=True)
class Batch(Statistics):
    """Those of the images generated together: samples ``k * size`` to ``(k + 1) * size`` for k = 0, 1, ...

    An image depends on the others of its block, and on no other: the last block is generated whole even where fewer images
    are asked for.
    """

    size: int

    kind: ClassVar[str] = "batch"

    def __post_init__(self) -> None:
        if self.size < 2:
            raise UserError(f"batch statistics of blocks of {self.size}: at least 2 images are needed")

    @property
    def block(self) -> int:
        return self.size

    def applied(self, module: G, seed: int, inputs: Inputs) -> G:
        changed = copy.deepcopy(module)
        for layer in _batch_norms(changed):  # without stored statistics torch takes the batch's, in evaluation mode too
            layer.running_mean = layer.running_var = None
        return changed

    def __str__(self) -> str:
        return f"{self.kind}:{self.size}"


@dataclass(frozen=True)
class Standing(Statistics):
    """Averages over fresh samples, as PyTorch-StudioGAN's ``-std_stat -std_max max_batch -std_step passes`` makes them.

    The stored statistics are reset to mean 0 and variance 1. ``passes`` forward passes of i.i.d. uniform 1 to ``max_batch``
    samples, labels i.i.d. uniform, then update them with BatchNorm's own momentum (0.1: an exponential average of about the
    last 20 passes, not the cumulative mean of the BigGAN paper). Sizes, latents and labels are functions of the seed, in streams
    of their own: the samples that are scored are not among them.
    """

    max_batch: int
    passes: int

    kind: ClassVar[str] = "standing"

    def __post_init__(self) -> None:
        if min(self.max_batch, self.passes) < 1:
            raise UserError(f"standing statistics of {self.passes} passes of up to {self.max_batch}: both must be at least 1")

    def sizes(self, seed: int) -> list[int]:
        """The number of samples in each pass."""
        draws = uniforms(derived_seed(seed, "standing", "sizes"), 0, self.passes, 1)[:, 0]
        return [1 + int(u * self.max_batch) for u in draws]

    @torch.no_grad()
    def applied(self, module: G, seed: int, inputs: Inputs) -> G:
        changed = copy.deepcopy(module)
        layers = _batch_norms(changed)
        if not layers:
            return module
        for layer in layers:
            layer.reset_running_stats()
            layer.train()
        start = 0
        for size in self.sizes(seed):
            changed(*inputs(derived_seed(seed, "standing"), start, start + size))
            start += size
        for layer in layers:
            layer.eval()
        return changed

    def __str__(self) -> str:
        return f"{self.kind}:{self.max_batch}x{self.passes}"


def _batch_norms(module: nn.Module) -> list[_BatchNorm]:
    return [layer for layer in module.modules() if isinstance(layer, _BatchNorm)]


def parse_statistics(text: str) -> Statistics:
    """The statistics that ``running``, ``batch:SIZE`` or ``standing:MAX_BATCHxPASSES`` means; raises ``UserError``."""
    if text == Running.kind:
        return Running()
    if batch := re.fullmatch(r"batch:([0-9]{1,6})", text):
        return Batch(int(batch[1]))
    if standing := re.fullmatch(r"standing:([0-9]{1,6})x([0-9]{1,6})", text):
        return Standing(int(standing[1]), int(standing[2]))
    raise UserError(f"statistics '{text}': write running, batch:SIZE or standing:MAX_BATCHxPASSES, for example standing:64x64")
