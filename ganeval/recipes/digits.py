"""Small recipes for the embedded dataset ``digits``: each keeps its method's character and trains in minutes on two CPU cores.

They are ours, not a paper's: narrow networks at 16 pixels, two discriminator updates to one of the generator, no flips
(a mirrored digit is another shape).
"""

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
    data=Data("digits", resolution=16, flip=False),
    backbone=BigGAN(z_dim=60, shared_dim=32, g_channels=24, d_channels=32),
    conditioning=D2DCE(weight=0.5, embed_dim=128, temperature=0.5, margin=0.98),
    adversarial=Hinge(),
    schedule=Schedule(steps=3000, batch_size=64, d_steps=2),
    optimizer=Adam(g_lr=4e-4, d_lr=4e-4, beta1=0.0, beta2=0.99),
    ema=EMA(decay=0.995, start=100),
    citation=Citation("arXiv:2111.01118", "the method of Table 2 on a small network", "ganeval"),
)

TABLES.add(
    "digits",
    {
        "reacgan": REACGAN,
        "acgan": replace(
            REACGAN,
            method="acgan",
            conditioning=ACGAN(),
            citation=Citation("arXiv:1610.09585", "ACGAN with hinge loss on a small network", "ganeval"),
        ),
    },
)
