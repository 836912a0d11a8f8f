"""DiffAugment (Zhao et al., NeurIPS 2020, arXiv 2006.10738)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from ganeval.augment.base import Augmentation, require_strength
from ganeval.augment.chance import Draws, per_image, scaled_about
from ganeval.losses.base import State

Transform = Literal["color", "translation", "cutout"]


@dataclass(frozen=True)
class DiffAugment(Augmentation):
    """The transforms of ``policy`` on every image, in that order, each drawn anew for every image and every call.

    ``strength`` in [0, 1] scales all ranges: 1 is the paper's, 0 leaves the images as they are.
    """

    kind: ClassVar[str] = "diffaug"
    policy: tuple[Transform, ...] = ("color", "translation", "cutout")
    strength: float = 1.0

    def __post_init__(self) -> None:
        require_strength(self.strength)

    def apply(self, images: Tensor, state: State, rng: torch.Generator) -> Tensor:
        for name in self.policy:
            images = TRANSFORMS[name](images, Draws(rng, len(images)), self.strength)
        return images


def recoloured(images: Tensor, draws: Draws, strength: float) -> Tensor:
    """Brightness + U(-.5, .5); distance from the grey of each pixel * U(0, 2); from the mean of each image * U(.5, 1.5).

    The grey of a pixel is the plain mean of its channels. The result may leave [-1, 1].
    """
    images = images + per_image(draws.uniform(-0.5, 0.5) * strength, images)
    images = scaled_about(images, images.mean(1, keepdim=True), 1 + draws.uniform(-1, 1) * strength)
    return scaled_about(images, images.mean((1, 2, 3), keepdim=True), 1 + draws.uniform(-0.5, 0.5) * strength)


def translated(images: Tensor, draws: Draws, strength: float) -> Tensor:
    """Moved by whole pixels, uniform up to an eighth of the size either way on each axis; 0 comes in from outside."""
    count, channels, height, width = images.shape
    rows = torch.arange(height, device=images.device) - _shifts(draws, height, strength)  # N x H
    columns = torch.arange(width, device=images.device) - _shifts(draws, width, strength)  # N x W
    inside = _within(rows, 0, height)[:, None, :, None] & _within(columns, 0, width)[:, None, None, :]
    rows, columns = rows.clamp(0, height - 1), columns.clamp(0, width - 1)
    moved = images.gather(2, rows[:, None, :, None].expand(count, channels, height, width))
    moved = moved.gather(3, columns[:, None, None, :].expand(count, channels, height, width))
    return moved * inside


def cut_out(images: Tensor, draws: Draws, strength: float) -> Tensor:
    """A square of half the size set to 0, its centre uniform over the image: at the border part of it falls outside."""
    height, width = images.shape[2:]
    rows, columns = _covered(draws, height, strength), _covered(draws, width, strength)
    return images * ~(rows[:, None, :, None] & columns[:, None, None, :])


def _shifts(draws: Draws, size: int, strength: float) -> Tensor:
    most = int(0.125 * size * strength + 0.5)
    return draws.whole(-most, most)[:, None]


def _covered(draws: Draws, size: int, strength: float) -> Tensor:
    """The places (N, size) on one axis that the square covers."""
    side = int(0.5 * size * strength + 0.5)
    first = draws.whole(0, size - side % 2)[:, None] - side // 2
    return _within(torch.arange(size, device=first.device), first, first + side)


def _within(index: Tensor, first: Tensor | int, end: Tensor | int) -> Tensor:
    return (index >= first) & (index < end)


TRANSFORMS: dict[Transform, Callable[[Tensor, Draws, float], Tensor]] = {
    "color": recoloured,
    "translation": translated,
    "cutout": cut_out,
}
