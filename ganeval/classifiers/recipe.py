"""A classifier recipe: everything that decides what a classifier's training computes, except its images and its seed."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from ganeval.data.base import Dataset
from ganeval.errors import UserError
from ganeval.parts import Part
from ganeval.recipes.recipe import Citation
from ganeval.recipes.schema import override, sha256_of_part
from ganeval.registry import Registry


class Net(nn.Module):
    """Float images (N, C, R, R) in [-1, 1] to features (N, ``feature_dim``), pooled over the image, and logits (N, K)."""

    feature_dim: int

    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        made: tuple[Tensor, Tensor] = super().__call__(images)
        return made


class Network(Part):
    """A family of networks. ``smallest`` is the least number of pixels they take."""

    noun: ClassVar[str] = "classifier network"
    package: ClassVar[str] = "ganeval.classifiers"
    smallest: ClassVar[int] = 8

    @abstractmethod
    def build(self, channels: int, resolution: int, num_classes: int) -> Net:
        """The network, its weights drawn from torch's global generator."""


class Optimizer(Part):
    """A rule for the weights and its learning rate over the training."""

    noun: ClassVar[str] = "classifier optimizer"
    package: ClassVar[str] = "ganeval.classifiers"
    lr: float

    @abstractmethod
    def make(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimizer of ``parameters`` at the learning rate ``lr``."""

    @abstractmethod
    def factor(self, done: float) -> float:
        """What multiplies ``lr`` when the part ``done`` of the training, in (0, 1), is over."""


class Augmentation(Part):
    """A change of training images that keeps their class."""

    noun: ClassVar[str] = "classifier augmentation"
    package: ClassVar[str] = "ganeval.classifiers"

    @abstractmethod
    def __call__(self, images: Tensor, flip: bool, fill: Tensor, rng: torch.Generator) -> Tensor:
        """Float images (N, C, R, R), changed, and mirrored with probability 1/2 if ``flip``.

        ``fill`` (C,) is the training images' mean. All chance comes from ``rng``, a generator on the CPU.
        """


@dataclass(frozen=True)
class ClassifierRecipe:
    """How a classifier is trained: cross-entropy on ``epochs`` passes over the images in batches of ``batch_size``.

    ``flip`` mirrors training images at random: right for photographs, wrong for digits and letters; ``None`` leaves it to the
    dataset. ``standardise``: the network sees images less their channels' mean, divided by their standard deviation, both
    of the training images. ``resolution`` is that of the input; a dataset of smaller images is taken as it is.
    """

    name: str
    network: Network
    optimizer: Optimizer
    augmentation: Augmentation | None
    epochs: int
    batch_size: int
    resolution: int
    flip: bool | None = None
    standardise: bool = True
    citation: Citation = Citation("none")  # noqa: RUF009 - frozen

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise UserError(f"epochs={self.epochs}: a classifier needs at least one")
        if self.batch_size < 2:
            raise UserError(f"batch_size={self.batch_size}: BatchNorm needs at least two images")
        if self.resolution < self.network.smallest:
            least = self.network.smallest
            raise UserError(f"a classifier needs images of {least} pixels or more, not {self.resolution}: set the resolution")

    def fingerprint(self) -> str:
        """SHA-256 of the canonical JSON: two recipes with the same fingerprint compute the same."""
        return sha256_of_part(self)

    def resolved(self, dataset: Dataset, resolution: int | None = None) -> ClassifierRecipe:
        """The recipe with ``flip`` decided for ``dataset``; ``resolution`` is that of its images, its own unless given.

        Raises ``UserError`` where that is too small for the network.
        """
        flip = dataset.mirrored if self.flip is None else self.flip
        return replace(self, flip=flip, resolution=min(resolution or dataset.resolution, self.resolution))


RECIPES: Registry[ClassifierRecipe] = Registry("classifier recipe", "ganeval.classifiers")
"""One file in this package registers one recipe, with its network."""


def find_classifier_recipe(name: str, *overrides: str, epochs: int | None = None) -> ClassifierRecipe:
    """The recipe ``name`` with ``part.field=value`` applied, then ``epochs``; raises ``UserError`` for what does not fit."""
    recipe = override(RECIPES.get(name), *overrides)
    if recipe.name != name:
        raise UserError(f"name={recipe.name}: a recipe keeps its name, choose another with --recipe")
    return replace(recipe, epochs=epochs) if epochs is not None else recipe
