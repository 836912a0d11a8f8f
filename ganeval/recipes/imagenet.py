"""ImageNet at 128 pixels, as PyTorch-StudioGAN trained it for its tables (commit 947b35e).

The number in a name is the batch size. A name without it is the row with 256: ``reacgan`` is ``reacgan-256``.
"""

from __future__ import annotations

from functools import partial

from ganeval.augment.diffaug import DiffAugment
from ganeval.conditioning.acgan import ACGAN
from ganeval.conditioning.contrastive import Contrastive
from ganeval.conditioning.d2dce import D2DCE
from ganeval.conditioning.multi_hinge import MultiHinge
from ganeval.conditioning.projection import Projection
from ganeval.losses.adversarial.hinge import Hinge
from ganeval.losses.regularizers.feature_matching import FeatureMatching
from ganeval.networks.big_resnet import BigGAN
from ganeval.networks.biggan_deep import BigGANDeep
from ganeval.networks.resnet import ResNet
from ganeval.recipes.recipe import EMA, Adam, Data, Recipe, Schedule
from ganeval.recipes.registry import TABLES
from ganeval.recipes.variants import changed, cited, no_ema, optimizer, schedule, table

BIGGAN = Recipe(
    method="biggan",
    data=Data("imagenet", resolution=128),
    backbone=BigGAN(z_dim=120, shared_dim=128, g_channels=96, d_channels=96, g_attention=(4,), d_attention=(1,)),
    conditioning=Projection(),
    adversarial=Hinge(),
    schedule=Schedule(steps=200_000, batch_size=256, d_steps=2),
    optimizer=Adam(g_lr=5e-5, d_lr=2e-4, beta1=0.0, beta2=0.999),
    ema=EMA(decay=0.9999, start=20_000),
)


def ttur(recipe: Recipe) -> Recipe:
    """Two time scales: twice the learning rates and one discriminator update for each of the generator."""
    return changed(recipe, optimizer(g_lr=1e-4, d_lr=4e-4), schedule(d_steps=1))


SNGAN = changed(BIGGAN, ResNet(d_spectral_norm=True), no_ema)
SAGAN = changed(SNGAN, ResNet(g_spectral_norm=True, d_spectral_norm=True, g_attention=(4,), d_attention=(1,)), ttur)
DEEP = BigGANDeep(z_dim=128, shared_dim=128, g_channels=128, d_channels=128, g_attention=(4,), d_attention=(1,))
CONTRAGAN = changed(BIGGAN, Contrastive(weight=1.0, embed_dim=1536, temperature=1.0))
REACGAN = changed(BIGGAN, D2DCE(weight=0.5, embed_dim=2048, temperature=0.25, margin=0.9))
REACGAN_256 = changed(BIGGAN, D2DCE(weight=1.0, embed_dim=2048, temperature=0.5, margin=0.98))

row = partial(cited, "imagenet", "ImageNet", "ImageNet")
batch_2048 = schedule(batch_size=512, accumulation=4)

# fmt: off
ROWS = table(
    # method                         PyTorch-StudioGAN's          paper         that recipe with these changes
    row("sngan-256",                 "SNGAN-256",                 "1802.05957", SNGAN, schedule(steps=500_000)),
    row("sagan-256",                 "SAGAN-256",                 "1805.08318", SAGAN, schedule(steps=1_000_000)),
    row("acgan-big-256",             "ACGAN-Big-Mod-256",         "1610.09585", BIGGAN, ACGAN()),
    row("biggan-256",                "BigGAN-256",                "1809.11096", BIGGAN),
    row("biggan-256-ttur",           "BigGAN-256-TTUR",           "1809.11096", BIGGAN, ttur, schedule(steps=250_000)),
    row("biggan-2048",               "BigGAN-2048",               "1809.11096", BIGGAN, batch_2048),
    row("biggan-deep-256",           "BigGAN-Deep-256",           "1809.11096", BIGGAN, DEEP),
    row("biggan-deep-2048",          "BigGAN-Deep-2048",          "1809.11096", BIGGAN, DEEP, batch_2048),
    row("mhgan-256",                 "MHGAN-256",                 "1912.04216", BIGGAN, MultiHinge(0.05), FeatureMatching(1.0)),
    row("contragan-256",             "ContraGAN-256",             "2006.12681", CONTRAGAN),
    row("contragan-256-ttur",        "ContraGAN-256-TTUR",        "2006.12681", CONTRAGAN, ttur, schedule(steps=250_000)),
    row("reacgan-256",               "ReACGAN-256",               "2111.01118", REACGAN_256, schedule(steps=500_000)),
    row("reacgan-2048",              "ReACGAN-2048",              "2111.01118", REACGAN, batch_2048),
    row("reacgan-deep-256",          "ReACGAN-Deep-256",          "2111.01118", REACGAN, DEEP),
    row("reacgan-deep-2048",         "ReACGAN-Deep-2048",         "2111.01118", REACGAN, DEEP, batch_2048,
                                                                                schedule(steps=300_000)),
    row("reacgan-deep-diffaug-2048", "ReACGAN-Deep-DiffAug-2048", "2111.01118", REACGAN, DEEP, DiffAugment(), batch_2048,
                                                                                schedule(steps=300_000)),
)
# fmt: on

TABLES.add("imagenet", {method.replace("-256", ""): recipe for method, recipe in ROWS.items() if "-256" in method} | ROWS)
