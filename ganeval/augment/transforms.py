"""Transforms of image batches that carry gradient, one random draw per sample, without a loop over samples."""

from __future__ import annotations

import torch
from torch import Tensor

from ganeval.gather import drawn


def flip_and_shift(images: Tensor, rng: torch.Generator) -> Tensor:
    """The transform of consistency regularisation: images (N, C, H, W) to images of the same shape.

    Each sample is mirrored left to right with p = 1/2, then moved by whole pixels, drawn uniformly from -H // 8 to H // 8 down
    and from -W // 8 to W // 8 to the right; the border is filled by reflection (Zhang et al., ICLR 2020, arXiv 1910.12027).
    """
    count, channels, height, width = images.shape
    device = images.device

    def shifts(size: int) -> Tensor:
        most = size // 8
        return drawn(lambda rows: torch.randint(-most, most + 1, (rows, 1), generator=rng, device=device), count)

    mirrored = drawn(lambda rows: torch.rand(rows, 1, generator=rng, device=device), count) < 0.5
    rows = reflected(torch.arange(height, device=device) - shifts(height), height)  # N x H
    columns = reflected(torch.arange(width, device=device) - shifts(width), width)  # N x W
    columns = torch.where(mirrored, width - 1 - columns, columns)
    sample = torch.arange(count, device=device)[:, None, None, None]
    channel = torch.arange(channels, device=device)[None, :, None, None]
    return images[sample, channel, rows[:, None, :, None], columns[:, None, None, :]]


def reflected(index: Tensor, size: int) -> Tensor:
    """Indices off the end by less than ``size``, mirrored at the first and last element without repeating them."""
    last = size - 1
    return last - (last - index.abs()).abs()
