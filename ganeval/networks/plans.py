"""Channel plans of the residual networks, in multiples of a network's base width, and the checks that go with them.

From PyTorch-StudioGAN (after Brock et al. 2019, arXiv:1809.11096, appendix B, and Miyato et al. 2018 for 32 px). The
plans for 16 px are ours: the 32 px networks with one block less.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise

from ganeval.errors import UserError
from ganeval.networks.base import ImageShape

BOTTOM = 4
"""Height and width of a generator's first feature map."""

G_WIDTHS: dict[int, tuple[int, ...]] = {
    16: (4, 4, 4),
    32: (4, 4, 4, 4),
    64: (16, 8, 4, 2, 1),
    128: (16, 16, 8, 4, 2, 1),
    256: (16, 16, 8, 8, 4, 2, 1),
    512: (16, 16, 8, 8, 4, 2, 1, 1),
}
"""By resolution: the width before the first stage, then the width each stage gives. Every stage doubles the resolution."""

D_WIDTHS: dict[int, tuple[int, ...]] = {
    16: (2, 2, 2),
    32: (2, 2, 2, 2),
    64: (1, 2, 4, 8, 16),
    128: (1, 2, 4, 8, 16, 16),
    256: (1, 2, 4, 8, 8, 16, 16),
    512: (1, 1, 2, 4, 8, 8, 16, 16),
}
"""By resolution: the width each discriminator block gives; the first one reads the image."""

D_HALVINGS: dict[int, int] = {16: 2, 32: 2, 64: 4, 128: 5, 256: 6, 512: 7}
"""By resolution: how many of the discriminator's blocks (deep networks: stages), from the first, halve the resolution."""

Stage = tuple[int, int]


def stages(widths: Sequence[int], channels: int) -> list[Stage]:
    """(in, out) channels of each stage of a plan that starts with an input width."""
    return [(before * channels, after * channels) for before, after in pairwise(widths)]


def check_shape(kind: str, shape: ImageShape, resolutions: Collection[int]) -> None:
    """Raise ``UserError`` for images this backbone has no network for."""
    if shape.resolution not in resolutions:
        known = ", ".join(str(resolution) for resolution in sorted(resolutions))
        what = f"backbone '{kind}' has no network for {shape.resolution} px images"
        raise UserError(f"{what}: set data.resolution to one of {known}")
    if shape.channels not in (1, 3):
        raise UserError(f"backbone '{kind}' draws images with 1 or 3 channels, not {shape.channels}: convert the images")


def check_attention(kind: str, field: str, places: Collection[int], count: int) -> None:
    """Raise ``UserError`` for attention after a block (or stage) that does not exist; places count from 1."""
    for place in places:
        if not 1 <= place <= count:
            raise UserError(f"backbone '{kind}' has {count} blocks at this resolution: set {field} to 1 ... {count}, not {place}")


def check_positive(kind: str, **fields: int) -> None:
    """Raise ``UserError`` for a width, depth or dimension below 1."""
    for field, value in fields.items():
        if value < 1:
            raise UserError(f"backbone '{kind}': {field} is {value}, set it to at least 1")
