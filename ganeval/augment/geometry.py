"""Geometric transforms of a batch: 3 x 3 matrices, one per image, composed and applied in a single warp.

Matrices act on homogeneous columns (x, y, 1); x goes to the right, y down, the origin is the image's centre and the unit one
pixel. They lead from a place in the output back to the place in the input it shows: the inverse of what happens to the
image. The inverse of a composition is the product of the inverses in the order in which the transforms are applied.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from ganeval.augment.lookup import bilinear
from ganeval.augment.transforms import reflected


def scaled(x: Tensor, y: Tensor) -> Tensor:
    """The image grows by the factors ``x`` and ``y`` (N,): (N, 3, 3). A factor of -1 mirrors."""
    zero = torch.zeros_like(x)
    return _matrices([[1 / x, zero, zero], [zero, 1 / y, zero], [zero, zero, zero + 1]])


def turned(angle: Tensor) -> Tensor:
    """The image turns by ``angle`` (N,), in radians, against the clock: (N, 3, 3)."""
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    return _matrices([[cos, -sin, zero], [sin, cos, zero], [zero, zero, zero + 1]])


def moved(x: Tensor, y: Tensor) -> Tensor:
    """The image moves by ``x`` pixels to the right and ``y`` down (N,): (N, 3, 3)."""
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    return _matrices([[one, zero, -x], [zero, one, -y], [zero, zero, one]])


def _matrices(rows: list[list[Tensor]]) -> Tensor:
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)


# The low-pass filters of the interpolating biorthogonal wavelet with four vanishing moments on both sides (Sweldens 1996; 13/7-T
# in JPEG 2000), from the centre tap outwards. The first is the cubic interpolation of Deslauriers and Dubuc (1989).
SYNTHESIS = (1, 9 / 16, 0, -1 / 16)
ANALYSIS = (348 / 512, 144 / 512, -63 / 512, -16 / 512, 18 / 512, 0, -1 / 512)


def warp(images: Tensor, matrices: Tensor) -> Tensor:
    """Images (N, C, R, R), R at least 4, read through ``matrices`` (N, 3, 3), with low-pass filters against aliasing.

    The images are mirrored at their outermost pixels without end, enlarged to twice the resolution, read bilinearly there,
    filtered and reduced again. The two filters are the synthesis and the analysis low-pass filter of one wavelet, so that one
    undoes the other: an image that does not move stays the same to rounding error, and so does one that moves by whole pixels,
    is mirrored or turned by right angles. Polynomials up to the third degree pass each filter unchanged.
    """
    size = images.shape[-1]
    last = 2 * (size - 1)  # the place of the last pixel in the enlarged image
    margin = len(ANALYSIS) - 1
    enlarge, shrink = filter_matrices(size, images.dtype, images.device)
    axis = torch.arange(-margin, last + margin + 1, device=images.device, dtype=images.dtype) - last / 2

    def read(row: int) -> Tensor:
        along_x, along_y, offset = matrices[:, row, :, None, None].to(images.dtype).unbind(1)
        return _folded(along_x * axis + along_y * axis[:, None] + 2 * offset + last / 2, last)

    warped: Tensor = shrink @ bilinear(enlarge @ images @ enlarge.mT, read(0), read(1)) @ shrink.mT
    return warped


@lru_cache(maxsize=8)
def filter_matrices(size: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """The two filters on one axis as matrices: (2 size, size) to enlarge, (size, 2 size + 11) to shrink.

    Row m of the first gives place m / 2 of the pixels; there is one more than the 2 size - 1 between the first pixel and the
    last, because :func:`bilinear` is exact on powers of two. The second reads places that begin and end three pixels outside.
    Kept, because sending numbers to a GPU waits for it.
    """
    with torch.inference_mode(False):  # or those made in inference could not be used in training
        enlarge, shrink = _filters_in_float64(size)
        return enlarge.to(device, dtype), shrink.to(device, dtype)


def _filters_in_float64(size: int) -> tuple[Tensor, Tensor]:
    synthesis, analysis = (torch.tensor(taps[:0:-1] + taps, dtype=torch.float64) for taps in (SYNTHESIS, ANALYSIS))
    reach, margin = len(SYNTHESIS) - 1, len(ANALYSIS) - 1

    offsets = torch.arange(2 * size)[:, None] - torch.arange(-reach, reach + 1)
    pixels = reflected(offsets.div(2, rounding_mode="floor"), size)
    enlarge = torch.zeros(2 * size, size, dtype=torch.float64).scatter_add_(1, pixels, synthesis * (offsets % 2 == 0))

    places = 2 * torch.arange(size)[:, None] + torch.arange(2 * margin + 1)
    shrink = torch.zeros(size, 2 * size - 1 + 2 * margin, dtype=torch.float64).scatter_(1, places, analysis.expand(size, -1))
    return enlarge, shrink


def _folded(places: Tensor, last: int) -> Tensor:
    """Places on the endless line, mirrored into [0, last]."""
    return last - (places.remainder(2 * last) - last).abs()
