"""The networks of every recipe at full width, on the meta device: they fit together, and have the published sizes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ganeval.networks.base import Generator, ImageShape
from ganeval.recipes.recipe import Recipe
from ganeval.recipes.registry import TABLES
from ganeval.training.state import build_discriminator, build_generator

CLASSES = {
    "small-32": 10,
    "digits": 10, "cifar10": 10, "cifar100": 100, "tiny-imagenet": 200, "baby-imagenet": 100, "papa-imagenet": 100,
    "grandpa-imagenet": 100, "cub200": 200, "imagenet": 1000, "afhqv2": 3,
}  # fmt: skip

PUBLISHED = {
    # The networks of PyTorch-StudioGAN (commit 947b35e): numbers of parameters of the generator and the discriminator.
    ("cifar10", "sngan"): (4_304_387, 1_055_105),
    ("cifar10", "sagan"): (4_386_308, 1_075_586),
    ("cifar10", "biggan"): (9_416_196, 2_415_170),
    ("cifar10", "contragan"): (9_416_196, 2_517_186),
    ("cifar10", "reacgan"): (9_416_196, 2_517_186),
    ("cifar10", "dcgan"): (3_812_355, 2_931_009),
    ("cifar10", "biggan-deep"): (7_762_948, 2_908_930),
    ("cifar10", "biggan-deep-studiogan"): (9_338_884, 3_177_730),
    ("tiny-imagenet", "biggan"): (17_335_204, 30_796_722),
    ("tiny-imagenet", "reacgan"): (17_335_204, 31_678_130),
    ("tiny-imagenet", "sngan"): (13_366_915, 19_747_521),
    ("cub200", "biggan"): (49_226_404, 60_290_482),
    ("cub200", "reacgan"): (49_226_404, 61_551_026),
    ("imagenet", "biggan-256"): (70_433_988, 87_982_370),
    ("imagenet", "biggan-2048"): (70_433_988, 87_982_370),
    ("imagenet", "reacgan-256"): (70_433_988, 91_642_146),
    ("imagenet", "reacgan-2048"): (70_433_988, 91_642_146),
    ("imagenet", "sngan-256"): (41_996_931, 39_443_137),
}


def different_networks() -> dict[str, tuple[str, Recipe]]:
    """One recipe for each pair of networks that differ by more than the number of classes."""
    recipes = [(dataset, recipe) for dataset, table in TABLES for recipe in table.values()]
    different = {(r.data.resolution, r.backbone, r.conditioning): (dataset, r) for dataset, r in reversed(recipes)}
    return {f"{dataset}-{recipe.method}": (dataset, recipe) for dataset, recipe in different.values()}


def networks(dataset: str, recipe: Recipe) -> tuple[Generator, nn.Module, ImageShape]:
    shape = ImageShape(1 if dataset == "digits" else 3, recipe.data.resolution)
    with torch.device("meta"):
        return build_generator(recipe, shape, CLASSES[dataset]), build_discriminator(recipe, shape, CLASSES[dataset]), shape


@pytest.mark.parametrize(("dataset", "recipe"), different_networks().values(), ids=different_networks().keys())
def test_generator_and_discriminator_fit_together(dataset: str, recipe: Recipe) -> None:
    generator, discriminator, shape = networks(dataset, recipe)
    with torch.device("meta"):
        y = torch.zeros(2, dtype=torch.int64)
        images = generator(torch.zeros(2, generator.z_dim), y)
        verdict = discriminator(images, y)
    assert images.shape == (2, shape.channels, shape.resolution, shape.resolution)
    assert verdict.adv.shape == (2,)


@pytest.mark.parametrize(("dataset", "method"), PUBLISHED)
def test_parameter_counts_are_the_published_ones(dataset: str, method: str) -> None:
    generator, discriminator, _ = networks(dataset, TABLES.get(dataset)[method])
    counts = tuple(sum(parameter.numel() for parameter in network.parameters()) for network in (generator, discriminator))
    assert counts == PUBLISHED[dataset, method]
