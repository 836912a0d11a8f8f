"""What every test shares."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

# Several test processes with several threads each on two cores spend their time waiting for each other.
os.environ["OMP_NUM_THREADS"] = "1"

import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image

from ganeval.data.base import ImageSet

torch.set_num_threads(1)

TINY = ("backbone.g_channels=2", "backbone.d_channels=2", "conditioning.embed_dim=8", "schedule.batch_size=8")
"""Overrides that make a recipe train a step in milliseconds."""


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's cache."""
    monkeypatch.setenv("GANEVAL_HOME", str(tmp_path_factory.getbasetemp() / "home"))


@pytest.fixture
def ganeval() -> Callable[..., Result]:
    """The command line in this process: words in; exit status, stdout and stderr out."""
    from ganeval.cli import main

    return lambda *words: CliRunner().invoke(main, [str(word) for word in words], prog_name="ganeval")


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two steps on digits, small enough for every test. Not to be written to: copy it."""
    from ganeval.training.loop import Habits, train
    from ganeval.training.plan import resolve

    recipe, digits = resolve("reacgan", "digits", TINY)
    return train(recipe, digits, tmp_path_factory.mktemp("runs") / "tiny", steps=2, habits=Habits(checkpoint_every=1)).folder


@pytest.fixture(scope="session")
def save_images() -> Callable[[ImageSet, Path], Path]:
    """Writes an image set as PNG files ``root/<class>/<index>.png`` and gives ``root``."""

    def save(images: ImageSet, root: Path) -> Path:
        for index, (image, label) in enumerate(zip(images.images, images.labels, strict=True)):
            folder = root / images.classes[int(label)]
            folder.mkdir(parents=True, exist_ok=True)
            pixels = image.permute(1, 2, 0).numpy()
            Image.fromarray(pixels[:, :, 0] if images.channels == 1 else pixels).save(folder / f"{index:05d}.png")
        return root

    return save


@pytest.fixture(scope="session")
def real_folder(tmp_path_factory: pytest.TempPathFactory, save_images: Callable[[ImageSet, Path], Path]) -> Path:
    """The 500 test images of digits as a folder. Not to be written to: copy it."""
    from ganeval.data.registry import find_dataset

    return save_images(find_dataset("digits").load("test"), tmp_path_factory.mktemp("real") / "real")


@pytest.fixture(scope="session")
def stranger(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The network of ``tiny_run`` as it is after ``ganeval import``: nothing is known of its training."""
    from ganeval.checkpoints import load_folder, save_folder
    from ganeval.sampling import load_generator, resolve_checkpoint

    generator = load_generator(tiny_run)
    record = {
        "kind": "generator", "backbone": generator.record["recipe"]["backbone"], "channels": 1, "resolution": 16,
        "num_classes": 10, "prior": "gaussian", "imported": {"format": "studiogan", "file": "model=G.pth", "sha256": "0" * 64},
    }  # fmt: skip
    tensors = load_folder(resolve_checkpoint(tiny_run), ["ema"]).tensors["ema"]
    path = tmp_path_factory.mktemp("stranger") / "stranger"
    save_folder(path, {"generator": tensors}, record)
    return path
