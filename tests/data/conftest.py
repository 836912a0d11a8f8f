"""Small archives in the layouts of the official ones, and datasets that expect their counts."""

from __future__ import annotations

import copy
import hashlib
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ganeval.data.places import Place
from ganeval.data.prepared import PreparedDataset
from ganeval.data.raw import ArraySplit, Contents
from ganeval.data.registry import DATASETS


class Dots(PreparedDataset):
    """Two classes of noise: 9 + 4 images of 6 x 6 pixels, whatever the archive."""

    name = "dots"
    archive = "a folder"
    resolution = 6
    class_count = 2
    class_names = ("a", "b")
    expected = {"train": 9, "test": 4}  # noqa: RUF012
    held_out = "test"
    citation = "made for the tests"

    def contents(self, source: Place) -> Contents:
        return Contents(("a", "b"), {split: ArraySplit(*self.drawn(split)) for split in ("train", "test")})

    @staticmethod
    def drawn(split: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Images (N, 6, 6, 3) and labels (N,)."""
        count = {"train": 9, "test": 4}[split]
        return _pixels(count, count, 6, 6, 3), np.arange(count) % 2


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty GANEVAL_HOME of the test's own."""
    monkeypatch.setenv("GANEVAL_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def registered(home: Path, monkeypatch: pytest.MonkeyPatch) -> Dots:
    """``dots``, a registered dataset that is not prepared."""
    dataset = Dots()
    monkeypatch.setitem(DATASETS._items, "dots", dataset)
    return dataset


def _pixels(seed: int, *shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture(scope="session")
def noise() -> Callable[..., NDArray[np.uint8]]:
    """``noise(seed, *shape)``: uint8 pixels, no two images alike."""
    return _pixels


@pytest.fixture(scope="session")
def save_noise() -> Callable[..., Path]:
    """``save_noise(path, seed, height=10, width=12, mode="RGB")`` writes an image file."""

    def save(path: Path, seed: int, height: int = 10, width: int = 12, mode: str = "RGB") -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(_pixels(seed, *((height, width) if mode == "L" else (height, width, 3)))).save(path)
        return path

    return save


@pytest.fixture
def expecting() -> Callable[..., PreparedDataset]:
    """``expecting(name, md5={}, **attributes)``: the registered dataset with other expectations."""

    def make(name: str, md5: dict[str, str] | None = None, **attributes: Any) -> PreparedDataset:
        dataset = copy.copy(DATASETS.get(name))
        assert isinstance(dataset, PreparedDataset)
        for attribute, value in {**attributes, "checksums": lambda: md5 or {}}.items():
            setattr(dataset, attribute, value)
        return dataset

    return make


@pytest.fixture(scope="session")
def md5_of() -> Callable[..., dict[str, str]]:
    """The MD5 of each of the given files, by name."""
    return lambda *paths: {path.name: hashlib.md5(path.read_bytes()).hexdigest() for path in paths}


@pytest.fixture(scope="session")
def pack() -> Callable[[Path, Path], Path]:
    """``pack(folder, archive)`` writes what is in ``folder`` into a zip or (compressed) tar archive, after its suffix."""

    def make(folder: Path, archive: Path) -> Path:
        paths = sorted(folder.rglob("*"))
        if archive.suffix == ".zip":
            with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
                for path in paths:
                    file.write(path, path.relative_to(folder).as_posix())
        else:
            mode = {".tar": "w", ".gz": "w:gz", ".tgz": "w:gz", ".xz": "w:xz", ".bz2": "w:bz2"}[archive.suffix]
            with tarfile.open(archive, mode) as file:  # type: ignore[call-overload]
                for path in paths:
                    file.add(path, path.relative_to(folder).as_posix(), recursive=False)
        return archive

    return make


class _Python2Pickler(pickle._Pickler):  # type: ignore[name-defined,misc]
    """Strings and bytes become Python 2's ``str``, as in the files of 2009."""

    dispatch: ClassVar[dict[type, Any]] = dict(pickle._Pickler.dispatch)  # type: ignore[attr-defined]

    def save_text(self, value: str | bytes) -> None:
        data = value.encode("latin1") if isinstance(value, str) else value
        self.write(b"U" + bytes([len(data)]) + data if len(data) < 256 else b"T" + struct.pack("<i", len(data)) + data)
        self.memoize(value)

    dispatch[str] = dispatch[bytes] = save_text


@pytest.fixture(scope="session")
def save_batch() -> Callable[[Path, object], Path]:
    """Writes a pickle as Python 2 with NumPy of its time did: protocol 2, ``str``, ``numpy.core.multiarray``."""

    def save(path: Path, content: object) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            _Python2Pickler(file, protocol=2).dump(content)
        path.write_bytes(path.read_bytes().replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n"))
        return path

    return save
