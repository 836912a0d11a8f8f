"""Tables of recipes by dataset, and how a method and a dataset find theirs."""

from __future__ import annotations

from dataclasses import replace

from ganeval.data.base import Dataset
from ganeval.errors import UserError
from ganeval.recipes.recipe import Recipe
from ganeval.registry import Registry, unknown

Table = dict[str, Recipe]

TABLES: Registry[Table] = Registry("recipe table", "ganeval.recipes")
"""One table per dataset: its rows by method, as in a paper."""

TABLE_FOR_IMAGES_UP_TO = {16: "digits", 32: "cifar10", 64: "tiny-imagenet", 128: "cub200", 256: "afhqv2"}
"""The table from which a dataset without one of its own takes its recipes, by the largest resolution it serves."""

SMALL = "small-32"
"""The table of small recipes, ``<method>-small``, for any dataset at 32 pixels."""

LONGEST_LISTING = 15
"""How many methods an error message lists."""


def find_recipe(method: str, dataset: Dataset, resolution: int | None = None) -> Recipe:
    """The row ``method`` of the table of ``dataset``, or a small row for 32 pixels where ``method`` ends in ``-small``.

    A dataset without a table (a folder of images) takes the row of the dataset whose resolution is nearest above its own,
    with its own name and resolution in ``data``. Raises ``UserError`` for a method which that table lacks, with those it has.
    """
    if method in TABLES.get(SMALL):
        return _on(dataset, TABLES.get(SMALL)[method], _only_32(method, resolution or dataset.resolution))
    if dataset.name in TABLES:
        return _row(TABLES.get(dataset.name), method, dataset.name)
    resolution = resolution or dataset.resolution
    for largest, name in sorted(TABLE_FOR_IMAGES_UP_TO.items()):
        if resolution <= largest:
            return _on(dataset, _row(TABLES.get(name), method, name), resolution)
    raise UserError(
        f"no recipe for {resolution} pixels: recipes exist up to {max(TABLE_FOR_IMAGES_UP_TO)}, choose data.resolution="
        f"{max(TABLE_FOR_IMAGES_UP_TO)} or less"
    )


def _on(dataset: Dataset, row: Recipe, resolution: int) -> Recipe:
    return replace(row, data=replace(row.data, dataset=dataset.name, resolution=resolution))


def _only_32(method: str, resolution: int) -> int:
    if resolution != 32:
        raise UserError(f"recipe '{method}' is for 32 pixels, not {resolution}: set data.resolution=32")
    return resolution


def _row(table: Table, method: str, dataset: str) -> Recipe:
    if method not in table:
        listing = ", ".join(table) if len(table) <= LONGEST_LISTING else "see 'ganeval ls recipes'"
        raise unknown("recipe", method, table, f" (recipes for {dataset}: {listing})")
    return table[method]
