"""What happens to a classifier's training images."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from ganeval.classifiers.recipe import Augmentation
from ganeval.errors import UserError


@dataclass(frozen=True)
class Distort(Augmentation):
    """A little of everything: ``shift`` as a part of the side, ``rotation`` in degrees, ``zoom`` as a factor's distance from 1.

    Each is uniform up to the number given. Bilinear; what comes in from outside repeats the border.
    """

    kind: ClassVar[str] = "distort"
    shift: float = 0.1
    rotation: float = 10.0
    zoom: float = 0.1

    def __post_init__(self) -> None:
        if min(self.shift, self.rotation) < 0 or not 0 <= self.zoom < 1:
            raise UserError("augmentation: shift and rotation are at least 0, zoom is in [0, 1)")

    def __call__(self, images: Tensor, flip: bool, fill: Tensor, rng: torch.Generator) -> Tensor:
        u = 2 * torch.rand(len(images), 4, generator=rng) - 1
        angle, scale = math.radians(self.rotation) * u[:, 0], 1 + self.zoom * u[:, 1]
        shift = 2 * self.shift * u[:, 2:]
        mirror = torch.where(torch.rand(len(images), generator=rng) < 0.5, -1.0, 1.0) if flip else torch.ones(len(images))
        cos, sin = scale * torch.cos(angle), scale * torch.sin(angle)
        rows = torch.stack([mirror * cos, -sin, shift[:, 0], mirror * sin, cos, shift[:, 1]], dim=1)
        grid = F.affine_grid(rows.view(-1, 2, 3).to(images.device), list(images.shape), align_corners=False)
        return F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)


@dataclass(frozen=True)
class Crop(Augmentation):
    """A random crop of the image with a border of ``border`` sides around it (1/8: 4 pixels at 32), filled with the mean.

    With standardised images that is a border of zeros (He et al., CVPR 2016, section 4.2).
    """

    kind: ClassVar[str] = "crop"
    border: float = 0.125

    def __post_init__(self) -> None:
        if not 0 <= self.border <= 1:
            raise UserError(f"augmentation.border must be in [0, 1], got {self.border}")

    def __call__(self, images: Tensor, flip: bool, fill: Tensor, rng: torch.Generator) -> Tensor:
        count, _, size, _ = images.shape
        pad = round(self.border * size)
        padded = fill.to(images).view(1, 1, 1, -1).repeat(count, size + 2 * pad, size + 2 * pad, 1)
        padded[:, pad : pad + size, pad : pad + size] = images.permute(0, 2, 3, 1)
        corner = torch.randint(0, 2 * pad + 1, (2, count, 1), generator=rng)
        rows, columns = corner + torch.arange(size)
        if flip:
            columns = torch.where(torch.rand(count, 1, generator=rng) < 0.5, columns.flip(1), columns)
        which = torch.arange(count).view(-1, 1, 1)
        return padded[which, rows.unsqueeze(2), columns.unsqueeze(1)].permute(0, 3, 1, 2).contiguous()
