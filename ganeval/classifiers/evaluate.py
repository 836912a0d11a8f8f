"""Running a trained classifier over images."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ganeval.classifiers.recipe import Net
from ganeval.data.base import ImageSet
from ganeval.data.pixels import to_float
from ganeval.precision import exact

BLOCK = 64
"""Images per forward pass outside training. Kernels may add up in another order at another batch size: one size, one result."""


@torch.no_grad()
def run_in_blocks(net: Net, images: Tensor) -> tuple[Tensor, Tensor]:
    """Features (N, D) and logits (N, K) of float images (N, C, R, R), on the images' device, full blocks of 64 at a time.

    The last block is filled up with zeros, so that an image's result does not depend on how many came with it.
    """
    features, logits = [], []
    for block in images.split(BLOCK):
        full = F.pad(block, (0, 0, 0, 0, 0, 0, 0, BLOCK - len(block)))
        with exact():
            f, y = net(full)
        features.append(f[: len(block)])
        logits.append(y[: len(block)])
    return torch.cat(features), torch.cat(logits)


def logits_of(net: Net, data: ImageSet, device: torch.device, talk: Callable[[int], None] = lambda done: None) -> Tensor:
    """The logits (N, K) of all of ``data``, on the CPU. ``net`` must be in evaluation mode; ``talk`` hears how many are done."""
    parts: list[Tensor] = []
    for images in data.images.split(16 * BLOCK):
        parts.append(run_in_blocks(net, to_float(images.to(device)))[1].cpu())
        talk(min(16 * BLOCK * len(parts), len(data)))
    return torch.cat(parts)


def accuracy(net: Net, data: ImageSet, device: torch.device) -> float:
    """The part of ``data`` whose label has the largest logit. ``net`` must be in evaluation mode."""
    return int((logits_of(net, data, device).argmax(dim=1) == data.labels).sum()) / len(data)
