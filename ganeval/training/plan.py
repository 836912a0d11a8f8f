"""From what the user typed to what will be trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from ganeval.data.base import Dataset
from ganeval.data.limit import limit
from ganeval.data.registry import find_dataset
from ganeval.errors import UserError
from ganeval.networks.base import ImageShape
from ganeval.recipes.recipe import Recipe
from ganeval.recipes.registry import find_recipe
from ganeval.recipes.schema import override, to_json
from ganeval.training.engine import Engine
from ganeval.training.memory import memory_of
from ganeval.training.state import build_discriminator, build_generator


def resolve(method: str, dataset: str, overrides: Sequence[str]) -> tuple[Recipe, Dataset]:
    """The recipe of ``method`` on ``dataset`` with the command line's ``part.field=value`` applied, and the dataset.

    Raises ``UserError`` for unknown names and values that do not fit.
    """
    data = find_dataset(dataset)
    recipe = override(find_recipe(method, data, _chosen_resolution(overrides)), *overrides)
    if recipe.data.dataset != data.name:
        raise UserError(f"data.dataset={recipe.data.dataset}: the dataset is the second argument, '{dataset}'")
    return recipe, data


def describe(recipe: Recipe, dataset: Dataset, engine: Engine | None = None) -> dict[str, Any]:
    """What a dry run prints: the recipe, its fingerprint, what the data are, the networks' size, the bytes a step of each
    process needs. Nothing is drawn."""
    images = limit(dataset.load("train", recipe.data.resolution), recipe.data.fraction, recipe.data.classes)
    shape = ImageShape(images.channels, images.resolution)
    with torch.device("meta"):
        networks = {
            "generator": build_generator(recipe, shape, len(images.classes)),
            "discriminator": build_discriminator(recipe, shape, len(images.classes)),
        }
    return {
        "recipe": to_json(recipe),
        "recipe_sha256": recipe.fingerprint(),
        "dataset": {
            "name": dataset.name,
            "images": len(images),
            "classes": len(images.classes),
            "channels": images.channels,
            "resolution": images.resolution,
            "filter": dataset.filter,
            "sha256": images.fingerprint,
        },
        "parameters": {name: sum(p.numel() for p in network.parameters()) for name, network in networks.items()},
        "memory": memory_of(recipe, shape, len(images.classes), engine or Engine()).to_json(),
        "images_seen": recipe.schedule.steps * recipe.schedule.images_per_step,
    }


def _chosen_resolution(overrides: Sequence[str]) -> int | None:
    """What ``data.resolution=`` says: the recipe of a folder of images depends on it."""
    chosen = [text.partition("=")[2] for text in overrides if text.startswith("data.resolution=")]
    return int(chosen[-1]) if chosen and chosen[-1].isdigit() else None
