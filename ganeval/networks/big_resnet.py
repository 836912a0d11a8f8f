"""The networks of BigGAN (Brock et al. 2019, arXiv:1809.11096), also used by ContraGAN and ReACGAN."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ganeval.errors import UserError
from ganeval.networks.base import Backbone, Body, Generator, ImageShape, check_code
from ganeval.networks.layers import Layers
from ganeval.networks.plans import D_WIDTHS, G_WIDTHS, check_attention, check_positive, check_shape
from ganeval.networks.residual import ResidualBody, ResidualGenerator, label_norm


@dataclass(frozen=True)
class BigGAN(Backbone):
    """Residual networks whose generator reads a chunk of the latent and a shared label embedding in every block.

    ``z_dim`` is cut into one chunk for the first layer and one per block, so it must be a multiple of their number: 3
    chunks at 16 px, 4 at 32, 5 at 64, 6 at 128, 7 at 256, 8 at 512. ``shared_dim``: width of the label embedding, which
    is never spectrally normalised. ``class_conditional`` False: the blocks read their chunk alone.
    ``code_dim``: values of a discrete code (InfoGAN) that every block reads too, projected to ``shared_dim`` numbers.
    """

    kind: ClassVar[str] = "biggan"
    z_dim: int = 80
    shared_dim: int = 128
    g_channels: int = 96
    d_channels: int = 96
    g_attention: tuple[int, ...] = ()
    d_attention: tuple[int, ...] = ()
    g_spectral_norm: bool = True
    d_spectral_norm: bool = True
    class_conditional: bool = True
    code_dim: int = 0

    def __post_init__(self) -> None:
        check_positive(
            self.kind, z_dim=self.z_dim, shared_dim=self.shared_dim, g_channels=self.g_channels, d_channels=self.d_channels
        )
        check_code(self.kind, self.code_dim)

    @property
    def d_layers(self) -> Layers:
        return Layers(self.d_spectral_norm)

    def check(self, resolution: int) -> None:
        chunks = len(G_WIDTHS.get(resolution, [0]))
        if self.z_dim % chunks:
            near = max(round(self.z_dim / chunks), 1) * chunks
            raise UserError(
                f"backbone 'biggan' cuts z into {chunks} chunks at {resolution} px and z_dim {self.z_dim} is no "
                f"multiple of {chunks}: set z_dim to {near}"
            )

    def generator(self, shape: ImageShape, num_classes: int) -> Generator:
        check_shape(self.kind, shape, G_WIDTHS)
        check_attention(self.kind, "g_attention", self.g_attention, len(G_WIDTHS[shape.resolution]) - 1)
        self.check(shape.resolution)
        return BigGANGenerator(self, shape, num_classes)

    def discriminator(self, shape: ImageShape) -> Body:
        check_shape(self.kind, shape, D_WIDTHS)
        check_attention(self.kind, "d_attention", self.d_attention, len(D_WIDTHS[shape.resolution]))
        return ResidualBody(shape, self.d_channels, self.d_attention, self.d_layers)


class BigGANGenerator(ResidualGenerator):
    """Chunk 0 of the latent goes into the first layer; block i reads code, label's embedding and chunk i, in this order."""

    def __init__(self, backbone: BigGAN, shape: ImageShape, num_classes: int) -> None:
        layers = Layers(backbone.g_spectral_norm)
        chunk = backbone.z_dim // len(G_WIDTHS[shape.resolution])
        code = layers.linear(backbone.code_dim, backbone.shared_dim) if backbone.code_dim else None
        label = backbone.shared_dim if backbone.class_conditional else 0
        norm = label_norm((code.out_features if code else 0) + label + chunk, layers)
        super().__init__(backbone.z_dim, num_classes, shape, backbone.g_channels, chunk, norm, backbone.g_attention, layers, code)
        plain = Layers(spectral_norm=False)
        self.shared = plain.embedding(num_classes, backbone.shared_dim) if backbone.class_conditional else None

    def condition(self, y: Tensor) -> Tensor:
        if self.shared is None:
            return torch.empty(len(y), 0, device=y.device)
        embedded: Tensor = self.shared(y)
        return embedded

    def render(self, z: Tensor, condition: Tensor) -> Tensor:
        z, condition = self.read_code(z, condition)
        seed, *chunks = z.chunk(len(self.blocks) + 1, dim=1)
        return self.draw(seed, [torch.cat([condition, chunk], dim=1) for chunk in chunks])
