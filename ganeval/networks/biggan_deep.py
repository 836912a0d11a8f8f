"""BigGAN-deep (Brock et al. 2019, arXiv:1809.11096, appendix B), in the two variants of PyTorch-StudioGAN."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from ganeval.networks.base import Backbone, Body, Generator, ImageShape
from ganeval.networks.deep_blocks import (
    ConvolvingDiscriminatorBlock,
    DeepDiscriminatorBlock,
    DeepGeneratorBlock,
    LegacyDiscriminatorBlock,
    Shortcut,
    convolve_channels,
    drop_channels,
)
from ganeval.networks.layers import Layers, batch_norm, channels_last
from ganeval.networks.plans import (
    BOTTOM,
    D_HALVINGS,
    D_WIDTHS,
    G_WIDTHS,
    check_attention,
    check_positive,
    check_shape,
    stages,
)
from ganeval.networks.residual import attention_after, label_norm, sum_pool
from ganeval.precision import in_full

DiscriminatorBlock = Callable[[int, int, bool, Layers], DeepDiscriminatorBlock]

LEGACY_D_WIDTHS: Mapping[int, tuple[int, ...]] = {**D_WIDTHS, 16: (4, 4, 4), 32: (4, 4, 4, 4)}
STUDIOGAN_D_WIDTHS: Mapping[int, tuple[int, ...]] = {**D_WIDTHS, 16: (1, 4, 4), 32: (1, 4, 4, 4)}
"""By resolution: the width after the first convolution, then the width each stage gives (multiples of d_channels)."""


@dataclass(frozen=True)
class DeepBackbone(Backbone):
    """What both variants share. Every stage has ``g_depth`` or ``d_depth`` blocks; attention follows whole stages.

    The generator's first layer and all its blocks read the label's embedding (``shared_dim`` wide, never spectrally
    normalised) followed by the whole latent; with ``class_conditional`` False the latent alone.
    """

    z_dim: int = 128
    shared_dim: int = 128
    g_channels: int = 128
    d_channels: int = 128
    g_depth: int = 2
    d_depth: int = 2
    g_attention: tuple[int, ...] = ()
    d_attention: tuple[int, ...] = ()
    g_spectral_norm: bool = True
    d_spectral_norm: bool = True
    class_conditional: bool = True

    def __post_init__(self) -> None:
        check_positive(self.kind, z_dim=self.z_dim, shared_dim=self.shared_dim, g_depth=self.g_depth, d_depth=self.d_depth)
        check_positive(self.kind, g_channels=self.g_channels, d_channels=self.d_channels)

    @property
    def d_layers(self) -> Layers:
        return Layers(self.d_spectral_norm)

    @abstractmethod
    def g_shortcut(self) -> Shortcut:
        """What the generator's shortcuts are."""

    @abstractmethod
    def d_block(self) -> DiscriminatorBlock:
        """What the discriminator's blocks are."""

    @abstractmethod
    def d_widths(self) -> Mapping[int, tuple[int, ...]]:
        """The discriminator's channel plans."""

    def generator(self, shape: ImageShape, num_classes: int) -> Generator:
        check_shape(self.kind, shape, G_WIDTHS)
        check_attention(self.kind, "g_attention", self.g_attention, len(G_WIDTHS[shape.resolution]) - 1)
        return DeepGenerator(self, shape, num_classes)

    def discriminator(self, shape: ImageShape) -> Body:
        check_shape(self.kind, shape, self.d_widths())
        check_attention(self.kind, "d_attention", self.d_attention, len(self.d_widths()[shape.resolution]) - 1)
        return DeepBody(self, shape)


@dataclass(frozen=True)
class BigGANDeep(DeepBackbone):
    """The variant after CompareGAN ("legacy"): the generator's shortcut drops channels, the discriminator's adds some."""

    kind: ClassVar[str] = "biggan-deep"

    def g_shortcut(self) -> Shortcut:
        return drop_channels

    def d_block(self) -> DiscriminatorBlock:
        return LegacyDiscriminatorBlock

    def d_widths(self) -> Mapping[int, tuple[int, ...]]:
        return LEGACY_D_WIDTHS


@dataclass(frozen=True)
class BigGANDeepStudioGAN(DeepBackbone):
    """The variant with 1x1 convolutions in the shortcuts."""

    kind: ClassVar[str] = "biggan-deep-studiogan"

    def g_shortcut(self) -> Shortcut:
        return convolve_channels

    def d_block(self) -> DiscriminatorBlock:
        return ConvolvingDiscriminatorBlock

    def d_widths(self) -> Mapping[int, tuple[int, ...]]:
        return STUDIOGAN_D_WIDTHS


class DeepGenerator(Generator):
    """Linear layer to a 4x4 map, stages of blocks, BatchNorm, ReLU, 3x3 convolution, tanh.

    The last block of a stage doubles the resolution; it and all but the first change to the stage's output width.
    """

    def __init__(self, backbone: DeepBackbone, shape: ImageShape, num_classes: int) -> None:
        super().__init__(backbone.z_dim, num_classes, shape)
        layers = Layers(backbone.g_spectral_norm)
        plan = stages(G_WIDTHS[shape.resolution], backbone.g_channels)
        (first, _), (_, last) = plan[0], plan[-1]
        shared_dim = backbone.shared_dim if backbone.class_conditional else 0
        norm = label_norm(shared_dim + backbone.z_dim, layers)

        def stage(before: int, after: int) -> nn.ModuleList:
            blocks, width, depth = nn.ModuleList(), before, backbone.g_depth
            for number in range(1, depth + 1):
                out = before if number == 1 and depth > 1 else after
                blocks.append(DeepGeneratorBlock(width, out, number == depth, norm, backbone.g_shortcut(), layers))
                width = out
            return blocks

        self.shared = Layers(spectral_norm=False).embedding(num_classes, shared_dim) if shared_dim else None
        self.linear = layers.linear(shared_dim + backbone.z_dim, first * BOTTOM**2)
        self.stages = nn.ModuleList(stage(before, after) for before, after in plan)
        self.attention = nn.ModuleList(
            attention_after(number, backbone.g_attention, after, layers) for number, (_, after) in enumerate(plan, 1)
        )
        self.norm = batch_norm(last)
        self.to_image = layers.conv(last, shape.channels, 3, padding=1)

    def condition(self, y: Tensor) -> Tensor:
        if self.shared is None:
            return torch.empty(len(y), 0, device=y.device)
        embedded: Tensor = self.shared(y)
        return embedded

    def render(self, z: Tensor, condition: Tensor) -> Tensor:
        seed = torch.cat([condition, z], dim=1)
        x = channels_last(self.linear(seed).unflatten(1, (-1, BOTTOM, BOTTOM)))
        for stage, attend in zip(self.stages, self.attention, strict=True):
            for block in stage.children():
                x = block(x, seed)
            x = attend(x)
        return torch.tanh(in_full(self.to_image(relu(self.norm(x)))))


class DeepBody(Body):
    """A 3x3 convolution, stages of blocks, ReLU, sum over positions.

    The first block of a stage changes the width and halves the resolution: in every stage from 64 px on, in the first
    two of smaller networks.
    """

    def __init__(self, backbone: DeepBackbone, shape: ImageShape) -> None:
        plan = stages(backbone.d_widths()[shape.resolution], backbone.d_channels)
        super().__init__(plan[-1][1])
        layers, block = backbone.d_layers, backbone.d_block()
        halvings = D_HALVINGS[shape.resolution]

        def stage(number: int, before: int, after: int) -> nn.Sequential:
            narrow = block(before, after, number <= halvings, layers)
            return nn.Sequential(narrow, *(block(after, after, False, layers) for _ in range(backbone.d_depth - 1)))

        self.from_image = layers.conv(shape.channels, plan[0][0], 3, padding=1)
        self.stages = nn.ModuleList(stage(number, before, after) for number, (before, after) in enumerate(plan, 1))
        self.attention = nn.ModuleList(
            attention_after(number, backbone.d_attention, after, layers) for number, (_, after) in enumerate(plan, 1)
        )

    def forward(self, images: Tensor) -> Tensor:
        x = self.from_image(images)
        for stage, attend in zip(self.stages, self.attention, strict=True):
            x = attend(stage(x))
        return sum_pool(x)
