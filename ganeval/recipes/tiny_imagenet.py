"""Tiny ImageNet at 64 pixels, as PyTorch-StudioGAN trained it for its tables (tag v.0.3.0)."""

from __future__ import annotations

from functools import partial

from ganeval.augment.ada import ADA
from ganeval.augment.diffaug import DiffAugment
from ganeval.conditioning.acgan import ACGAN
from ganeval.conditioning.contrastive import Contrastive
from ganeval.conditioning.d2dce import D2DCE
from ganeval.conditioning.mirror import Mirror
from ganeval.conditioning.multi_hinge import MultiHinge
from ganeval.conditioning.projection import Projection
from ganeval.losses.adversarial.hinge import Hinge
from ganeval.losses.adversarial.least_squares import LeastSquares
from ganeval.losses.adversarial.nonsaturating import NonSaturating
from ganeval.losses.adversarial.wasserstein import Wasserstein
from ganeval.losses.regularizers.consistency import Consistency
from ganeval.losses.regularizers.dragan import Dragan
from ganeval.losses.regularizers.feature_matching import FeatureMatching
from ganeval.losses.regularizers.gradient_penalty import GradientPenalty
from ganeval.losses.regularizers.max_gradient_penalty import MaxGradientPenalty
from ganeval.losses.regularizers.r1 import R1
from ganeval.losses.regularizers.weight_clipping import WeightClipping
from ganeval.networks.big_resnet import BigGAN
from ganeval.networks.resnet import ResNet
from ganeval.recipes.recipe import EMA, Adam, Data, Recipe, Schedule
from ganeval.recipes.registry import TABLES
from ganeval.recipes.variants import adc, changed, cited, icr, no_ema, schedule, table, tac, unconditional

BIGGAN = Recipe(
    method="biggan",
    data=Data("tiny-imagenet", resolution=64),
    backbone=BigGAN(z_dim=100, shared_dim=128, g_channels=80, d_channels=80, g_attention=(3,), d_attention=(1,)),
    conditioning=Projection(),
    adversarial=Hinge(),
    schedule=Schedule(steps=100_000, batch_size=1024, d_steps=1),
    optimizer=Adam(g_lr=1e-4, d_lr=4e-4, beta1=0.0, beta2=0.999),
    ema=EMA(decay=0.9999, start=20_000),
)
PROJGAN = changed(BIGGAN, ResNet(), schedule(batch_size=256), no_ema)  # BatchNorm in both networks
SNGAN = changed(PROJGAN, ResNet(d_spectral_norm=True))
SAGAN = changed(PROJGAN, ResNet(g_spectral_norm=True, d_spectral_norm=True, g_attention=(3,), d_attention=(1,)))
GAN = changed(PROJGAN, unconditional)
CONTRAGAN = changed(BIGGAN, Contrastive(weight=1.0, embed_dim=768, temperature=1.0))
REACGAN = changed(BIGGAN, D2DCE(weight=0.75, embed_dim=768, temperature=0.75, margin=1.0))

row = partial(cited, "tiny-imagenet", "Tiny ImageNet", "Tiny_ImageNet")

# fmt: off
ROWS = table(
    # method                 PyTorch-StudioGAN's   paper         that recipe with these changes
    row("dcgan",             "DCGAN",              "1511.06434", GAN, NonSaturating()),
    row("lsgan",             "LSGAN",              "1611.04076", GAN, LeastSquares()),
    row("ggan",              "GGAN",               "1705.02894", GAN, Hinge()),
    row("wgan-wc",           "WGAN-WC",            "1701.07875", GAN, Wasserstein(), WeightClipping(0.01)),
    row("wgan-gp",           "WGAN-GP",            "1704.00028", GAN, Wasserstein(), GradientPenalty(10.0)),
    row("wgan-dra",          "WGAN-DRA",           "1705.07215", GAN, Wasserstein(), Dragan(10.0)),
    row("lgan",              "LGAN",               "1902.05687", GAN, NonSaturating(), MaxGradientPenalty(1.0)),
    row("acgan",             "ACGAN-Mod",          "1610.09585", PROJGAN, ACGAN()),
    row("acgan-tac",         "ACGAN-Mod-TAC",      "1907.02690", PROJGAN, ACGAN(), tac),
    row("acgan-adc",         "ACGAN-Mod-ADC",      "2107.10060", PROJGAN, ACGAN(), adc),
    row("projgan",           "ProjGAN",            "1802.05637", PROJGAN),
    row("sngan",             "SNGAN",              "1802.05957", SNGAN),
    row("sagan",             "SAGAN",              "1805.08318", SAGAN),
    row("acgan-big",         "ACGAN-Mod-Big",      "1610.09585", BIGGAN, ACGAN()),
    row("acgan-big-tac",     "ACGAN-Mod-Big-TAC",  "1907.02690", BIGGAN, ACGAN(), tac),
    row("acgan-big-adc",     "ACGAN-Mod-Big-ADC",  "2107.10060", BIGGAN, ACGAN(), adc),
    row("biggan",            "BigGAN-Mod",         "1809.11096", BIGGAN),
    row("biggan-cr",         "BigGAN-Mod-CR",      "1910.12027", BIGGAN, Consistency(10.0)),
    row("biggan-icr",        "BigGAN-Mod-ICR",     "2002.04724", BIGGAN, icr),
    row("biggan-diffaug",    "BigGAN-Mod-DiffAug", "2006.10738", BIGGAN, DiffAugment()),
    row("biggan-ada",        "BigGAN-Mod-ADA",     "2006.06676", BIGGAN, ADA(target=0.6), schedule(steps=200_000)),
    row("mhgan",             "MHGAN",              "1912.04216", BIGGAN, MultiHinge(0.05), FeatureMatching(1.0)),
    row("mdgan",             "MDGAN",              "1801.04406", BIGGAN, Mirror(), NonSaturating(), R1(1.0)),
    row("contragan",         "ContraGAN",          "2006.12681", CONTRAGAN),
    row("contragan-tac",     "ContraGAN-TAC",      "2006.12681", CONTRAGAN, tac),
    row("contragan-adc",     "ContraGAN-ADC",      "2006.12681", CONTRAGAN, adc),
    row("contragan-cr",      "ContraGAN-CR",       "2006.12681", CONTRAGAN, Consistency(10.0)),
    row("contragan-icr",     "ContraGAN-ICR",      "2006.12681", CONTRAGAN, icr),
    row("contragan-diffaug", "ContraGAN-DiffAug",  "2006.12681", CONTRAGAN, DiffAugment()),
    row("reacgan",           "ReACGAN",            "2111.01118", REACGAN),
    row("reacgan-tac",       "ReACGAN-TAC",        "2111.01118", REACGAN, tac),
    row("reacgan-adc",       "ReACGAN-ADC",        "2111.01118", REACGAN, adc),
    row("reacgan-cr",        "ReACGAN-CR",         "2111.01118", REACGAN, Consistency(10.0)),
    row("reacgan-diffaug",   "ReACGAN-DiffAug",    "2111.01118", REACGAN, DiffAugment()),
    row("reacgan-ada",       "ReACGAN-ADA",        "2111.01118", REACGAN, ADA(target=0.7)),
)
# fmt: on

TABLES.add("tiny-imagenet", ROWS)
