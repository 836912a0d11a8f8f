"""CIFAR-100 at 32 pixels, as PyTorch-StudioGAN trained it: rows of CIFAR-10's table, with two differences in BigGAN + ADA."""

from __future__ import annotations

from dataclasses import replace

from ganeval.recipes.cifar10 import ROWS as CIFAR10
from ganeval.recipes.recipe import Recipe
from ganeval.recipes.registry import TABLES
from ganeval.recipes.variants import changed, no_flip, schedule, table

ON_CIFAR10_ONLY = {
    "sngan-diffaug", "sngan-lecam", "sngan-diffaug-lecam", "sngan-ada", "sngan-apa", "biggan-uncond", "biggan-deep-studiogan",
    "biggan-lecam", "biggan-diffaug-lecam", "biggan-apa", "reacgan-lecam",
    "dcgan-info", "sngan-info", "biggan-info", "biggan-info-uncond", "reacgan-info",
}  # fmt: skip


def on_cifar100(row: Recipe) -> Recipe:
    """A row of CIFAR-10's table on CIFAR-100."""
    words, source = row.citation.table.replace("CIFAR-10", "CIFAR-100"), row.citation.source.replace("CIFAR10", "CIFAR100")
    return replace(row, data=replace(row.data, dataset="cifar100"), citation=replace(row.citation, table=words, source=source))


ROWS = table(*(on_cifar100(row) for method, row in CIFAR10.items() if method not in ON_CIFAR10_ONLY))
ROWS["biggan-ada"] = changed(ROWS["biggan-ada"], schedule(steps=400_000), no_flip)

TABLES.add("cifar100", ROWS)
