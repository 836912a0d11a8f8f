"""The residual networks that ResNet (SNGAN, SAGAN) and BigGAN have in common: blocks, discriminator, generator's frame."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, relu

from ganeval.networks.base import Body, Generator, ImageShape
from ganeval.networks.layers import ConditionalBatchNorm, Layers, PlainBatchNorm, SelfAttention, batch_norm, channels_last
from ganeval.networks.plans import BOTTOM, D_HALVINGS, D_WIDTHS, G_WIDTHS, stages
from ganeval.networks.resampling import conv3x3_mean2x2, upsample_conv3x3
from ganeval.precision import in_full

Norm = Callable[[int], nn.Module]
"""Makes a normalisation of so many channels, called as ``norm(x, condition)``."""


def label_norm(cond_dim: int, layers: Layers) -> Norm:
    """Batch normalisation conditioned on vectors of ``cond_dim`` numbers; plain where there are none."""
    if cond_dim == 0:
        return PlainBatchNorm
    return lambda features: ConditionalBatchNorm(features, cond_dim, layers)


def attention_after(number: int, places: Collection[int], channels: int, layers: Layers) -> nn.Module:
    """Self-attention if block ``number`` (from 1) is among ``places``, else nothing."""
    return SelfAttention(channels, layers) if number in places else nn.Identity()


def upsample(x: Tensor) -> Tensor:
    """Twice the height and width, nearest neighbour."""
    return interpolate(x, scale_factor=2.0, mode="nearest")


def sum_pool(x: Tensor) -> Tensor:
    """``h``: the sum of ReLU(x) over height and width. A sum, not a mean: the heads' scale depends on it."""
    return in_full(relu(x)).sum(dim=(2, 3))


class GeneratorBlock(nn.Module):
    """norm, ReLU, upsample, 3x3, norm, ReLU, 3x3; the shortcut is a 1x1 convolution, upsampled."""

    def __init__(self, in_channels: int, out_channels: int, norm: Norm, layers: Layers) -> None:
        super().__init__()
        self.norm1 = norm(in_channels)
        self.norm2 = norm(out_channels)
        self.shortcut = layers.conv(in_channels, out_channels, 1)
        self.conv1 = layers.conv(in_channels, out_channels, 3, padding=1)
        self.conv2 = layers.conv(out_channels, out_channels, 3, padding=1)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        h = upsample_conv3x3(relu(self.norm1(x, condition)), self.conv1)
        h = self.conv2(relu(self.norm2(h, condition)))
        # A 1x1 convolution commutes with nearest upsampling; before it, it costs a quarter.
        drawn: Tensor = h + upsample(self.shortcut(x))
        return drawn


class ResidualGenerator(Generator):
    """Linear layer to a 4x4 map, one block per doubling, BatchNorm, ReLU, 3x3 convolution, tanh."""

    def __init__(
        self, z_dim: int, num_classes: int, shape: ImageShape, channels: int, input_dim: int, norm: Norm,
        attention: Collection[int], layers: Layers, code: nn.Linear | None = None,
    ) -> None:  # fmt: skip
        super().__init__(z_dim, num_classes, shape, code)
        plan = stages(G_WIDTHS[shape.resolution], channels)
        (first, _), (_, last) = plan[0], plan[-1]
        self.linear = layers.linear(input_dim, first * BOTTOM**2)
        self.blocks = nn.ModuleList(GeneratorBlock(before, after, norm, layers) for before, after in plan)
        self.attention = nn.ModuleList(
            attention_after(number, attention, after, layers) for number, (_, after) in enumerate(plan, 1)
        )
        self.norm = batch_norm(last)
        self.to_image = layers.conv(last, shape.channels, 3, padding=1)

    def draw(self, seed: Tensor, conditions: Sequence[Tensor]) -> Tensor:
        """Images of ``seed`` (N, input_dim), block ``i`` under ``conditions[i]``."""
        x = channels_last(self.linear(seed).unflatten(1, (-1, BOTTOM, BOTTOM)))
        for block, attend, condition in zip(self.blocks, self.attention, conditions, strict=True):
            x = attend(block(x, condition))
        return torch.tanh(in_full(self.to_image(relu(self.norm(x)))))


class FirstBlock(nn.Module):
    """The discriminator's first block, on the image: no ReLU before its first convolution; halves the resolution."""

    def __init__(self, in_channels: int, out_channels: int, layers: Layers) -> None:
        super().__init__()
        normalise = not layers.spectral_norm
        self.norm0 = batch_norm(in_channels) if normalise else nn.Identity()
        self.norm1 = batch_norm(out_channels) if normalise else nn.Identity()
        self.shortcut = layers.conv(in_channels, out_channels, 1)
        self.conv1 = layers.conv(in_channels, out_channels, 3, padding=1)
        self.conv2 = layers.conv(out_channels, out_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        h = conv3x3_mean2x2(relu(self.norm1(self.conv1(x))), self.conv2)
        shortcut: Tensor = self.shortcut(self.norm0(avg_pool2d(x, 2)))
        return h + shortcut


class DiscriminatorBlock(nn.Module):
    """ReLU, 3x3, ReLU, 3x3, mean over 2x2 if it halves; BatchNorm before each ReLU where there is no spectral norm.

    With spectral norm the shortcut carries ReLU(x), not x: the published networks rectify ``x`` in place, and the
    shortcut is the same memory. With BatchNorm, which makes a copy, it carries x.
    """

    def __init__(self, in_channels: int, out_channels: int, halve: bool, layers: Layers) -> None:
        super().__init__()
        self.halve = halve
        self.rectify_shortcut = layers.spectral_norm
        normalise, convolve = not layers.spectral_norm, halve or in_channels != out_channels
        self.norm0 = batch_norm(in_channels) if normalise and convolve else nn.Identity()
        self.norm1 = batch_norm(in_channels) if normalise else nn.Identity()
        self.norm2 = batch_norm(out_channels) if normalise else nn.Identity()
        self.shortcut = layers.conv(in_channels, out_channels, 1) if convolve else nn.Identity()
        self.conv1 = layers.conv(in_channels, out_channels, 3, padding=1)
        self.conv2 = layers.conv(out_channels, out_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        rectified = relu(self.norm1(x))
        between = relu(self.norm2(self.conv1(rectified)))
        h: Tensor = conv3x3_mean2x2(between, self.conv2) if self.halve else self.conv2(between)
        kept: Tensor = self.norm0(rectified if self.rectify_shortcut else x)
        if self.halve:  # A 1x1 convolution commutes with the mean over 2x2; after it, it costs a quarter.
            kept = avg_pool2d(kept, 2)
        shortcut: Tensor = self.shortcut(kept)
        return h + shortcut


class ResidualBody(Body):
    """The discriminator body of SNGAN, SAGAN and BigGAN: residual blocks, ReLU, sum over positions."""

    def __init__(self, shape: ImageShape, channels: int, attention: Collection[int], layers: Layers) -> None:
        widths = [width * channels for width in D_WIDTHS[shape.resolution]]
        halvings = D_HALVINGS[shape.resolution]
        super().__init__(widths[-1], positions=(shape.resolution >> halvings) ** 2)
        self.blocks = nn.ModuleList([FirstBlock(shape.channels, widths[0], layers)])
        for number, (before, after) in enumerate(pairwise(widths), 2):
            self.blocks.append(DiscriminatorBlock(before, after, number <= halvings, layers))
        self.attention = nn.ModuleList(
            attention_after(number, attention, width, layers) for number, width in enumerate(widths, 1)
        )

    def forward(self, images: Tensor) -> Tensor:
        x = images
        for block, attend in zip(self.blocks, self.attention, strict=True):
            x = attend(block(x))
        return sum_pool(x)
