"""Small recipes for the embedded dataset ``digits``: each keeps its method's character and trains in minutes on two CPU cores.

They are ours, not a paper's: narrow networks at 16 pixels, one discriminator update at twice the generator's learning rate, no
flips (a mirrored digit is another shape). ReACGAN is tuned by hand; the other rows are those of CIFAR-10 in its size.
"""

from __future__ import annotations

from dataclasses import replace

from ganeval.conditioning.d2dce import D2DCE
from ganeval.losses.adversarial.hinge import Hinge
from ganeval.networks.big_resnet import BigGAN
from ganeval.recipes.recipe import EMA, Adam, Citation, Data, Recipe, Schedule
from ganeval.recipes.registry import TABLES
from ganeval.recipes.small import small_rows

REACGAN = Recipe(
    method="reacgan",
    data=Data("digits", resolution=16, flip=False),
    backbone=BigGAN(z_dim=60, shared_dim=32, g_channels=16, d_channels=16),
    conditioning=D2DCE(weight=0.5, embed_dim=128, temperature=0.5, margin=0.98),
    adversarial=Hinge(),
    schedule=Schedule(steps=1500, batch_size=32, d_steps=1),
    optimizer=Adam(g_lr=4e-4, d_lr=8e-4, beta1=0.0, beta2=0.99),
    ema=EMA(decay=0.995, start=100),
    citation=Citation("arXiv:2111.01118", "ReACGAN on a small network", "ganeval"),
)

ROWS = small_rows(REACGAN)
# ACGAN's published network has BatchNorm in its critic; at this size the spectrally normalised one is the better baseline.
ROWS["acgan"] = replace(ROWS["acgan-big"], method="acgan")

TABLES.add("digits", ROWS)
