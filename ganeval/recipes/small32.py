"""Small recipes for 32 pixels on a CPU: CIFAR-10's methods, by the names ``<method>-small``, on any dataset.

They are ours, not a paper's: the networks of ``digits`` one doubling larger, with flips. They keep each method's character; what
they give stands beside no published number.
"""

from __future__ import annotations

from dataclasses import replace

from ganeval.networks.big_resnet import BigGAN
from ganeval.recipes.digits import REACGAN as ON_DIGITS
from ganeval.recipes.recipe import Data, Schedule
from ganeval.recipes.registry import SMALL, TABLES
from ganeval.recipes.small import small_rows

REACGAN = replace(
    ON_DIGITS,
    data=Data(SMALL, resolution=32),
    backbone=BigGAN(z_dim=80, shared_dim=32, g_channels=16, d_channels=16),
    schedule=Schedule(steps=10_000, batch_size=32, d_steps=1),
)

TABLES.add(SMALL, {f"{method}-small": replace(row, method=f"{method}-small") for method, row in small_rows(REACGAN).items()})
