"""The augmentations of SimCLR (Chen et al., ICML 2020, arXiv 2002.05709, appendix A), without blur, for a discriminator."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ganeval.augment.base import Augmentation, require_strength
from ganeval.augment.chance import Draws, scaled_about
from ganeval.augment.colour import grey, hue_turned, recolour
from ganeval.augment.lookup import bilinear
from ganeval.errors import UserError
from ganeval.losses.base import State


@dataclass(frozen=True)
class SimCLR(Augmentation):
    """Random resized crop, mirror (p = 1/2), colour jitter (p = 0.8) and grey (p = 0.2), in that order.

    The crop covers ``min_area`` to 1 of the image. ``jitter`` in [0, 1] is the strength of the colours' jitter: 0.5 is
    SimCLR's for CIFAR-10, 1 its for ImageNet. ``strength`` in [0, 1] scales all ranges and the probabilities of mirror and
    grey: 1 is the paper's, 0 leaves the images as they are.
    """

    kind: ClassVar[str] = "simclr"
    min_area: float = 0.08
    jitter: float = 0.5
    strength: float = 1.0

    def __post_init__(self) -> None:
        require_strength(self.strength)
        if not 0 < self.min_area <= 1:
            raise UserError(f"augmentation.min_area must be in (0, 1], got {self.min_area}")
        if not 0 <= self.jitter <= 1:
            raise UserError(f"augmentation.jitter must be in [0, 1], got {self.jitter}")

    def apply(self, images: Tensor, state: State, rng: torch.Generator) -> Tensor:
        draws = Draws(rng, len(images))
        images = cropped(images, draws, 1 - (1 - self.min_area) * self.strength, (4 / 3) ** self.strength)
        mirrored = draws.happens(0.5 * self.strength)[:, None, None, None]
        images = torch.where(mirrored, images.flip(3), images)
        images = jittered(images, draws, self.jitter * self.strength)
        return scaled_about(images, grey(images), 1 - draws.happens(0.2 * self.strength).to(images.dtype))


def cropped(images: Tensor, draws: Draws, min_area: float, max_ratio: float) -> Tensor:
    """A box of each image (N, C, R, R), read bilinearly at R x R places.

    Its area is uniform from ``min_area`` to 1 of the image, the logarithm of width / height uniform up to that of ``max_ratio``
    either way. Boxes may lie between pixels, and a side longer than the image is cut to it; torchvision rounds, and draws again.
    """
    size = images.shape[-1]
    area, tall = draws.uniform(min_area, 1), math.log(max_ratio)
    ratio = draws.uniform(-tall, tall).exp()

    def places(side: Tensor) -> Tensor:
        side = side.clamp(max=1)
        start = draws.uniform() * (1 - side)
        centres = torch.arange(size, device=side.device, dtype=side.dtype) + 0.5
        read = start[:, None] * size + side[:, None] * centres - 0.5
        return read.clamp(0, size - 1).to(images.dtype)

    x, y = places((area * ratio).sqrt()), places((area / ratio).sqrt())
    shape = (len(images), size, size)
    return bilinear(images, x[:, None, :].expand(shape), y[:, :, None].expand(shape))


def jittered(images: Tensor, draws: Draws, jitter: float) -> Tensor:
    """With p = 0.8, in this order: brightness, contrast, saturation * U(1 - .8 j, 1 + .8 j) each, hue turned by U(-.2 j, .2 j).

    Brightness scales values counted from black (-1), contrast the distance from the mean luma of the image, saturation that
    from the luma of each pixel; hue turns around the grey axis, in turns. Unlike in torchvision, the order is fixed and values
    are not clipped to [-1, 1], where they would lose their gradient. Grey images have no saturation and no hue.
    """
    happens = draws.happens(0.8)
    brightness, contrast, saturation = (1 + draws.uniform(-0.8 * jitter, 0.8 * jitter) * happens for _ in range(3))
    hue = 2 * math.pi * draws.uniform(-0.2 * jitter, 0.2 * jitter) * happens
    images = scaled_about(images, -1.0, brightness)
    images = scaled_about(images, grey(images).mean((1, 2, 3), keepdim=True), contrast)
    images = scaled_about(images, grey(images), saturation)
    return recolour(images, hue_turned(hue))
