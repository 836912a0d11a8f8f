"""CUB-200 at 128 pixels, as PyTorch-StudioGAN trained it (commit 947b35e)."""

from __future__ import annotations

from functools import partial

from ganeval.conditioning.acgan import ACGAN
from ganeval.conditioning.contrastive import Contrastive
from ganeval.conditioning.d2dce import D2DCE
from ganeval.conditioning.multi_hinge import MultiHinge
from ganeval.conditioning.projection import Projection
from ganeval.losses.adversarial.hinge import Hinge
from ganeval.losses.regularizers.feature_matching import FeatureMatching
from ganeval.networks.big_resnet import BigGAN
from ganeval.networks.resnet import ResNet
from ganeval.recipes.recipe import EMA, Adam, Data, Recipe, Schedule
from ganeval.recipes.registry import TABLES
from ganeval.recipes.variants import adc, changed, cited, no_ema, optimizer, schedule, table, tac

BIGGAN = Recipe(
    method="biggan",
    data=Data("cub200", resolution=128),
    backbone=BigGAN(z_dim=120, shared_dim=128, g_channels=80, d_channels=80, g_attention=(4,), d_attention=(1,)),
    conditioning=Projection(),
    adversarial=Hinge(),
    schedule=Schedule(steps=40_000, batch_size=256, d_steps=2),
    optimizer=Adam(g_lr=5e-5, d_lr=2e-4, beta1=0.0, beta2=0.999),
    ema=EMA(decay=0.9999, start=4000),
)
PROJGAN = changed(BIGGAN, ResNet(), no_ema)  # BatchNorm in both networks
SNGAN = changed(PROJGAN, ResNet(d_spectral_norm=True))
SAGAN = changed(
    PROJGAN,
    ResNet(g_spectral_norm=True, d_spectral_norm=True, g_attention=(4,), d_attention=(1,)),
    optimizer(g_lr=1e-4, d_lr=4e-4),
    schedule(d_steps=1),
)
CONTRAGAN = changed(BIGGAN, Contrastive(weight=1.0, embed_dim=1024, temperature=1.0))
REACGAN = changed(BIGGAN, D2DCE(weight=0.25, embed_dim=1024, temperature=0.25, margin=0.95))

row = partial(cited, "cub200", "CUB-200", "CUB200")

# fmt: off
ROWS = table(
    # method             PyTorch-StudioGAN's  paper         that recipe with these changes
    row("projgan",       "ProjGAN",           "1802.05637", PROJGAN),
    row("sngan",         "SNGAN",             "1802.05957", SNGAN),
    row("sagan",         "SAGAN",             "1805.08318", SAGAN),
    row("acgan-big",     "ACGAN-Mod-Big",     "1610.09585", BIGGAN, ACGAN()),
    row("acgan-big-tac", "ACGAN-Mod-Big-TAC", "1907.02690", BIGGAN, ACGAN(), tac),
    row("acgan-big-adc", "ACGAN-Mod-Big-ADC", "2107.10060", BIGGAN, ACGAN(), adc),
    row("biggan",        "BigGAN",            "1809.11096", BIGGAN),
    row("mhgan",         "MHGAN",             "1912.04216", BIGGAN, MultiHinge(0.05), FeatureMatching(1.0)),
    row("contragan",     "ContraGAN",         "2006.12681", CONTRAGAN),
    row("contragan-tac", "ContraGAN-TAC",     "2006.12681", CONTRAGAN, tac),
    row("contragan-adc", "ContraGAN-ADC",     "2006.12681", CONTRAGAN, adc),
    row("reacgan",       "ReACGAN",           "2111.01118", REACGAN),
    row("reacgan-tac",   "ReACGAN-TAC",       "2111.01118", REACGAN, tac),
    row("reacgan-adc",   "ReACGAN-ADC",       "2111.01118", REACGAN, adc),
)
# fmt: on

TABLES.add("cub200", ROWS)
