"""The ResNet GAN of SNGAN (Miyato et al. 2018, arXiv:1802.05957) and, with attention, SAGAN (arXiv:1805.08318)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from ganeval.networks.base import Backbone, Body, Generator, ImageShape, check_code
from ganeval.networks.layers import Layers
from ganeval.networks.plans import D_WIDTHS, G_WIDTHS, check_attention, check_positive, check_shape
from ganeval.networks.residual import ResidualBody, ResidualGenerator, label_norm


@dataclass(frozen=True)
class ResNet(Backbone):
    """Residual networks whose generator reads the label, one-hot, in its batch normalisations.

    ``g_attention`` and ``d_attention``: block numbers (from 1) after which self-attention follows. A discriminator
    without spectral normalisation has BatchNorm. ``class_conditional`` False: plain BatchNorm, labels are ignored.
    ``code_dim``: values of a discrete code (InfoGAN) that the batch normalisations read too, projected to ``z_dim`` numbers.
    """

    kind: ClassVar[str] = "resnet"
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
        check_shape(self.kind, shape, G_WIDTHS)
        check_attention(self.kind, "g_attention", self.g_attention, len(G_WIDTHS[shape.resolution]) - 1)
        return ResNetGenerator(self, shape, num_classes)

    def discriminator(self, shape: ImageShape) -> Body:
        check_shape(self.kind, shape, D_WIDTHS)
        check_attention(self.kind, "d_attention", self.d_attention, len(D_WIDTHS[shape.resolution]))
        return ResidualBody(shape, self.d_channels, self.d_attention, self.d_layers)


class ResNetGenerator(ResidualGenerator):
    """The whole latent goes into the first layer, the one-hot label into every block."""

    def __init__(self, backbone: ResNet, shape: ImageShape, num_classes: int) -> None:
        layers = Layers(backbone.g_spectral_norm)
        code = layers.linear(backbone.code_dim, backbone.z_dim) if backbone.code_dim else None
        norm = label_norm((code.out_features if code else 0) + (num_classes if backbone.class_conditional else 0), layers)
        super().__init__(
            backbone.z_dim, num_classes, shape, backbone.g_channels, backbone.z_dim, norm, backbone.g_attention, layers, code
        )
        self.class_conditional = backbone.class_conditional

    def condition(self, y: Tensor) -> Tensor:
        if not self.class_conditional:
            return torch.empty(len(y), 0, device=y.device)
        return one_hot(y, self.num_classes).to(self.linear.weight.dtype)

    def render(self, z: Tensor, condition: Tensor) -> Tensor:
        z, condition = self.read_code(z, condition)
        return self.draw(z, [condition] * len(self.blocks))
