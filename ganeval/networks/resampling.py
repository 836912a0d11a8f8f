"""Convolutions fused with the resampling beside them: the same sums in another order, with fewer multiplications.

Nearest upsampling followed by a 3x3 convolution is one transposed 4x4 convolution of stride 2; a 3x3 convolution followed by the
mean over 2x2 is one 4x4 convolution of stride 2. Both need 16 multiplications where the plain order needs 36, and are exact up
to rounding.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, pad

from ganeval.networks.spectral_norm import SpectralNorm


def upsample_conv3x3(x: Tensor, layer: nn.Conv2d) -> Tensor:
    """``layer(upsample(x))`` for a 3x3 ``layer`` with padding 1: (N, C, H, W) to (N, O, 2H, 2W)."""
    kernel = _seen_from_2x2(_weight(layer)).transpose(0, 1).flip(2, 3)
    return conv_transpose2d(x, kernel, layer.bias, stride=2, padding=1)


def conv3x3_mean2x2(x: Tensor, layer: nn.Conv2d) -> Tensor:
    """``avg_pool2d(layer(x), 2)`` for a 3x3 ``layer`` with padding 1: (N, C, H, W), H and W even, to (N, O, H/2, W/2)."""
    return conv2d(x, _seen_from_2x2(_weight(layer)) / 4, layer.bias, stride=2, padding=1)


def _weight(layer: nn.Conv2d) -> Tensor:
    """What ``layer`` computes with: normalised where it has a spectral norm (with one power iteration in training)."""
    return layer.normalised_weight() if isinstance(layer, SpectralNorm) else layer.weight


def _seen_from_2x2(weight: Tensor) -> Tensor:
    """(O, C, 3, 3) to (O, C, 4, 4): the sum of the kernel at the four places of a 2x2 square."""
    wide = pad(weight, (1, 1, 1, 1))
    return wide[..., 1:, 1:] + wide[..., :-1, 1:] + wide[..., 1:, :-1] + wide[..., :-1, :-1]
