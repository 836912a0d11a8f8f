"""Reading images between their pixels: bilinear, and differentiable as often as one likes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import grid_sample


def bilinear(images: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Values of ``images`` (N, C, H, W) at columns ``x`` and rows ``y`` (N, h, w), in pixels: (N, C, h, w).

    Pixel centres are the whole numbers 0 ... W - 1 and 0 ... H - 1; ``x`` and ``y`` must not leave that range. Whole
    coordinates are exact where W and H are powers of two. Linear in the images, without gradient for ``x`` and ``y``.
    """
    height, width = images.shape[2:]
    grid = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], dim=-1)
    read: Tensor = _Read.apply(images, grid)
    return read


class _Read(torch.autograd.Function):
    """``grid_sample`` as the linear map of images it is for a fixed grid.

    Gradient penalties differentiate the gradient, which ``grid_sample`` itself does not offer in every version of torch.
    """

    @staticmethod
    def forward(ctx: Any, images: Tensor, grid: Tensor) -> Tensor:
        ctx.save_for_backward(grid)
        ctx.size = images.shape[2:]
        return grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (grid,) = ctx.saved_tensors
        return _Spread.apply(grad, grid, ctx.size), None


class _Spread(torch.autograd.Function):
    """The transpose of :class:`_Read`."""

    @staticmethod
    def forward(ctx: Any, grad: Tensor, grid: Tensor, size: tuple[int, int]) -> Tensor:
        ctx.save_for_backward(grid)
        images = grad.new_zeros(*grad.shape[:2], *size)
        modes = (0, 0, False)  # bilinear, zeros outside, corners not aligned
        spread: Tensor = torch.ops.aten.grid_sampler_2d_backward(grad.contiguous(), images, grid, *modes, [True, False])[0]
        return spread

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (grid,) = ctx.saved_tensors
        return _Read.apply(grad, grid), None, None
