"""Training with each augmentation, stopped and resumed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ganeval.augment.ada import ADA
from ganeval.augment.apa import APA
from ganeval.augment.base import Augmentation
from ganeval.augment.diffaug import DiffAugment
from ganeval.augment.simclr import SimCLR
from ganeval.checkpoints import Folder, load_folder
from ganeval.conditioning.d2dce import D2DCE
from ganeval.data.base import Dataset, ImageSet
from ganeval.losses.adversarial.hinge import Hinge
from ganeval.losses.base import Stage
from ganeval.losses.regularizers.r1 import R1
from ganeval.networks.big_resnet import BigGAN
from ganeval.recipes.recipe import EMA, Data, Recipe, Schedule
from ganeval.sampling import resolve_checkpoint
from ganeval.training.loop import Habits, train

QUIET = Habits(log_every=100, snapshot_every=1000, checkpoint_every=1000)


class Noise(Dataset):
    """Two classes of coloured noise, 16 pixels."""

    name = "noise"
    classes = ("dark", "light")
    channels = 3
    resolution = 16
    splits = {"train": 24}  # noqa: RUF012
    filter = "none"
    citation = "made for the tests"

    def read(self, split: str, resolution: int) -> ImageSet:
        labels = torch.arange(24) % 2
        noise = torch.randint(0, 128, (24, 3, 16, 16), generator=torch.Generator().manual_seed(5))
        return ImageSet((noise + 127 * labels[:, None, None, None]).to(torch.uint8), labels, self.classes)


RECIPE = Recipe(
    method="tiny",
    data=Data("noise", 16),
    backbone=BigGAN(z_dim=6, shared_dim=4, g_channels=2, d_channels=2, d_attention=(), g_attention=()),
    conditioning=D2DCE(embed_dim=4),
    adversarial=Hinge(),
    schedule=Schedule(steps=3, batch_size=4, d_steps=2),
    ema=EMA(decay=0.9, start=1),
)
AUGMENTATIONS = {
    "ada": ADA(initial_p=0.5, interval=3, kimg=1),
    "apa": APA(initial_p=0.5, interval=1, kimg=1),
    "diffaug": DiffAugment(),
    "simclr": SimCLR(),
}


def final(out: Path) -> Folder:
    return load_folder(resolve_checkpoint(out))


@pytest.mark.parametrize("kind", sorted(AUGMENTATIONS))
def test_stopped_and_resumed_the_run_is_bit_identical(kind: str, tmp_path: Path) -> None:
    assert AUGMENTATIONS.keys() == Augmentation.members().keys()
    recipe = replace(RECIPE, augmentation=AUGMENTATIONS[kind], regularizers=(R1(),))
    for out, stops in (("whole", (3,)), ("parts", (1, 2, 3))):
        for stop in stops:
            train(recipe, Noise(), tmp_path / out, seed=3, steps=stop, habits=QUIET)
    train(replace(recipe, augmentation=None), Noise(), tmp_path / "plain", seed=3, habits=QUIET)
    whole, parts, plain = (final(tmp_path / out).tensors for out in ("whole", "parts", "plain"))
    for file, content in whole.items():
        assert content.keys() == parts[file].keys()
        for name, value in content.items():
            assert torch.equal(value, parts[file][name]), f"{file}: {name}"
    assert not torch.equal(whole["generator"]["linear.weight"], plain["generator"]["linear.weight"])


def test_regularizers_read_the_images_the_discriminator_judged(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With fakes in the place of all reals, those are what a regulariser is given beside the verdict on them."""
    given: list[Stage] = []
    monkeypatch.setattr(R1, "d_penalty", lambda self, stage, state: given.append(stage))
    for p in (0.0, 1.0):
        recipe = replace(RECIPE, augmentation=APA(initial_p=p, interval=1000), regularizers=(R1(),))
        train(recipe, Noise(), tmp_path / str(p), steps=1, habits=QUIET)
    assert [torch.equal(stage.reals()[0], stage.fake) for stage in given] == [False, False, True, True]


@pytest.mark.parametrize("kind", ["ada", "apa"])
def test_the_probability_moves_with_the_discriminator(kind: str, tmp_path: Path) -> None:
    recipe = replace(RECIPE, augmentation=Augmentation.member(kind)(initial_p=0.5, interval=2, kimg=1))
    train(recipe, Noise(), tmp_path / "run", habits=QUIET)
    extras = final(tmp_path / "run").tensors["extras"]
    moves = (extras["augmentation.p"].item() - 0.5) / 0.008  # two batches of four images in a thousand
    assert round(moves) in (-3, -1, 1, 3)  # after six updates; eight signs never have the mean 0.6
    assert moves == pytest.approx(round(moves), abs=1e-9)
    assert extras["augmentation.seen"].item() == 0
