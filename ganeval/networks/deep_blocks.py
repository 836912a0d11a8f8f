"""Blocks of BigGAN-deep: bottlenecks of 1x1, 3x3, 3x3, 1x1 convolutions on a quarter of the channels, in two variants.

The variants are those of PyTorch-StudioGAN. "Legacy" follows CompareGAN: shortcuts without or with few weights. The other
one has 1x1 convolutions in its shortcuts. In both discriminators the shortcut carries ReLU(x), not x: the published
networks rectify ``x`` in place, and the shortcut is the same memory.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, relu

from ganeval.networks.layers import Layers
from ganeval.networks.resampling import upsample_conv3x3
from ganeval.networks.residual import Norm, upsample

Shortcut = Callable[[int, int, Layers], nn.Module]
"""Makes the shortcut of a generator block from (in, out) channels."""


def _quarter(channels: int) -> int:
    return max(channels // 4, 1)


class FirstChannels(nn.Module):
    """Keeps the first channels and drops the others: (N, C, H, W) to (N, count, H, W), count <= C."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    def forward(self, x: Tensor) -> Tensor:
        return x[:, : self.count]


def drop_channels(in_channels: int, out_channels: int, layers: Layers) -> nn.Module:
    """The legacy generator's shortcut, without weights."""
    return FirstChannels(out_channels)


def convolve_channels(in_channels: int, out_channels: int, layers: Layers) -> nn.Module:
    """The other variant's shortcut: a 1x1 convolution, also between equal widths."""
    return layers.conv(in_channels, out_channels, 1)


class DeepGeneratorBlock(nn.Module):
    """Four times norm, ReLU, convolution on a quarter of the *input* channels; the second one after upsampling."""

    def __init__(
        self, in_channels: int, out_channels: int, doubles: bool, norm: Norm, shortcut: Shortcut, layers: Layers
    ) -> None:
        super().__init__()
        hidden = _quarter(in_channels)
        self.doubles = doubles
        self.norm1 = norm(in_channels)
        self.norm2 = norm(hidden)
        self.norm3 = norm(hidden)
        self.norm4 = norm(hidden)
        self.shortcut = shortcut(in_channels, out_channels, layers)
        self.conv1 = layers.conv(in_channels, hidden, 1)
        self.conv2 = layers.conv(hidden, hidden, 3, padding=1)
        self.conv3 = layers.conv(hidden, hidden, 3, padding=1)
        self.conv4 = layers.conv(hidden, out_channels, 1)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        h = self.conv1(relu(self.norm1(x, condition)))
        h = relu(self.norm2(h, condition))
        h = upsample_conv3x3(h, self.conv2) if self.doubles else self.conv2(h)
        h = self.conv3(relu(self.norm3(h, condition)))
        h = self.conv4(relu(self.norm4(h, condition)))
        kept: Tensor = self.shortcut(x)
        drawn: Tensor = h + (upsample(kept) if self.doubles else kept)
        return drawn


class DeepDiscriminatorBlock(nn.Module):
    """Four times ReLU, convolution on a quarter of the *output* channels. No BatchNorm, with or without spectral norm."""

    def __init__(self, in_channels: int, out_channels: int, halve: bool, layers: Layers) -> None:
        super().__init__()
        hidden = _quarter(out_channels)
        self.halve = halve
        self.conv1 = layers.conv(in_channels, hidden, 1)
        self.conv2 = layers.conv(hidden, hidden, 3, padding=1)
        self.conv3 = layers.conv(hidden, hidden, 3, padding=1)
        self.conv4 = layers.conv(hidden, out_channels, 1)

    def pool(self, x: Tensor) -> Tensor:
        """The mean over 2x2 if this block halves the resolution."""
        return avg_pool2d(x, 2) if self.halve else x

    def rectify_and_pool(self, h: Tensor) -> Tensor:
        """What stands before the last convolution; the variants differ in the order."""
        raise NotImplementedError

    def carry(self, rectified: Tensor) -> Tensor:
        """The shortcut, from ReLU(x) to the block's output shape."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        rectified = relu(x)
        h = self.conv3(relu(self.conv2(relu(self.conv1(rectified)))))
        judged: Tensor = self.conv4(self.rectify_and_pool(h)) + self.carry(rectified)
        return judged


class LegacyDiscriminatorBlock(DeepDiscriminatorBlock):
    """The shortcut keeps its channels and a 1x1 convolution adds the missing ones."""

    def __init__(self, in_channels: int, out_channels: int, halve: bool, layers: Layers) -> None:
        super().__init__(in_channels, out_channels, halve, layers)
        added = out_channels - in_channels
        self.shortcut = layers.conv(in_channels, added, 1) if added else None

    def rectify_and_pool(self, h: Tensor) -> Tensor:
        return self.pool(relu(h))

    def carry(self, rectified: Tensor) -> Tensor:
        kept = self.pool(rectified)
        return kept if self.shortcut is None else torch.cat([kept, self.shortcut(kept)], dim=1)


class ConvolvingDiscriminatorBlock(DeepDiscriminatorBlock):
    """The shortcut is a 1x1 convolution wherever resolution or width change."""

    def __init__(self, in_channels: int, out_channels: int, halve: bool, layers: Layers) -> None:
        super().__init__(in_channels, out_channels, halve, layers)
        changes = halve or in_channels != out_channels
        self.shortcut = layers.conv(in_channels, out_channels, 1) if changes else nn.Identity()

    def rectify_and_pool(self, h: Tensor) -> Tensor:
        return relu(self.pool(h))

    def carry(self, rectified: Tensor) -> Tensor:
        # Upstream convolves before it pools in all blocks but the first: the same, at four times the cost.
        kept: Tensor = self.shortcut(self.pool(rectified))
        return kept
