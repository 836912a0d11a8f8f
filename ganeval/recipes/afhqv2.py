"""AFHQv2 at 256 pixels, as PyTorch-StudioGAN configured it (commit 947b35e)."""

from __future__ import annotations

from functools import partial

from ganeval.augment.ada import ADA
from ganeval.augment.apa import APA
from ganeval.augment.diffaug import DiffAugment
from ganeval.conditioning.projection import Projection
from ganeval.losses.adversarial.hinge import Hinge
from ganeval.losses.regularizers.lecam import LeCam
from ganeval.networks.big_resnet import BigGAN
from ganeval.recipes.recipe import EMA, Adam, Data, Recipe, Schedule
from ganeval.recipes.registry import TABLES
from ganeval.recipes.variants import cited, table

BIGGAN = Recipe(
    method="biggan",
    data=Data("afhqv2", resolution=256),
    backbone=BigGAN(z_dim=140, shared_dim=128, g_channels=96, d_channels=96),
    conditioning=Projection(),
    adversarial=Hinge(),
    schedule=Schedule(steps=200_000, batch_size=64, d_steps=2),
    optimizer=Adam(g_lr=5e-5, d_lr=2e-4, beta1=0.0, beta2=0.999),
    ema=EMA(decay=0.9999, start=20_000),
)

row = partial(cited, "afhqv2", "AFHQv2", "AFHQv2")

# fmt: off
ROWS = table(
    # method                    PyTorch-StudioGAN's            paper         that recipe with these changes
    row("biggan",               "BigGAN-256Res",               "1809.11096", BIGGAN),
    row("biggan-diffaug",       "BigGAN-256Res-DiffAug",       "2006.10738", BIGGAN, DiffAugment()),
    row("biggan-lecam",         "BigGAN-256Res-LeCam",         "2104.03310", BIGGAN, LeCam(0.01)),
    row("biggan-diffaug-lecam", "BigGAN-256Res-DiffAug-LeCam", "2104.03310", BIGGAN, DiffAugment(), LeCam(0.01)),
    row("biggan-ada",           "BigGAN-256Res-ADA",           "2006.06676", BIGGAN, ADA(target=0.6)),
    row("biggan-apa",           "BigGAN-256Res-APA",           "2111.06849", BIGGAN, APA(target=0.6)),
)
# fmt: on

TABLES.add("afhqv2", ROWS)
