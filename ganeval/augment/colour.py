"""Colour transforms of a batch: 4 x 4 matrices, one per image, that act on columns (r, g, b, 1) of values in [-1, 1].

All of them work along or around the luma axis, on which red, green and blue are equal (Karras et al., NeurIPS 2020,
arXiv 2006.06676, appendix B).
"""

from __future__ import annotations

import torch
from torch import Tensor

from ganeval.errors import UserError


def brightened(by: Tensor) -> Tensor:
    """``by`` (N,) added to every channel: (N, 4, 4)."""
    shift = torch.zeros(4, 4, dtype=by.dtype, device=by.device)
    shift[:3, 3] = 1
    return _identity(by) + by[:, None, None] * shift


def contrasted(factor: Tensor) -> Tensor:
    """Every channel times ``factor`` (N,), mid-grey (0) being fixed: (N, 4, 4)."""
    identity = _identity(factor)
    return identity + (factor[:, None, None] - 1) * _colours(identity)


def luma_flipped(flip: Tensor) -> Tensor:
    """Where ``flip`` (N,) is 1 rather than 0: light becomes dark, hue and saturation stay: (N, 4, 4)."""
    return _identity(flip) - 2 * flip[:, None, None] * _luma(flip)


def hue_turned(angle: Tensor) -> Tensor:
    """Colours turned around the luma axis by ``angle`` (N,), in radians: (N, 4, 4). A third of a turn makes red green."""
    identity = _identity(angle)
    turn, along = angle[:, None, None], _luma(angle)
    cross = torch.zeros_like(along)
    cross[0, 2] = cross[1, 0] = cross[2, 1] = 3**-0.5
    cross = cross - cross.mT
    return identity + (turn.cos() - 1) * (_colours(identity) - along) + turn.sin() * cross


def saturated(factor: Tensor) -> Tensor:
    """The distance from the luma axis times ``factor`` (N,): (N, 4, 4)."""
    identity = _identity(factor)
    return identity + (factor[:, None, None] - 1) * (_colours(identity) - _luma(factor))


def recolour(images: Tensor, matrices: Tensor) -> Tensor:
    """Images (N, C, H, W) through ``matrices`` (N, 4, 4): same shape, not clipped to [-1, 1].

    One channel is taken as three equal ones, and becomes the mean of what they become: brightness, contrast and luma flip act
    on it, hue and saturation do not. Raises ``UserError`` for a number of channels other than 1 and 3.
    """
    channels = _channels(images)
    factors, shifts = matrices[:, :3, :3].to(images.dtype), matrices[:, :3, 3:].to(images.dtype)
    if channels == 1:
        factors, shifts = factors.sum((1, 2))[:, None, None] / 3, shifts.mean(1, keepdim=True)
    return (factors @ images.flatten(2) + shifts).view_as(images)


def grey(images: Tensor) -> Tensor:
    """The luma of images (N, 3, H, W) after ITU-R BT.601: (N, 1, H, W). One channel is its own; others raise ``UserError``."""
    if _channels(images) == 1:
        return images
    red, green, blue = images.split(1, dim=1)
    luma: Tensor = 0.299 * red + 0.587 * green + 0.114 * blue
    return luma


def _channels(images: Tensor) -> int:
    channels = images.shape[1]
    if channels not in (1, 3):
        raise UserError(f"augmentations of colour need images of 1 or 3 channels, got {channels}")
    return channels


def _identity(like: Tensor) -> Tensor:
    return torch.eye(4, dtype=like.dtype, device=like.device)


def _colours(identity: Tensor) -> Tensor:
    """The identity of the three colours alone."""
    return identity * (torch.arange(4, device=identity.device) < 3)


def _luma(like: Tensor) -> Tensor:
    """The projection onto the luma axis (1, 1, 1) / sqrt(3)."""
    projection = torch.zeros(4, 4, dtype=like.dtype, device=like.device)
    projection[:3, :3] = 1 / 3
    return projection
