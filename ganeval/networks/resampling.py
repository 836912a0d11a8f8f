"""Convolutions fused with the resampling beside them: the same sums in another order, with fewer multiplications.

Nearest upsampling followed by a 3x3 convolution is one transposed 4x4 convolution of stride 2; a 3x3 convolution followed by the
mean over 2x2 is one 4x4 convolution of stride 2. Both need 16 multiplications where the plain order needs 36, and are exact up
to rounding.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d

from ganeval.networks.spectral_norm import SpectralNorm
from ganeval.precision import full_precision_on


def upsample_conv3x3(x: Tensor, layer: nn.Conv2d) -> Tensor:
    """``layer(upsample(x))`` for a 3x3 ``layer`` with padding 1: (N, C, H, W) to (N, O, 2H, 2W)."""
    weight = _weight(layer)
    kernel = _seen_from_2x2(weight, _places(weight).flip(0))  # a transposed convolution reads its kernel backwards
    return conv_transpose2d(x, kernel.transpose(0, 1), layer.bias, stride=2, padding=1)


def conv3x3_mean2x2(x: Tensor, layer: nn.Conv2d) -> Tensor:
    """``avg_pool2d(layer(x), 2)`` for a 3x3 ``layer`` with padding 1: (N, C, H, W), H and W even, to (N, O, H/2, W/2)."""
    weight = _weight(layer)
    return conv2d(x, _seen_from_2x2(weight, _places(weight) / 2), layer.bias, stride=2, padding=1)


def _weight(layer: nn.Conv2d) -> Tensor:
    """What ``layer`` computes with: normalised where it has a spectral norm (with one power iteration in training)."""
    return layer.normalised_weight() if isinstance(layer, SpectralNorm) else layer.weight


def _places(weight: Tensor) -> Tensor:
    """(4, 3): which of the 3 entries on one axis of the kernel are summed into each of the 4, seen from two places at once."""
    return weight.new_ones(4, 3).tril().triu(-1)


def _seen_from_2x2(weight: Tensor, places: Tensor) -> Tensor:
    """(O, C, 3, 3) to (O, C, 4, 4): the kernel with ``places`` applied on both axes.

    One product of matrices reads the weights once, forward and backward; autocast must not round them before they are summed.
    """
    with full_precision_on(weight.device):
        summed = weight.flatten(2) @ torch.kron(places, places).T
    kernel: Tensor = summed.unflatten(2, (4, 4))
    return kernel
