"""Resizing as two matrix products: uint8 images to float32 at a network's size, on any device, without a loop over images.

Every filter here is linear and separable, so its result is ``V X H'`` with two matrices that depend on the sizes alone. The
filters are those of the tools whose numbers one compares with: torch-fidelity (TensorFlow 1), pytorch-fid (torch) and
clean-fid (Pillow, mode "F"); each agrees with its tool to 1e-3 grey levels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

Matrix = Callable[[int, int], Tensor]
"""(n, m) to the float32 matrix (m, n) that brings n pixels to m."""

SCRATCH = 2**20
"""Numbers between the two products at a time on a CPU: enough planes for one product, and still near the cache."""

STRIP = 1200
"""Rows of these that are brought to their width at a time on a CPU: what its cache holds together with the result."""


def band_for(n: int) -> int:
    """Rows of a matrix of ``n`` columns per product: fewer make many small products, more multiply by zeros. Measured."""
    return min(max(4800 // n, 30), 75)


@dataclass(frozen=True)
class Resizer:
    """A filter: ``matrix`` per axis; ``clipped`` where overshoot is cut to [0, 255] as clean-fid does."""

    name: str
    matrix: Matrix
    clipped: bool = False

    def __call__(self, images: Tensor, size: int) -> Tensor:
        """uint8 (N, C, H, W) to float32 (N, C, size, size), grey levels 0 to 255 (Pillow's sharp filters overshoot)."""
        count, channels, height, width = images.shape
        if (height, width) == (size, size):
            return images.to(torch.float32)
        made = torch.empty(count, channels, size, size, device=images.device)
        step = count if images.device.type != "cpu" else max(SCRATCH // (channels * size * width), 1)
        down = _bands(self.matrix, height, size, images.device)
        across = _bands(self.matrix, width, size, images.device)
        for start in range(0, count, step):
            x = images[start : start + step].reshape(-1, height, width).to(torch.float32)
            out = made[start : start + step].view(-1, size)
            _by_bands(x, down, across, out, self.clipped)
        return made


class Band(NamedTuple):
    """The ``target`` rows of a matrix, and the ``source`` columns outside of which they are zero."""

    target: slice
    source: slice
    weights: Tensor


def _by_bands(x: Tensor, down: tuple[Band, ...], across: tuple[Band, ...], out: Tensor, clipped: bool) -> None:
    """Planes (P, H, W) brought to ``out`` (P * size, size): first their columns, then their rows, a strip of them at a time."""
    planes, _, width = x.shape
    tall = x.new_empty(planes, len(out) // planes, width)
    for band in down:
        torch.bmm(band.weights.expand(planes, -1, -1), x[:, band.source], out=tall[:, band.target])
    rows = tall.view(-1, width)
    strip = STRIP if x.device.type == "cpu" else len(rows)
    for narrow, wide in zip(rows.split(strip), out.split(strip), strict=True):
        for band in across:
            torch.mm(narrow[:, band.source], band.weights.T, out=wide[:, band.target])
        if clipped:
            wide.clamp_(0, 255)


@lru_cache(maxsize=64)
def _bands(matrix: Matrix, n: int, m: int, device: torch.device) -> tuple[Band, ...]:
    """The matrix (m, n) cut into bands: an output pixel needs only its neighbourhood, most of the matrix is zero."""
    whole = matrix(n, m).to(device)
    bands, high = [], band_for(n)
    for start in range(0, m, high):
        part = whole[start : start + high]
        used = part.ne(0).any(dim=0).nonzero()
        source = slice(int(used[0]), int(used[-1]) + 1)
        bands.append(Band(slice(start, start + len(part)), source, part[:, source].contiguous()))
    return tuple(bands)


@lru_cache(maxsize=32)
def tf1_bilinear(n: int, m: int) -> Tensor:
    """TensorFlow 1's bilinear filter without half-pixel centres: pixel i comes from i n / m, the last pixel is repeated."""
    source = torch.arange(m, dtype=torch.float32) * torch.tensor(n / m, dtype=torch.float32)
    return _between_two(source, n)


@lru_cache(maxsize=32)
def half_pixel_bilinear(n: int, m: int) -> Tensor:
    """torch's bilinear filter, ``align_corners=False``, not antialiased: pixel i comes from (i + 0.5) n / m - 0.5.

    The coordinates are rounded to float32 as torch's fused multiply-add rounds them: off by up to 1e-5 of a pixel, which is
    1e-2 grey levels that an exact formula would not reproduce.
    """
    scale = torch.tensor(n / m, dtype=torch.float32).double()
    source = (scale * (torch.arange(m, dtype=torch.float64) + 0.5) - 0.5).float()
    return _between_two(source.clamp(min=0), n)


def _between_two(source: Tensor, n: int) -> Tensor:
    """The matrix (m, n) of linear interpolation at the coordinates ``source`` (m,), the border repeated."""
    low = source.long().clamp(max=n - 1)
    high = (low + 1).clamp(max=n - 1)
    part = source - low
    rows = torch.arange(len(source))
    matrix = torch.zeros(len(source), n, dtype=torch.float64)
    matrix.index_put_((rows, low), (1 - part).double(), accumulate=True)
    matrix.index_put_((rows, high), part.double(), accumulate=True)
    return matrix.float()


def _triangle(x: Tensor) -> Tensor:
    return (1 - x.abs()).clamp(min=0)


def _cubic(x: Tensor) -> Tensor:
    """Keys' cubic convolution with a = -0.5."""
    a, x = -0.5, x.abs()
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return torch.where(x < 1, near, torch.where(x < 2, far, 0.0))


def _lanczos3(x: Tensor) -> Tensor:
    return torch.where(x.abs() < 3, torch.sinc(x) * torch.sinc(x / 3), 0.0)


def _antialiased(kernel: Callable[[Tensor], Tensor], radius: float) -> Matrix:
    """The matrices of Pillow's ``Image.resize``: the kernel is widened when shrinking, cut at the border, and normalised."""

    @lru_cache(maxsize=32)
    def matrix(n: int, m: int) -> Tensor:
        scale = n / m
        widening = max(scale, 1.0)
        weights = torch.zeros(m, n, dtype=torch.float64)
        for row in range(m):
            centre = (row + 0.5) * scale
            first = max(math.floor(centre - radius * widening + 0.5), 0)
            last = min(math.floor(centre + radius * widening + 0.5), n)
            pixels = torch.arange(first, last, dtype=torch.float64)
            values = kernel((pixels - centre + 0.5) / widening)
            weights[row, first:last] = values / values.sum()
        return weights.float()

    return matrix


TF1_BILINEAR = Resizer("tf1-bilinear", tf1_bilinear)
HALF_PIXEL_BILINEAR = Resizer("half-pixel-bilinear", half_pixel_bilinear)
PIL_BILINEAR = Resizer("pil-bilinear", _antialiased(_triangle, 1.0))
PIL_BICUBIC = Resizer("pil-bicubic", _antialiased(_cubic, 2.0))
PIL_LANCZOS = Resizer("pil-lanczos", _antialiased(_lanczos3, 3.0))
CLEAN = Resizer("pil-bicubic-clipped", PIL_BICUBIC.matrix, clipped=True)
"""clean-fid's ``clean`` mode (Parmar et al., CVPR 2022, arXiv 2104.11222): bicubic per channel in float, clipped, not rounded."""
