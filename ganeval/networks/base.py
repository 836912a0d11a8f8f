"""What every backbone offers: a generator, and a discriminator body that ends at features ``h``."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from ganeval.errors import UserError
from ganeval.networks.layers import Layers
from ganeval.parts import Part
from ganeval.precision import Mixed, in_full


class ImageShape(NamedTuple):
    """Images are square: ``channels`` x ``resolution`` x ``resolution``."""

    channels: int
    resolution: int


def code_of(z: Tensor, code_dim: int) -> Tensor:
    """The discrete code (N,) int64 in 0 .. ``code_dim`` - 1 of latents (N, z_dim): the largest of the last ``code_dim`` columns.

    Uniform where these columns are independent and of one continuous distribution, as in every prior.
    """
    return z[:, -code_dim:].argmax(1)


def check_code(kind: str, code_dim: int) -> None:
    """Raise ``UserError`` for a code without a choice: ``code_dim`` is 0 (no code) or at least 2."""
    if code_dim < 0 or code_dim == 1:
        raise UserError(f"backbone '{kind}': code_dim is {code_dim}, set it to 0 (no code) or to at least 2")


class Generator(Mixed):
    """Maps latents ``z`` (N, z_dim) and labels ``y`` (N,) int64 to images (N, C, R, R) in [-1, 1].

    ``code``: the layer (code_dim -> W) that projects a discrete code (InfoGAN, Chen et al. 2016, arXiv:1606.03657), or ``None``.
    The code is read from the last ``code_dim`` columns of the latents (:func:`code_of`), so ``self.z_dim`` counts them too.
    """

    def __init__(self, z_dim: int, num_classes: int, shape: ImageShape, code: nn.Linear | None = None) -> None:
        super().__init__()
        self.code = code
        self.code_dim = code.in_features if code else 0
        self.z_dim = z_dim + self.code_dim
        self.num_classes = num_classes
        self.channels, self.resolution = shape

    def condition(self, y: Tensor) -> Tensor:
        """Labels (N,) int64 as the vectors the network reads; a vector between those of two classes blends them."""
        raise NotImplementedError

    def render(self, z: Tensor, condition: Tensor) -> Tensor:
        """Images of latents (N, z_dim) under vectors that :meth:`condition` gives."""
        raise NotImplementedError

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        with self.autocast(z.device):
            images = self.render(z, self.condition(y))
        return in_full(images)

    def read_code(self, z: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Latents without their code, and the condition (N, C) with the projected code before it; unchanged without one."""
        if self.code is None:
            return z, condition
        values = one_hot(code_of(z, self.code_dim), self.code_dim).to(self.code.weight.dtype)
        return z[:, : -self.code_dim], torch.cat([self.code(values), condition], dim=1)


class Body(nn.Module):
    """The discriminator without its head: images (N, C, R, R) in [-1, 1] to features ``h`` (N, features).

    ``positions``: how many places of the last feature map ``h`` is the sum of; a head that wants their mean divides by it.
    """

    def __init__(self, features: int, positions: int = 1) -> None:
        super().__init__()
        self.features = features
        self.positions = positions


class Backbone(Part):
    """The architecture of both networks. Members are frozen dataclasses in this package."""

    noun: ClassVar[str] = "backbone"
    package: ClassVar[str] = "ganeval.networks"
    z_dim: int

    def check(self, resolution: int) -> None:
        """Raise ``UserError`` where the parameters do not fit images of ``resolution`` pixels; called when a recipe is built."""

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
