"""What is registered: the official counts and classes, and a dataset for every table of recipes."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ganeval.data.prepared import PreparedDataset
from ganeval.data.registry import ALSO_CALLED, DATASETS, find_dataset
from ganeval.errors import UserError
from ganeval.recipes.registry import SMALL, TABLES, find_recipe

OFFICIAL = {
    # name: resolution, channels, classes, counts
    "cifar10": (32, 3, 10, {"train": 50_000, "test": 10_000}),
    "cifar10-jpeg": (32, 3, 10, {"train": 50_000, "test": 10_000}),
    "cifar100": (32, 3, 100, {"train": 50_000, "test": 10_000}),
    "tiny-imagenet": (64, 3, 200, {"train": 100_000, "test": 10_000}),
    "cub200": (128, 3, 200, {"train": 5994, "test": 5794}),
    "imagenet": (128, 3, 1000, {"train": 1_281_167, "test": 50_000}),
    "imagenet-32": (32, 3, 1000, {"train": 1_281_167, "test": 50_000}),
    "imagenet-64": (64, 3, 1000, {"train": 1_281_167, "test": 50_000}),
    "imagenet-256": (256, 3, 1000, {"train": 1_281_167, "test": 50_000}),
    "baby-imagenet": (64, 3, 100, {}),
    "papa-imagenet": (64, 3, 100, {}),
    "grandpa-imagenet": (64, 3, 100, {}),
    "artbench10": (256, 3, 10, {"train": 50_000, "test": 10_000}),
    "stl10": (64, 3, 10, {"train": 5000, "test": 8000}),
    "stl10-unlabeled": (64, 3, 1, {"train": 100_000}),
    "svhn": (32, 3, 10, {"train": 73_257, "test": 26_032, "extra": 531_131}),
    "mnist": (32, 1, 10, {"train": 60_000, "test": 10_000}),
    "stacked-mnist": (32, 3, 1000, {"train": 128_000, "test": 10_000}),
    "celeba-64": (64, 3, 1, {"train": 162_770, "valid": 19_867, "test": 19_962}),
    "lsun-bedroom": (128, 3, 1, {"train": 3_033_042, "test": 300}),
    "afhq": (256, 3, 3, {"train": 14_630, "test": 1500}),
    "afhqv2": (256, 3, 3, {"train": 14_336, "test": 1467}),
    "ffhq": (256, 3, 1, {"train": 70_000}),
    "100-shot-obama": (256, 3, 1, {"train": 100}),
    "100-shot-grumpy-cat": (256, 3, 1, {"train": 100}),
    "100-shot-panda": (256, 3, 1, {"train": 100}),
    "digits": (16, 1, 10, {"train": 1297, "test": 500}),
}


@pytest.mark.parametrize("name", OFFICIAL)
def test_counts_and_classes_are_the_official_ones(name: str) -> None:
    dataset = find_dataset(name)
    assert (dataset.resolution, dataset.channels, dataset.num_classes, dataset.splits) == OFFICIAL[name]
    assert dataset.held_out is None or dataset.held_out in {*dataset.splits, "test"}
    assert len(dataset.citation) > 40
    if isinstance(dataset, PreparedDataset) and dataset.class_names is not None:
        assert len(set(dataset.class_names)) == dataset.num_classes


def test_nothing_else_is_registered() -> None:
    assert set(DATASETS.names()) == set(OFFICIAL)


def test_every_table_of_recipes_has_its_dataset_at_its_resolution() -> None:
    for name, table in TABLES:
        if name == SMALL:  # for any dataset at 32 pixels
            continue
        dataset = find_dataset(name)
        assert {recipe.data.resolution for recipe in table.values()} == {dataset.resolution}
        assert {recipe.data.dataset for recipe in table.values()} == {name}


@pytest.mark.parametrize("name", OFFICIAL)
def test_every_dataset_finds_a_recipe(name: str) -> None:
    recipe = find_recipe("biggan" if name != "digits" else "acgan", find_dataset(name))
    assert (recipe.data.dataset, recipe.data.resolution) == (name, find_dataset(name).resolution)


@pytest.mark.parametrize("name", sorted(set(OFFICIAL) - {"digits"}))
def test_what_is_not_prepared_says_how_and_from_what(name: str) -> None:
    dataset = find_dataset(name)
    assert isinstance(dataset, PreparedDataset)
    assert dataset.status == "not prepared"
    with pytest.raises(UserError) as caught:
        dataset.load("train")
    assert f"run 'ganeval data prepare {name} --from PATH' with {dataset.archive}" in str(caught.value)


def test_another_name_finds_the_same_dataset_with_its_own_recipes() -> None:
    assert not ALSO_CALLED.keys() & set(DATASETS.names())
    assert ALSO_CALLED == {"imagenet-128": "imagenet"}
    for other, name in ALSO_CALLED.items():
        assert find_dataset(other) is find_dataset(name)
        assert find_recipe("reacgan", find_dataset(other)) == TABLES.get(name)["reacgan"]


def test_classes_that_only_the_archive_knows_are_asked_for_in_one_line() -> None:
    with pytest.raises(UserError, match="dataset 'cub200' is not prepared at 128 pixels"):
        _ = find_dataset("cub200").classes
    assert find_dataset("cifar10").classes[9] == "truck"


def test_listing_datasets_imports_neither_torchvision_nor_lmdb() -> None:
    script = (
        "import sys\nfrom ganeval.data.registry import DATASETS\nnames = DATASETS.names()\n"
        "print([name for name in ('torchvision', 'lmdb', 'scipy.io') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
