"""Half precision inside the networks; everything that meets between them is in full precision. What is scored is exact.

Autocast surrounds the two networks' bodies and nothing else: weights, power iterations, heads, losses, penalties, averages and
optimisers stay in float32. Evaluation mode always computes in full precision.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Literal

import torch
from torch import Tensor, nn

Precision = Literal["fp32", "bf16", "fp16"]

HALF: dict[Precision, torch.dtype] = {"bf16": torch.bfloat16, "fp16": torch.float16}


class Mixed(nn.Module):
    """A network that takes and gives full precision; in training mode it computes in the half precision
    ``computes_in``, where one is set."""

    computes_in: torch.dtype | None = None

    def autocast(self, device: torch.device) -> AbstractContextManager[object]:
        """The context of the network's own computation."""
        if self.computes_in is None or not self.training:
            return nullcontext()
        return torch.autocast(device.type, self.computes_in)


def full_precision_on(device: torch.device) -> AbstractContextManager[object]:
    """No autocast inside the block."""
    return nullcontext() if device.type == "meta" else torch.autocast(device.type, enabled=False)


def in_full(x: Tensor) -> Tensor:
    """``x`` in float32 where it is in half precision, else as it is."""
    return x.float() if x.dtype in HALF.values() else x


@contextmanager
def exact() -> Iterator[None]:
    """Inside the block float32 is float32: no TF32, and the same kernels every time. The caller's settings come back.

    torch keeps these settings for the whole process. Where two threads compute, one block must surround both: of two that
    overlap, the one that ends first would take the settings from the other.
    """
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
            yield
    finally:
        torch.set_float32_matmul_precision(before)


@contextmanager
def full_precision(*networks: nn.Module) -> Iterator[None]:
    """Inside the block ``networks`` compute in full precision: for gradients that a loss is made of."""
    mixed = [network for network in networks if isinstance(network, Mixed)]
    before = [network.computes_in for network in mixed]
    for network in mixed:
        network.computes_in = None
    try:
        yield
    finally:
        for network, half in zip(mixed, before, strict=True):
            network.computes_in = half
