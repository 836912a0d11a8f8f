"""A GAN small enough to train a step in milliseconds, and a dataset of 40 images for it."""

from __future__ import annotations

import pytest
import torch

from ganeval.conditioning.d2dce import D2DCE
from ganeval.data.base import Dataset, ImageSet
from ganeval.losses.adversarial.hinge import Hinge
from ganeval.networks.big_resnet import BigGAN
from ganeval.recipes.recipe import EMA, Data, Recipe, Schedule


class Stripes(Dataset):
    """Two classes of noisy stripes, 16 pixels."""

    name = "stripes"
    classes = ("horizontal", "vertical")
    channels = 1
    resolution = 16
    splits = {"train": 40}  # noqa: RUF012
    filter = "none"
    citation = "made for the tests"

    def read(self, split: str, resolution: int) -> ImageSet:
        rng = torch.Generator().manual_seed(5)
        labels = torch.arange(40) % 2
        stripes = (torch.arange(16) // 2 % 2 * 200)[None, :].expand(16, 16)
        images = torch.stack([stripes if label else stripes.t() for label in labels])
        noise = torch.randint(0, 56, (40, 16, 16), generator=rng)
        return ImageSet((images + noise).to(torch.uint8)[:, None], labels, self.classes)


@pytest.fixture
def stripes() -> Dataset:
    return Stripes()


@pytest.fixture
def recipe() -> Recipe:
    return Recipe(
        method="tiny",
        data=Data("stripes", 16),
        backbone=BigGAN(z_dim=6, shared_dim=4, g_channels=2, d_channels=2, d_attention=(1,), g_attention=(1,)),
        conditioning=D2DCE(embed_dim=4),
        adversarial=Hinge(),
        schedule=Schedule(steps=12, batch_size=8, d_steps=2, accumulation=2),
        ema=EMA(decay=0.9, start=3),
    )
