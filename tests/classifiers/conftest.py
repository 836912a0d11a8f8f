"""A dataset of three shapes that a small classifier learns in seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganeval.data.folder import FolderDataset

KINDS = ("bar", "post", "square")


def shape_image(kind: str, rng: np.random.Generator) -> Image.Image:
    """A bright bar, upright or lying, or a square, on noise; 12 x 12, RGB."""
    pixels = rng.integers(0, 80, (12, 12, 3))
    height, width = {"bar": (2, 9), "post": (9, 2), "square": (6, 6)}[kind]
    top, left = rng.integers(1, 12 - height), rng.integers(1, 12 - width)
    pixels[top : top + height, left : left + width] = rng.integers(150, 256, 3)
    return Image.fromarray(pixels.astype(np.uint8))


def write_shapes(root: Path, count: int, seed: int) -> None:
    """``count`` images of each kind as ``root/<kind>/*.png``."""
    rng = np.random.default_rng(seed)
    for kind in KINDS:
        (root / kind).mkdir(parents=True)
        for i in range(count):
            shape_image(kind, rng).save(root / kind / f"{i:03}.png")


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> FolderDataset:
    """180 + 60 images. Not to be written to."""
    root = tmp_path_factory.mktemp("data") / "shapes"
    write_shapes(root / "train", 60, 0)
    write_shapes(root / "test", 20, 1)
    return FolderDataset(root)


@pytest.fixture
def unheld(tmp_path: Path) -> FolderDataset:
    """Six images, none held out."""
    write_shapes(tmp_path / "unheld", 2, 0)
    return FolderDataset(tmp_path / "unheld")
