"""``cifar10`` and ``cifar100`` from their Python batches, the checksum of each compared with torchvision's."""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ganeval.data.archives import find_root, official_bytes
from ganeval.data.places import Place
from ganeval.data.prepared import PreparedDataset, fetched
from ganeval.data.raw import ArraySplit, Contents, UInt8
from ganeval.data.registry import DATASETS
from ganeval.errors import UserError

SIZE = 32
CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

_ARRAY = np.empty(0).__reduce__()[0]
_HARMLESS: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): _ARRAY,  # the name in the official files
    ("numpy._core.multiarray", "_reconstruct"): _ARRAY,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): lambda text, encoding: text.encode(encoding),
}


class _Batch(pickle.Unpickler):
    """Reads lists, numbers, strings and arrays; whatever else a pickle may ask for is refused."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _HARMLESS:
            raise pickle.UnpicklingError(f"it wants to run {module}.{name}")
        return _HARMLESS[module, name]


def read_batch(path: Place, md5: Mapping[str, str]) -> dict[str, Any]:
    """What a pickled batch holds, without running code from it; raises ``UserError`` where it is none, or not the official."""
    data = official_bytes(path, md5)
    try:
        content = _Batch(io.BytesIO(data), encoding="latin1").load()
    except Exception as error:  # a damaged pickle makes its reader stumble over anything
        raise UserError(f"{path} is no batch of CIFAR: {error}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} is no batch of CIFAR: it holds a {type(content).__name__}")
    return content


class CIFAR(PreparedDataset):
    """50,000 + 10,000 colour photographs of 32 x 32 pixels, the same number of every class.

    ``batches`` names the files of each split, ``labels`` the key of their labels; ``meta`` is the file with the names of the
    classes and their key in it; ``official`` is torchvision's class for the dataset.
    """

    batches: Mapping[str, tuple[str, ...]]
    labels: str
    meta: tuple[str, str]
    official: str
    resolution = SIZE
    expected = {"train": 50_000, "test": 10_000}  # noqa: RUF012
    citation = "Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009"
    held_out = "test"

    def checksums(self) -> dict[str, str]:
        official = self._torchvision()
        parts = [*official.train_list, *official.test_list, [official.meta["filename"], official.meta["md5"]]]
        return {official.filename: official.tgz_md5, **dict(parts)}

    def download(self, folder: Path) -> Path:
        return fetched(folder, self.name, lambda: self._torchvision()(str(folder), download=True))

    def contents(self, source: Place) -> Contents:
        file, key = self.meta
        root, md5 = find_root(source, file), self.checksums()
        classes = tuple(read_batch(root / file, md5).get(key, ()))
        return Contents(classes, {split: self._split(root, names, md5) for split, names in self.batches.items()})

    def _split(self, root: Place, names: tuple[str, ...], md5: Mapping[str, str]) -> ArraySplit:
        batches = [self._batch(root / name, md5) for name in names]
        pixels, labels = (np.concatenate(parts) for parts in zip(*batches, strict=True))
        return ArraySplit(pixels.reshape(-1, 3, SIZE, SIZE).transpose(0, 2, 3, 1), labels.astype(np.int64))

    def _batch(self, path: Place, md5: Mapping[str, str]) -> tuple[UInt8, Any]:
        batch = read_batch(path, md5)
        pixels, labels = np.asarray(batch.get("data")), np.asarray(batch.get(self.labels))
        if labels.ndim != 1 or pixels.dtype != np.uint8 or pixels.shape != (len(labels), 3 * SIZE * SIZE):
            raise UserError(f"{path} does not hold one row of {3 * SIZE * SIZE} uint8 pixels for each of its labels")
        return pixels, labels

    def _torchvision(self) -> Any:
        from torchvision import datasets

        return getattr(datasets, self.official)


class CIFAR10(CIFAR):
    """Ten classes of animals and vehicles."""

    name = "cifar10"
    archive = "cifar-10-python.tar.gz"
    class_count = 10
    class_names = CIFAR10_CLASSES
    batches = {"train": tuple(f"data_batch_{number}" for number in range(1, 6)), "test": ("test_batch",)}  # noqa: RUF012
    labels, meta = "labels", ("batches.meta", "label_names")
    official = "CIFAR10"
    classifiers = ("resnet56-cifar10",)


class CIFAR100(CIFAR):
    """A hundred fine classes, in alphabetical order; the twenty coarse ones are not used."""

    name = "cifar100"
    archive = "cifar-100-python.tar.gz"
    class_count = 100
    batches = {"train": ("train",), "test": ("test",)}  # noqa: RUF012
    labels, meta = "fine_labels", ("meta", "fine_label_names")
    official = "CIFAR100"


DATASETS.add(CIFAR10.name, CIFAR10())
DATASETS.add(CIFAR100.name, CIFAR100())
