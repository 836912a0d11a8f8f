"""ADA, adaptive discriminator augmentation (Karras et al., NeurIPS 2020, arXiv 2006.06676), from the paper's appendix B."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import reduce
from typing import ClassVar, Literal

import torch
from torch import Tensor

from ganeval.augment.base import require_strength
from ganeval.augment.chance import Draws
from ganeval.augment.colour import brightened, contrasted, hue_turned, luma_flipped, recolour, saturated
from ganeval.augment.controller import AdaptiveAugmentation
from ganeval.augment.geometry import moved, scaled, turned, warp
from ganeval.losses.base import State

Pipe = Literal["bg", "bgc"]


@dataclass(frozen=True)
class ADA(AdaptiveAugmentation):
    """Each transform of ``pipe`` happens to each image with the adaptive probability p, independently, in this order:

    b, pixel blitting: mirror (or not); a turn by 0, 90, 180 or 270 degrees; a move by whole pixels, U(-1/8, 1/8) of the size.
    g, geometry: scaling by 2^N(0, .2^2); a turn by U(-180, 180) degrees; width scaled by s = 2^N(0, .2^2) and height by 1 / s;
    another such turn; a move by N(0, (1/8)^2) of the size. Each turn happens with 1 - sqrt(1 - p): at least one of them with p.
    c, colour: brightness + N(0, .2^2); contrast * 2^N(0, .5^2); luma flip (or not); hue turned by U(-180, 180) degrees;
    saturation * 2^N(0, 1). ``pipe`` "bg" leaves c out.

    ``strength`` in [0, 1] scales the ranges, and the probability of what has no range: 1 is the paper's, 0 does nothing.

    What differs from the paper: blitting and geometry are one warp between two filters there and here, but the filters are those
    of an interpolating biorthogonal wavelet instead of the orthogonal sym6 (see :func:`~ganeval.augment.geometry.warp`). sym6
    has no symmetry; with these, mirroring and turning by right angles are exact too. Grey images: see
    :func:`~ganeval.augment.colour.recolour`.
    """

    kind: ClassVar[str] = "ada"
    pipe: Pipe = "bgc"
    strength: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require_strength(self.strength)

    def apply(self, images: Tensor, state: State, rng: torch.Generator) -> Tensor:
        draws = Draws(rng, len(images))
        images = warp(images, geometry(draws, state["p"], self.strength, images.shape[-1]))
        return recolour(images, colour(draws, state["p"], self.strength)) if self.pipe == "bgc" else images


def geometry(draws: Draws, p: Tensor, strength: float, size: int) -> Tensor:
    """Matrices (N, 3, 3) of the transforms b and g for images of ``size`` pixels, as :mod:`ganeval.augment.geometry` has them."""
    one_turn = 1 - (1 - p).sqrt()
    largest = math.pi * strength

    def grown() -> Tensor:
        return (draws.normal(0.2 * strength) * draws.happens(p)).exp2()

    def turn() -> Tensor:
        return turned(draws.uniform(-largest, largest) * draws.happens(one_turn))

    mirror = (draws.whole(0, 1) * draws.happens(p * strength)).to(p.dtype)
    mirrored = scaled(1 - 2 * mirror, torch.ones_like(mirror))
    quarters = (draws.whole(0, 3) * draws.happens(p * strength)).to(p.dtype)
    quartered = turned(math.pi / 2 * quarters)
    most = 0.125 * strength
    x, y, happens = draws.uniform(-most, most), draws.uniform(-most, most), draws.happens(p)
    blitted = moved((x * size * happens).round(), (y * size * happens).round())
    zoom = grown()
    zoomed, turned_first = scaled(zoom, zoom), turn()
    stretch = grown()
    stretched, turned_again = scaled(stretch, 1 / stretch), turn()
    x, y, happens = draws.normal(0.125 * strength), draws.normal(0.125 * strength), draws.happens(p)
    shifted = moved(x * size * happens, y * size * happens)
    return reduce(torch.matmul, (mirrored, quartered, blitted, zoomed, turned_first, stretched, turned_again, shifted))


def colour(draws: Draws, p: Tensor, strength: float) -> Tensor:
    """Matrices (N, 4, 4) of the transforms c, as :mod:`ganeval.augment.colour` has them."""
    largest = math.pi * strength
    steps = (
        brightened(draws.normal(0.2 * strength) * draws.happens(p)),
        contrasted((draws.normal(0.5 * strength) * draws.happens(p)).exp2()),
        luma_flipped((draws.whole(0, 1) * draws.happens(p * strength)).to(p.dtype)),
        hue_turned(draws.uniform(-largest, largest) * draws.happens(p)),
        saturated((draws.normal(strength) * draws.happens(p)).exp2()),
    )
    return reduce(torch.matmul, reversed(steps))
