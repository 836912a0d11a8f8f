"""A few digits in every layout, and the command line's refusals."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import Result

from ganeval.data.base import Dataset, ImageSet
from ganeval.data.registry import find_dataset
from ganeval.protocols import PROTOCOLS
from ganeval.sources import ImageSource, Source, open_source

Refused = Callable[..., str]


@pytest.fixture(scope="session")
def few() -> ImageSet:
    """40 test images of digits, every class among them."""
    test = find_dataset("digits").load("test")
    return ImageSet(test.images[:40], test.labels[:40], test.classes)


@pytest.fixture(scope="session")
def few_folder(few: ImageSet, save_images: Callable[[ImageSet, Path], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """They as ``root/<class>/<index>.png``. Not to be written to: copy it."""
    return save_images(few, tmp_path_factory.mktemp("few") / "few")


@pytest.fixture(scope="session")
def zipped() -> Callable[..., Path]:
    """Packs the files below a folder into a zip archive, below ``prefix``."""

    def pack(folder: Path, archive: Path, prefix: str = "") -> Path:
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
            for file in sorted(folder.rglob("*")):
                if file.is_file():
                    packed.write(file, prefix + str(file.relative_to(folder)))
        return archive

    return pack


@pytest.fixture(scope="session")
def few_npz(few: ImageSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """They as ADM writes samples. Not to be written to: copy it."""
    path = tmp_path_factory.mktemp("few") / "few.npz"
    np.savez(path, arr_0=few.images.permute(0, 2, 3, 1).numpy(), arr_1=few.labels.numpy())
    return path


@pytest.fixture(scope="session")
def opened() -> Callable[..., tuple[Source, Dataset | None]]:
    """The source at a path, and its dataset."""

    def open_it(path: Path, dataset: str | None = "digits", num: int | None = None, reference: bool = False) -> tuple:
        rules = PROTOCOLS.get("small-v2")
        return open_source(path, rules, dataset, num=num, seed=0, device=torch.device("cpu"), reference=reference)

    return open_it


@pytest.fixture(scope="session")
def everything() -> Callable[[Source], tuple[torch.Tensor, torch.Tensor | None]]:
    """All images and labels of a source."""

    def read(source: Source) -> tuple[torch.Tensor, torch.Tensor | None]:
        assert isinstance(source, ImageSource)
        images, labels = zip(*source.batches(), strict=True)
        return torch.cat(images), None if labels[0] is None else torch.cat(labels)

    return read


@pytest.fixture
def refused(ganeval: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Refused:
    """Runs the words in an own folder, checks what every refusal has in common, and gives the line."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str | Path) -> str:
        done = ganeval(*words)
        assert (done.exit_code, done.stdout) == (2, ""), done.output
        (line,) = done.stderr.splitlines()
        assert line.startswith("ganeval: ")
        return line.removeprefix("ganeval: ")

    return run
