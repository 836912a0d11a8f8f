"""The layers every backbone is made of: with or without spectral normalisation, orthogonal weights, zero biases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm as normalise_batch
from torch.nn.functional import max_pool2d

from ganeval.networks.spectral_norm import SNConv2d, SNConvTranspose2d, SNEmbedding, SNLinear
from ganeval.precision import in_full

M = TypeVar("M", nn.Conv2d, nn.ConvTranspose2d, nn.Linear, nn.Embedding)

BATCH_NORM_EPS = 1e-4
BATCH_NORM_MOMENTUM = 0.1


def _orthogonal(layer: M) -> M:
    """``layer`` with an orthogonal weight and a zero bias (Brock et al. 2017, arXiv:1609.07093)."""
    if not layer.weight.is_meta:
        nn.init.orthogonal_(layer.weight)
    if not isinstance(layer, nn.Embedding) and layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


@dataclass(frozen=True)
class Layers:
    """Makes layers for one network: all of them spectrally normalised, or none."""

    spectral_norm: bool

    def conv(
        self, in_channels: int, out_channels: int, kernel: int, stride: int = 1, padding: int = 0, bias: bool = True
    ) -> nn.Conv2d:
        """A ``kernel`` x ``kernel`` convolution."""
        make = SNConv2d if self.spectral_norm else nn.Conv2d
        return _orthogonal(make(in_channels, out_channels, kernel, stride, padding, bias=bias))

    def conv_transpose(
        self, in_channels: int, out_channels: int, kernel: int, stride: int = 1, padding: int = 0, bias: bool = True
    ) -> nn.ConvTranspose2d:
        """A ``kernel`` x ``kernel`` transposed convolution."""
        make = SNConvTranspose2d if self.spectral_norm else nn.ConvTranspose2d
        return _orthogonal(make(in_channels, out_channels, kernel, stride, padding, bias=bias))

    def linear(self, in_features: int, out_features: int, bias: bool = True) -> nn.Linear:
        """A linear layer (N, in) -> (N, out)."""
        return _orthogonal((SNLinear if self.spectral_norm else nn.Linear)(in_features, out_features, bias=bias))

    def embedding(self, num: int, dim: int) -> nn.Embedding:
        """A table of ``num`` rows: (N,) int64 -> (N, dim)."""
        return _orthogonal((SNEmbedding if self.spectral_norm else nn.Embedding)(num, dim))


def channels_last(x: Tensor) -> Tensor:
    """Images or maps (N, C, H, W) stored with the channels last, where convolutions are faster so. Layers keep the order."""
    faster = x.dim() == 4 and x.device.type in ("cpu", "cuda")
    return x.contiguous(memory_format=torch.channels_last) if faster else x


class BatchNorm(nn.BatchNorm2d):
    """``nn.BatchNorm2d`` whose batch statistics are in full precision for maps in half precision too.

    torch takes their type from the parameters and running statistics, and from the map where it is given none of these.
    """

    def forward(self, x: Tensor) -> Tensor:
        if not self.affine and not self.track_running_stats and self.training and in_full(x) is not x:
            ones, zeros = x.new_ones(x.shape[1], dtype=torch.float32), x.new_zeros(x.shape[1], dtype=torch.float32)
            return normalise_batch(x, None, None, ones, zeros, True, 0.0, self.eps)
        return super().forward(x)


def batch_norm(features: int, affine: bool = True) -> nn.BatchNorm2d:
    """Batch normalisation with eps 1e-4 and momentum 0.1, as PyTorch-StudioGAN's networks have it."""
    return BatchNorm(features, eps=BATCH_NORM_EPS, momentum=BATCH_NORM_MOMENTUM, affine=affine)


def track_batch_statistics(module: nn.Module, flag: bool) -> None:
    """Whether batch normalisation in training mode updates its running statistics.

    Batch statistics normalise either way. The generator's are off while the discriminator is updated, so that only
    the batches of the generator's own update enter them.
    """
    for layer in module.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.track_running_stats = flag


class ConditionalBatchNorm(nn.Module):
    """Batch normalisation whose gain and bias are linear in a condition (de Vries et al. 2017, arXiv:1707.00683).

    ``x`` (N, features, H, W) and ``condition`` (N, cond_dim) to ``bn(x) * (1 + gain(condition)) + bias(condition)``.
    """

    def __init__(self, features: int, cond_dim: int, layers: Layers) -> None:
        super().__init__()
        self.bn = batch_norm(features, affine=False)
        self.gain = layers.linear(cond_dim, features, bias=False)
        self.bias = layers.linear(cond_dim, features, bias=False)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        gain: Tensor = 1.0 + self.gain(condition)
        bias: Tensor = self.bias(condition)
        normalised: Tensor = self.bn(x)
        return torch.addcmul(bias[:, :, None, None], normalised, gain[:, :, None, None])


class PlainBatchNorm(nn.Module):
    """Batch normalisation with a learned gain and bias, in the place of a conditional one: the condition is ignored."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.bn = batch_norm(features)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        normalised: Tensor = self.bn(x)
        return normalised


class SelfAttention(nn.Module):
    """``x + sigma * attention(x)`` over positions (Zhang et al. 2019, arXiv:1805.08318); sigma starts at 0.

    Queries see all H x W positions, keys and values the H/2 x W/2 maxima. Queries and keys have C/8 channels, values
    C/2 (at least 1). H and W must be even.
    """

    def __init__(self, channels: int, layers: Layers) -> None:
        super().__init__()
        narrow, half = max(channels // 8, 1), max(channels // 2, 1)
        self.theta = layers.conv(channels, narrow, 1, bias=False)
        self.phi = layers.conv(channels, narrow, 1, bias=False)
        self.g = layers.conv(channels, half, 1, bias=False)
        self.attn = layers.conv(half, channels, 1, bias=False)
        self.sigma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        queries = self.theta(x).flatten(2)  # N x C/8 x HW
        keys = max_pool2d(self.phi(x), 2).flatten(2)  # N x C/8 x HW/4
        values = max_pool2d(self.g(x), 2).flatten(2)  # N x C/2 x HW/4
        # Written out: the fused attention kernels cannot be differentiated twice, which gradient penalties need.
        # Softmax sums in float32 whatever it is given; a copy of its input in float32 would only cost memory.
        weights = torch.softmax(queries.transpose(1, 2) @ keys, dim=2)  # N x HW x HW/4
        seen = (values @ weights.transpose(1, 2)).view(len(x), -1, height, width)  # N x C/2 x H x W
        attended: Tensor = self.attn(seen)
        return x + self.sigma.to(x.dtype) * attended  # or a vector in float32 would make float32 of maps in half precision
