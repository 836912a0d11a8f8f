"""DCGAN (Radford et al. 2016, arXiv:1511.06434), as PyTorch-StudioGAN has it: no residual connections."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot, relu

from ganeval.networks.base import Backbone, Body, Generator, ImageShape, check_code
from ganeval.networks.layers import Layers, batch_norm, channels_last
from ganeval.networks.plans import BOTTOM, check_attention, check_positive, check_shape
from ganeval.networks.residual import Norm, attention_after, label_norm, sum_pool
from ganeval.precision import in_full

WIDTHS: dict[int, tuple[int, ...]] = {
    16: (1, 2, 4),
    32: (1, 2, 4, 8),
    64: (1, 2, 4, 8, 16),
    128: (1, 2, 4, 8, 16, 16),
    256: (1, 2, 4, 8, 16, 16, 16),
}
"""By resolution, from the image inwards, in multiples of the base width; the last is the 4x4 map's.

The source has 32 px only (512, 256, 128, 64 channels). The others are ours: one stage per doubling, widths that double
up to 16.
"""


@dataclass(frozen=True)
class DCGAN(Backbone):
    """Strided convolutions. Resolutions 16 to 256; 32 px is the source's network, the others follow its pattern.

    ``class_conditional``: the generator's batch normalisations read the one-hot label; plain if False, as published.
    A discriminator without spectral normalisation has BatchNorm. ``code_dim``: values of a discrete code (InfoGAN) that the
    batch normalisations read too, projected to ``z_dim`` numbers.
    """

    kind: ClassVar[str] = "dcgan"
    z_dim: int = 128
    g_channels: int = 64
    d_channels: int = 64
    g_attention: tuple[int, ...] = ()
    d_attention: tuple[int, ...] = ()
    g_spectral_norm: bool = False
    d_spectral_norm: bool = False
    class_conditional: bool = True
    code_dim: int = 0

    def __post_init__(self) -> None:
        check_positive(self.kind, z_dim=self.z_dim, g_channels=self.g_channels, d_channels=self.d_channels)
        check_code(self.kind, self.code_dim)

    @property
    def d_layers(self) -> Layers:
        return Layers(self.d_spectral_norm)

    def generator(self, shape: ImageShape, num_classes: int) -> Generator:
        check_shape(self.kind, shape, WIDTHS)
        check_attention(self.kind, "g_attention", self.g_attention, len(WIDTHS[shape.resolution]) - 1)
        return DCGANGenerator(self, shape, num_classes)

    def discriminator(self, shape: ImageShape) -> Body:
        check_shape(self.kind, shape, WIDTHS)
        check_attention(self.kind, "d_attention", self.d_attention, len(WIDTHS[shape.resolution]) - 1)
        return DCGANBody(self, shape)


class DCGANGeneratorBlock(nn.Module):
    """4x4 transposed convolution of stride 2, norm, ReLU."""

    def __init__(self, in_channels: int, out_channels: int, norm: Norm, layers: Layers) -> None:
        super().__init__()
        self.conv = layers.conv_transpose(in_channels, out_channels, 4, stride=2, padding=1)
        self.norm = norm(out_channels)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        return relu(self.norm(self.conv(x), condition))


class DCGANGenerator(Generator):
    """Linear layer to a 4x4 map, one block per doubling, 3x3 convolution, tanh."""

    def __init__(self, backbone: DCGAN, shape: ImageShape, num_classes: int) -> None:
        layers = Layers(backbone.g_spectral_norm)
        code = layers.linear(backbone.code_dim, backbone.z_dim) if backbone.code_dim else None
        super().__init__(backbone.z_dim, num_classes, shape, code)
        self.class_conditional = backbone.class_conditional
        norm = label_norm((code.out_features if code else 0) + (num_classes if backbone.class_conditional else 0), layers)
        widths = [width * backbone.g_channels for width in reversed(WIDTHS[shape.resolution])]
        self.linear = layers.linear(backbone.z_dim, widths[0] * BOTTOM**2)
        self.blocks = nn.ModuleList(DCGANGeneratorBlock(before, after, norm, layers) for before, after in pairwise(widths))
        self.attention = nn.ModuleList(
            attention_after(number, backbone.g_attention, width, layers) for number, width in enumerate(widths[1:], 1)
        )
        self.to_image = layers.conv(widths[-1], shape.channels, 3, padding=1)

    def condition(self, y: Tensor) -> Tensor:
        if not self.class_conditional:
            return torch.empty(len(y), 0, device=y.device)
        return one_hot(y, self.num_classes).to(self.linear.weight.dtype)

    def render(self, z: Tensor, condition: Tensor) -> Tensor:
        z, condition = self.read_code(z, condition)
        x = channels_last(self.linear(z).unflatten(1, (-1, BOTTOM, BOTTOM)))
        for block, attend in zip(self.blocks, self.attention, strict=True):
            x = attend(block(x, condition))
        return torch.tanh(in_full(self.to_image(x)))


class DCGANDiscriminatorBlock(nn.Module):
    """3x3 convolution, ReLU, 4x4 convolution of stride 2, ReLU; BatchNorm before each ReLU without spectral norm."""

    def __init__(self, in_channels: int, out_channels: int, layers: Layers) -> None:
        super().__init__()
        self.conv0 = layers.conv(in_channels, out_channels, 3, padding=1)
        self.conv1 = layers.conv(out_channels, out_channels, 4, stride=2, padding=1)
        self.norm0 = nn.Identity() if layers.spectral_norm else batch_norm(out_channels)
        self.norm1 = nn.Identity() if layers.spectral_norm else batch_norm(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        h = relu(self.norm0(self.conv0(x)))
        return relu(self.norm1(self.conv1(h)))


class DCGANBody(Body):
    """One block per halving down to 4x4, a 3x3 convolution, ReLU, sum over positions."""

    def __init__(self, backbone: DCGAN, shape: ImageShape) -> None:
        widths = [width * backbone.d_channels for width in WIDTHS[shape.resolution]]
        super().__init__(widths[-1], positions=BOTTOM**2)
        layers = backbone.d_layers
        plan = list(pairwise([shape.channels, *widths[:-1]]))
        self.blocks = nn.ModuleList(DCGANDiscriminatorBlock(before, after, layers) for before, after in plan)
        self.attention = nn.ModuleList(
            attention_after(number, backbone.d_attention, after, layers) for number, (_, after) in enumerate(plan, 1)
        )
        self.conv = layers.conv(widths[-2], widths[-1], 3, padding=1)
        self.norm = nn.Identity() if layers.spectral_norm else batch_norm(widths[-1])

    def forward(self, images: Tensor) -> Tensor:
        x = images
        for block, attend in zip(self.blocks, self.attention, strict=True):
            x = attend(block(x))
        return sum_pool(self.norm(self.conv(x)))
