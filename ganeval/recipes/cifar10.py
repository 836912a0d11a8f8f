"""CIFAR-10 at 32 pixels, as PyTorch-StudioGAN trained it for its tables (commit 947b35e)."""

from __future__ import annotations

from functools import partial

from ganeval.augment.ada import ADA
from ganeval.augment.apa import APA
from ganeval.augment.diffaug import DiffAugment
from ganeval.conditioning.acgan import ACGAN
from ganeval.conditioning.contrastive import Contrastive
from ganeval.conditioning.d2dce import D2DCE
from ganeval.conditioning.mirror import Mirror
from ganeval.conditioning.multi_hinge import MultiHinge
from ganeval.conditioning.projection import Projection
from ganeval.losses.adversarial.hinge import Hinge
from ganeval.losses.adversarial.least_squares import LeastSquares
from ganeval.losses.adversarial.logistic import Logistic
from ganeval.losses.adversarial.nonsaturating import NonSaturating
from ganeval.losses.adversarial.wasserstein import Wasserstein
from ganeval.losses.regularizers.consistency import Consistency
from ganeval.losses.regularizers.dragan import Dragan
from ganeval.losses.regularizers.feature_matching import FeatureMatching
from ganeval.losses.regularizers.gradient_penalty import GradientPenalty
from ganeval.losses.regularizers.latent_optimization import LatentOptimization
from ganeval.losses.regularizers.lecam import LeCam
from ganeval.losses.regularizers.max_gradient_penalty import MaxGradientPenalty
from ganeval.losses.regularizers.r1 import R1
from ganeval.losses.regularizers.weight_clipping import WeightClipping
from ganeval.networks.big_resnet import BigGAN
from ganeval.networks.biggan_deep import BigGANDeep, BigGANDeepStudioGAN
from ganeval.networks.dcgan import DCGAN
from ganeval.networks.resnet import ResNet
from ganeval.recipes.recipe import EMA, Adam, Data, Recipe, Schedule
from ganeval.recipes.registry import TABLES
from ganeval.recipes.variants import (
    adc,
    changed,
    cited,
    icr,
    infogan,
    no_ema,
    no_flip,
    optimizer,
    schedule,
    table,
    tac,
    unconditional,
    uniform_latents,
)

BIGGAN = Recipe(
    method="biggan",
    data=Data("cifar10", resolution=32),
    backbone=BigGAN(z_dim=80, shared_dim=128, g_channels=96, d_channels=96, g_attention=(2,), d_attention=(1,)),
    conditioning=Projection(),
    adversarial=Hinge(),
    schedule=Schedule(steps=100_000, batch_size=64, d_steps=5),
    optimizer=Adam(g_lr=2e-4, d_lr=2e-4, beta1=0.5, beta2=0.999),
    ema=EMA(decay=0.9999, start=1000),
)
PROJGAN = changed(BIGGAN, ResNet(), no_ema)  # BatchNorm in both networks
SNGAN = changed(PROJGAN, ResNet(d_spectral_norm=True))
SAGAN = changed(PROJGAN, ResNet(g_spectral_norm=True, d_spectral_norm=True, g_attention=(2,), d_attention=(1,)))
CONV = changed(PROJGAN, DCGAN(), unconditional, schedule(steps=200_000, d_steps=2))
WGAN = changed(PROJGAN, unconditional, Wasserstein())
DEEP = BigGANDeep(128, shared_dim=128, g_channels=128, d_channels=128, g_attention=(2,), d_attention=(1,))
DEEP_STUDIOGAN = BigGANDeepStudioGAN(128, shared_dim=128, g_channels=128, d_channels=128, g_attention=(2,), d_attention=(1,))
CONTRAGAN = changed(BIGGAN, Contrastive(weight=1.0, embed_dim=512, temperature=1.0))
REACGAN = changed(
    BIGGAN,
    D2DCE(weight=0.5, embed_dim=512, temperature=0.5, margin=0.98),
    schedule(batch_size=128),
    optimizer(g_lr=2.8284271e-4, d_lr=2.8284271e-4),
)

row = partial(cited, "cifar10", "CIFAR-10", "CIFAR10")
twice = schedule(steps=200_000)

# fmt: off
ROWS = table(
    # method                     PyTorch-StudioGAN's      paper         that recipe with these changes
    row("dcgan",                 "DCGAN",                 "1511.06434", CONV, NonSaturating()),
    row("lsgan",                 "LSGAN",                 "1611.04076", CONV, LeastSquares()),
    row("ggan",                  "GGAN",                  "1705.02894", CONV, Hinge()),
    row("wgan-wc",               "WGAN-WC",               "1701.07875", WGAN, WeightClipping(0.01)),
    row("wgan-gp",               "WGAN-GP",               "1704.00028", WGAN, GradientPenalty(10.0)),
    row("wgan-dra",              "WGAN-DRA",              "1705.07215", WGAN, Dragan(10.0)),
    row("lgan",                  "LGAN",                  "1902.05687", WGAN, NonSaturating(), MaxGradientPenalty(10.0),
                                                                        optimizer(beta1=0.0, beta2=0.9)),
    row("dcgan-info",            "DCGAN-Info",            "1606.03657", CONV, NonSaturating(), infogan),
    row("logan",                 "LOGAN",                 "1912.00953", SNGAN, unconditional, LatentOptimization(),
                                                                        uniform_latents),
    row("acgan",                 "ACGAN-Mod",             "1610.09585", PROJGAN, ACGAN()),
    row("acgan-tac",             "ACGAN-Mod-TAC",         "1907.02690", PROJGAN, ACGAN(), tac),
    row("acgan-adc",             "ACGAN-Mod-ADC",         "2107.10060", PROJGAN, ACGAN(), adc),
    row("projgan",               "ProjGAN",               "1802.05637", PROJGAN),
    row("sngan",                 "SNGAN",                 "1802.05957", SNGAN),
    row("sngan-diffaug",         "SNGAN-DiffAug",         "2006.10738", SNGAN, DiffAugment(), twice),
    row("sngan-lecam",           "SNGAN-LeCam",           "2104.03310", SNGAN, LeCam(0.3), twice),
    row("sngan-diffaug-lecam",   "SNGAN-DiffAug-LeCam",   "2104.03310", SNGAN, DiffAugment(), LeCam(0.3), twice),
    row("sngan-ada",             "SNGAN-ADA",             "2006.06676", SNGAN, ADA(target=0.6), twice),
    row("sngan-apa",             "SNGAN-APA",             "2111.06849", SNGAN, APA(target=0.6), twice),
    row("sngan-info",            "SNGAN-Info",            "1606.03657", SNGAN, infogan),
    row("sagan",                 "SAGAN",                 "1805.08318", SAGAN),
    row("acgan-big",             "ACGAN-Mod-Big",         "1610.09585", BIGGAN, ACGAN()),
    row("acgan-big-tac",         "ACGAN-Mod-Big-TAC",     "1907.02690", BIGGAN, ACGAN(), tac),
    row("acgan-big-adc",         "ACGAN-Mod-Big-ADC",     "2107.10060", BIGGAN, ACGAN(), adc),
    row("biggan",                "BigGAN",                "1809.11096", BIGGAN),
    row("biggan-uncond",         "BigGAN-Uncond",         "1809.11096", BIGGAN, unconditional),
    row("biggan-info",           "BigGAN-Info",           "1606.03657", BIGGAN, infogan),
    row("biggan-info-uncond",    "BigGAN-Info-Uncond",    "1606.03657", BIGGAN, unconditional, infogan),
    row("biggan-deep",           "BigGAN-Deep",           "1809.11096", BIGGAN, DEEP),
    row("biggan-deep-studiogan", "BigGAN-Deep-StudioGAN", "1809.11096", BIGGAN, DEEP_STUDIOGAN, schedule(d_steps=2)),
    row("biggan-cr",             "BigGAN-CR",             "1910.12027", BIGGAN, Consistency(10.0)),
    row("biggan-icr",            "BigGAN-ICR",            "2002.04724", BIGGAN, icr),
    row("biggan-diffaug",        "BigGAN-DiffAug",        "2006.10738", BIGGAN, DiffAugment(), twice),
    row("biggan-lecam",          "BigGAN-LeCam",          "2104.03310", BIGGAN, LeCam(0.3), twice),
    row("biggan-diffaug-lecam",  "BigGAN-DiffAug-LeCam",  "2104.03310", BIGGAN, DiffAugment(), LeCam(0.3), twice),
    row("biggan-ada",            "BigGAN-ADA",            "2006.06676", BIGGAN, Logistic(), ADA(target=0.6), twice),
    row("biggan-apa",            "BigGAN-APA",            "2111.06849", BIGGAN, Logistic(), APA(target=0.6), twice),
    row("mhgan",                 "MHGAN",                 "1912.04216", BIGGAN, MultiHinge(0.05), FeatureMatching(1.0)),
    row("mdgan",                 "MDGAN",                 "1801.04406", BIGGAN, Mirror(), NonSaturating(), R1(1.0)),
    row("contragan",             "ContraGAN",             "2006.12681", CONTRAGAN),
    row("contragan-tac",         "ContraGAN-TAC",         "2006.12681", CONTRAGAN, tac),
    row("contragan-adc",         "ContraGAN-ADC",         "2006.12681", CONTRAGAN, adc),
    row("contragan-cr",          "ContraGAN-CR",          "2006.12681", CONTRAGAN, Consistency(10.0)),
    row("contragan-icr",         "ContraGAN-ICR",         "2006.12681", CONTRAGAN, icr),
    row("contragan-diffaug",     "ContraGAN-DiffAug",     "2006.12681", CONTRAGAN, DiffAugment(), twice),
    row("reacgan",               "ReACGAN",               "2111.01118", REACGAN),
    row("reacgan-tac",           "ReACGAN-TAC",           "2111.01118", REACGAN, tac),
    row("reacgan-adc",           "ReACGAN-ADC",           "2111.01118", REACGAN, adc),
    row("reacgan-adc-diffaug",   "ReACGAN-ADC-DiffAug",   "2111.01118", REACGAN, adc, DiffAugment()),
    row("reacgan-info",          "ReACGAN-Info",          "2111.01118", REACGAN, infogan, optimizer(beta1=0.0)),
    row("reacgan-deep",          "ReACGAN-Deep",          "2111.01118", REACGAN, DEEP),
    row("reacgan-cr",            "ReACGAN-CR",            "2111.01118", REACGAN, Consistency(10.0)),
    row("reacgan-diffaug",       "ReACGAN-DiffAug",       "2111.01118", REACGAN, DiffAugment(), twice),
    row("reacgan-lecam",         "ReACGAN-LeCam",         "2111.01118", REACGAN, LeCam(0.3), twice),
    row("reacgan-ada",           "ReACGAN-ADA",           "2111.01118", REACGAN, Logistic(), ADA(target=0.7), no_flip,
                                                                        schedule(steps=400_000)),
)
# fmt: on

TABLES.add("cifar10", ROWS)
