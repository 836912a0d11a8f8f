"""What every backbone offers: a generator, and a discriminator body that ends at features ``h``."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, NamedTuple

from torch import Tensor, nn

from ganeval.networks.layers import Layers
from ganeval.parts import Part


class ImageShape(NamedTuple):
    """Images are square: ``channels`` x ``resolution`` x ``resolution``."""

    channels: int
    resolution: int


class Generator(nn.Module):
    """Maps latents ``z`` (N, z_dim) and labels ``y`` (N,) int64 to images (N, C, R, R) in [-1, 1]."""

    def __init__(self, z_dim: int, num_classes: int, shape: ImageShape) -> None:
        super().__init__()
        self.z_dim = z_dim
        self.num_classes = num_classes
        self.channels, self.resolution = shape

    def condition(self, y: Tensor) -> Tensor:
        """Labels (N,) int64 as the vectors the network reads; a vector between those of two classes blends them."""
        raise NotImplementedError

    def render(self, z: Tensor, condition: Tensor) -> Tensor:
        """Images of latents (N, z_dim) under vectors that :meth:`condition` gives."""
        raise NotImplementedError

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        return self.render(z, self.condition(y))


class Body(nn.Module):
    """The discriminator without its head: images (N, C, R, R) in [-1, 1] to features ``h`` (N, features)."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.features = features


class Backbone(Part):
    """The architecture of both networks. Members are frozen dataclasses in this package."""

    noun: ClassVar[str] = "backbone"
    package: ClassVar[str] = "ganeval.networks"
    z_dim: int

    @abstractmethod
    def generator(self, shape: ImageShape, num_classes: int) -> Generator:
        """A freshly initialised generator; raises ``UserError`` where the shape does not fit."""

    @abstractmethod
    def discriminator(self, shape: ImageShape) -> Body:
        """A freshly initialised discriminator body."""

    @property
    @abstractmethod
    def d_layers(self) -> Layers:
        """The layers a conditioning head is made of: normalised as the body is."""
