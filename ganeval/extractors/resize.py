"""Resizing without a loop over images: uint8 images to float32 at a network's size, on any device.

Every filter here is linear and separable, so its result is ``V X H'`` with two matrices that depend on the sizes alone, and are
zero but for a few pixels around each. The filters are those of the tools whose numbers one compares with: torch-fidelity
(TensorFlow 1), pytorch-fid (torch) and clean-fid (Pillow, mode "F"); each agrees with its tool to 1e-3 grey levels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

Matrix = Callable[[int, int], Tensor]
"""(n, m) to the float32 matrix (m, n) that brings n pixels to m."""

BAND = 48
"""Columns that one product makes: of fewer there are many small products, more of them multiply by zeros. Measured."""

PIECE = 1536
"""Rows of pixels that a CPU resizes at a time: what its cache holds. Measured."""


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
        planes = images.reshape(-1, height, width)
        made = (shrunk if height > size else enlarged)(planes, self.matrix, size)
        if self.clipped:
            made.clamp_(0, 255)
        return made.view(count, channels, size, size)


def enlarged(planes: Tensor, matrix: Matrix, size: int) -> Tensor:
    """Planes of pixels (P, H, W) as float32 (P, size, size), rows brought to their width first: then they are few."""
    count, height, width = planes.shape
    wide = torch.empty(count * height, size, device=planes.device)
    at = _at_a_time(planes, 1)
    for some, out in zip(planes.view(-1, width).split(at), wide.split(at), strict=True):
        across(some.to(torch.float32), matrix, out)
    return down(wide.view(count, height, size), matrix, size)


def shrunk(planes: Tensor, matrix: Matrix, size: int) -> Tensor:
    """The same, columns brought to their height first: then rows are few."""
    count, height, width = planes.shape
    made = torch.empty(count, size, size, device=planes.device)
    at = _at_a_time(planes, height)
    for some, out in zip(planes.split(at), made.split(at), strict=True):
        across(down(some.to(torch.float32), matrix, size).view(-1, width), matrix, out.view(-1, size))
    return made


def _at_a_time(planes: Tensor, rows: int) -> int:
    """How many things of so many ``rows`` each are worked on at once: on a GPU all."""
    return max(1, PIECE // rows) if planes.device.type == "cpu" else planes.numel()


def across(rows: Tensor, matrix: Matrix, made: Tensor) -> None:
    """Bring float32 rows (R, W) to the width of ``made`` (R, size), which they are written to."""
    for band in _bands(matrix, rows.shape[1], made.shape[1], rows.device):
        torch.mm(rows[:, band.source], band.weights, out=made[:, band.target])


def down(planes: Tensor, matrix: Matrix, size: int) -> Tensor:
    """float32 (P, H, W) to (P, size, W)."""
    return (down_by_taps if planes.device.type == "cpu" else down_by_product)(planes, matrix, size)


def down_by_taps(planes: Tensor, matrix: Matrix, size: int) -> Tensor:
    """float32 (P, H, W) to (P, size, W): each row the weighted sum of those few that it needs, in one pass."""
    count, height, width = planes.shape
    index, weights = _taps(matrix, height, size, count)
    made = F.embedding_bag(index, planes.view(-1, width), per_sample_weights=weights, mode="sum")
    return made.view(count, size, width)


def down_by_product(planes: Tensor, matrix: Matrix, size: int) -> Tensor:
    """The same, where products are cheap: on a GPU."""
    weights = matrix(planes.shape[1], size).to(planes.device)
    made = planes.new_empty(len(planes), size, planes.shape[2])
    return torch.bmm(weights.expand(len(planes), -1, -1), planes, out=made)  # autocast leaves alone what has an ``out``


class Band(NamedTuple):
    """The ``target`` columns of a product, the ``source`` pixels that they need, and the ``weights`` (source, target)."""

    target: slice
    source: slice
    weights: Tensor


@lru_cache(maxsize=64)
def _bands(matrix: Matrix, n: int, m: int, device: torch.device) -> tuple[Band, ...]:
    """The transpose of the matrix (m, n) cut into bands: most of it is zero."""
    whole, bands = matrix(n, m).to(device), []
    for start in range(0, m, BAND):
        part = whole[start : start + BAND]
        used = part.ne(0).any(dim=0).nonzero()
        source = slice(int(used[0]), int(used[-1]) + 1)
        bands.append(Band(slice(start, start + len(part)), source, part[:, source].T.contiguous()))
    return tuple(bands)


@lru_cache(maxsize=16)
def _taps(matrix: Matrix, n: int, m: int, planes: int) -> tuple[Tensor, Tensor]:
    """For each of the m rows of every plane: which of all planes' rows it is made of, int32 (planes * m, k), and how much."""
    whole = matrix(n, m)
    used = whole.ne(0)
    first, last = used.int().argmax(dim=1), n - 1 - used.flip(1).int().argmax(dim=1)
    taps = int((last - first).max()) + 1
    index = first.clamp(max=n - taps)[:, None] + torch.arange(taps)
    weights = whole.gather(1, index).repeat(planes, 1)
    index = index + n * torch.arange(planes)[:, None, None]
    return index.view(-1, taps).to(torch.int32), weights


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
