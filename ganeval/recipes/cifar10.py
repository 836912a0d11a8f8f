"""CIFAR-10 at 32 pixels, as PyTorch-StudioGAN trained it for its tables (commit 947b35e)."""

from __future__ import annotations

from dataclasses import replace

from ganeval.conditioning.acgan import ACGAN
from ganeval.conditioning.d2dce import D2DCE
from ganeval.losses.adversarial.hinge import Hinge
from ganeval.networks.big_resnet import BigGAN
from ganeval.recipes.recipe import EMA, Adam, Citation, Data, Recipe, Schedule
from ganeval.recipes.registry import TABLES

REACGAN = Recipe(
    method="reacgan",
    data=Data("cifar10", resolution=32),
    backbone=BigGAN(z_dim=80, shared_dim=128, g_channels=96, d_channels=96, g_attention=(2,), d_attention=(1,)),
    conditioning=D2DCE(weight=0.5, embed_dim=512, temperature=0.5, margin=0.98),
    adversarial=Hinge(),
    schedule=Schedule(steps=100_000, batch_size=128, d_steps=5),
    optimizer=Adam(g_lr=2.8284271e-4, d_lr=2.8284271e-4, beta1=0.5, beta2=0.999),
    ema=EMA(decay=0.9999, start=1000),
    citation=Citation("arXiv:2111.01118", "CIFAR-10", "configs/CIFAR10/ReACGAN.yaml"),
)

TABLES.add(
    "cifar10",
    {
        "reacgan": REACGAN,
        "acgan": replace(
            REACGAN,
            method="acgan",
            conditioning=ACGAN(weight=1.0),
            schedule=Schedule(steps=100_000, batch_size=64, d_steps=5),
            optimizer=Adam(g_lr=2e-4, d_lr=2e-4, beta1=0.5, beta2=0.999),
            citation=Citation("arXiv:1610.09585", "ACGAN-Mod-Big on CIFAR-10", "configs/CIFAR10/ACGAN-Mod-Big.yaml"),
        ),
    },
)
