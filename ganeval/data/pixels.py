"""The one conversion between uint8 images and what networks see. The two functions are exact inverses on uint8."""

from __future__ import annotations

import torch
from torch import Tensor

from ganeval.errors import UserError


def to_float(images: Tensor) -> Tensor:
    """uint8 0..255 to float32 in [-1, 1]: x / 127.5 - 1."""
    return images.to(torch.float32) / 127.5 - 1


def to_uint8(images: Tensor) -> Tensor:
    """Floating images to uint8: floor(clip(255 (x + 1) / 2 + 0.5, 0, 255)), computed in float32.

    Values outside [-1, 1] are clipped; a value that is not finite raises :class:`UserError`, it has no colour.
    """
    images = images.to(torch.float32)
    if not bool(torch.isfinite(images).all()):
        raise UserError("images hold values that are not finite: the network that made them has diverged")
    return (255 * (images + 1) / 2 + 0.5).clamp(0, 255).floor().to(torch.uint8)
