"""Baby, Papa and Grandpa ImageNet (100 classes each) at 64 pixels, as PyTorch-StudioGAN trained them: as Tiny ImageNet."""

from __future__ import annotations

from functools import partial

from ganeval.recipes.registry import TABLES
from ganeval.recipes.tiny_imagenet import BIGGAN, CONTRAGAN, REACGAN, SAGAN, SNGAN
from ganeval.recipes.variants import cited, table

for name in ("Baby", "Papa", "Grandpa"):
    row = partial(cited, f"{name.lower()}-imagenet", f"{name} ImageNet", f"{name}_ImageNet")
    # fmt: off
    ROWS = table(
        row("sngan",     "SNGAN",     "1802.05957", SNGAN),
        row("sagan",     "SAGAN",     "1805.08318", SAGAN),
        row("biggan",    "BigGAN",    "1809.11096", BIGGAN),
        row("contragan", "ContraGAN", "2006.12681", CONTRAGAN),
        row("reacgan",   "ReACGAN",   "2111.01118", REACGAN),
    )
    # fmt: on
    TABLES.add(f"{name.lower()}-imagenet", ROWS)
