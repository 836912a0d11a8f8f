"""Which recipe a method and a dataset get, and that the small rows keep the character of their methods."""

from __future__ import annotations

from typing import Any

import pytest

from ganeval.conditioning.adc import ADC
from ganeval.conditioning.tac import TAC
from ganeval.data.base import Dataset, ImageSet
from ganeval.data.registry import find_dataset
from ganeval.errors import UserError
from ganeval.recipes.recipe import Recipe
from ganeval.recipes.registry import SMALL, TABLE_FOR_IMAGES_UP_TO, TABLES, find_recipe
from ganeval.recipes.variants import adc, changed, table


class Flowers(Dataset):
    """A folder of images, as far as the choice of a recipe goes."""

    name = "flowers"

    def __init__(self, resolution: int) -> None:
        self.resolution = resolution

    def read(self, split: str, resolution: int) -> ImageSet:
        raise AssertionError("choosing a recipe reads no images")


@pytest.mark.parametrize(
    ("resolution", "dataset"),
    [(8, "digits"), (16, "digits"), (17, "cifar10"), (32, "cifar10"), (33, "tiny-imagenet"), (64, "tiny-imagenet"),
     (65, "cub200"), (128, "cub200"), (129, "afhqv2"), (256, "afhqv2")],
)  # fmt: skip
def test_a_folder_takes_the_row_of_the_next_larger_dataset(resolution: int, dataset: str) -> None:
    recipe, row = find_recipe("biggan", Flowers(resolution)), TABLES.get(dataset)["biggan"]
    assert (recipe.data.dataset, recipe.data.resolution, recipe.data.flip) == ("flowers", resolution, row.data.flip)
    assert (recipe.backbone, recipe.conditioning, recipe.schedule) == (row.backbone, row.conditioning, row.schedule)


def test_the_chosen_resolution_decides_not_the_folders_own() -> None:
    assert find_recipe("reacgan", Flowers(500), resolution=32).schedule == TABLES.get("cifar10")["reacgan"].schedule


@pytest.mark.parametrize(
    ("method", "resolution", "said"),
    [
        (
            "wgan-gp",
            256,
            "recipes for afhqv2: biggan, biggan-diffaug, biggan-lecam, biggan-diffaug-lecam, biggan-ada, biggan-apa",
        ),
        ("wgan-gp", 128, "recipes for cub200: projgan, sngan, sagan, acgan-big"),
        ("reacgna", 32, "did you mean reacgan"),
        ("biggan", 512, "recipes exist up to 256"),
    ],
)
def test_a_method_that_is_not_there_is_one_line_that_helps(method: str, resolution: int, said: str) -> None:
    with pytest.raises(UserError) as caught:
        find_recipe(method, Flowers(resolution))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_table_serves_its_own_resolution() -> None:
    for resolution, dataset in TABLE_FOR_IMAGES_UP_TO.items():
        assert {recipe.data.resolution for recipe in TABLES.get(dataset).values()} == {resolution}
    for dataset, rows in TABLES:
        assert {recipe.data.dataset for recipe in rows.values()} == {dataset}


def test_two_rows_of_one_method_are_refused() -> None:
    row = TABLES.get("cifar10")["biggan"]
    with pytest.raises(ValueError, match="two rows"):
        table(row, row)


def test_a_change_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(TypeError, match="no loss on labels"):
        changed(TABLES.get("cifar10")["biggan"], adc)


def character(recipe: Recipe) -> dict[str, Any]:
    """What makes a method, without sizes and budgets."""
    conditioning = recipe.conditioning
    return {
        "backbone": recipe.backbone.kind,
        "conditioning": conditioning.kind,
        "base": conditioning.base.kind if isinstance(conditioning, TAC | ADC) else None,
        "adversarial": recipe.adversarial,
        "regularizers": [part.kind for part in recipe.regularizers],
        "augmentation": recipe.augmentation and recipe.augmentation.kind,
        "prior": recipe.prior,
        "ema": recipe.ema is not None,
        **{name: getattr(recipe.backbone, name) for name in ("g_spectral_norm", "d_spectral_norm", "class_conditional")},
    }


@pytest.mark.parametrize("method", sorted(TABLES.get("cifar10")))
def test_the_small_row_keeps_the_character_of_its_method(method: str) -> None:
    original = "acgan-big" if method == "acgan" else method  # the spectrally normalised network serves both on digits
    ours, row = TABLES.get("digits")[method], TABLES.get("cifar10")[original]
    assert character(ours) == character(row)
    assert (ours.data, ours.schedule) == (TABLES.get("digits")["reacgan"].data, TABLES.get("digits")["reacgan"].schedule)
    assert (ours.citation.paper, ours.citation.source) == (row.citation.paper, "ganeval")
    assert (ours.method, row.method) == (method, original)


@pytest.mark.parametrize("method", sorted(TABLES.get("cifar10")))
def test_the_small_row_for_32_pixels_keeps_the_character_too(method: str) -> None:
    ours, digits = TABLES.get(SMALL)[f"{method}-small"], TABLES.get("digits")["acgan" if method == "acgan-big" else method]
    if method != "acgan":  # on digits that name is the spectrally normalised network's
        assert character(ours) == character(digits)
    assert ours.method == f"{method}-small"


def test_a_small_row_serves_any_dataset_at_32_pixels_and_no_other() -> None:
    cifar10 = find_dataset("cifar10")
    recipe = find_recipe("reacgan-small", cifar10)
    assert (recipe.data.dataset, recipe.data.resolution, recipe.schedule.batch_size) == ("cifar10", 32, 32)
    with pytest.raises(UserError, match="is for 32 pixels, not 64"):
        find_recipe("reacgan-small", cifar10, 64)


def test_digits_have_every_method_of_cifar10() -> None:
    assert TABLES.get("digits").keys() >= TABLES.get("cifar10").keys()
