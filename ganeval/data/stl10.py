"""``stl10`` and ``stl10-unlabeled`` from the binary files of ``stl10_binary.tar.gz``."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ganeval.data.archives import find_root, official_bytes, require_md5, table
from ganeval.data.places import Place
from ganeval.data.prepared import PreparedDataset, fetched
from ganeval.data.raw import ArraySplit, Contents, UInt8
from ganeval.data.registry import DATASETS
from ganeval.errors import UserError

SIZE = 96
CLASSES = ("airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck")


class STL10(PreparedDataset):
    """Photographs of 96 x 96 pixels, 64 unless said otherwise: 5,000 + 8,000 with labels, or the 100,000 without as one class."""

    archive = "stl10_binary.tar.gz"
    resolution = 64
    citation = "Coates, Lee and Ng, An Analysis of Single-Layer Networks in Unsupervised Feature Learning, AISTATS 2011"

    def checksums(self) -> dict[str, str]:
        from torchvision.datasets import STL10 as official

        return {official.filename: official.tgz_md5, **dict([*official.train_list, *official.test_list])}

    def download(self, folder: Path) -> Path:
        from torchvision.datasets import STL10 as official

        return fetched(folder, self.name, lambda: official(str(folder), download=True))

    def _images(self, root: Place, part: str) -> UInt8:
        """Images (N, 96, 96, 3): the file holds each colour plane of an image column by column."""
        path = root / f"{part}_X.bin"
        pixels = self._pixels(path)
        if len(pixels) % (3 * SIZE * SIZE):
            raise UserError(f"{path} is cut off: its size is no multiple of {3 * SIZE * SIZE} bytes")
        return pixels.reshape(-1, 3, SIZE, SIZE).transpose(0, 3, 2, 1)

    def _pixels(self, path: Place) -> UInt8:
        """The bytes of a file, mapped where it is one of its own: the 100,000 images have 2.8 GB."""
        if isinstance(path, Path) and path.is_file() and path.stat().st_size:
            return np.memmap(require_md5(path, self.checksums()), np.uint8, "r")
        return np.frombuffer(official_bytes(path, self.checksums()), np.uint8)


class LabelledSTL10(STL10):
    """The training and test images, with their labels."""

    name = "stl10"
    class_count = 10
    class_names = CLASSES
    expected = {"train": 5000, "test": 8000}  # noqa: RUF012
    held_out = "test"

    def contents(self, source: Place) -> Contents:
        root = find_root(source, "train_X.bin")
        classes = tuple(name for (name,) in table(root / "class_names.txt", 1))
        return Contents(classes, {split: self._split(root, split) for split in ("train", "test")})

    def _split(self, root: Place, part: str) -> ArraySplit:
        images = self._images(root, part)
        labels = np.frombuffer(official_bytes(root / f"{part}_y.bin", self.checksums()), np.uint8).astype(np.int64) - 1
        if len(labels) != len(images):
            raise UserError(f"{root} has {len(images)} images and {len(labels)} labels in '{part}'")
        return ArraySplit(images, labels)


class UnlabelledSTL10(STL10):
    """The images without labels, for unconditional networks: all of one class."""

    name = "stl10-unlabeled"
    class_count = 1
    class_names = ("unlabeled",)
    expected = {"train": 100_000}  # noqa: RUF012

    def contents(self, source: Place) -> Contents:
        images = self._images(find_root(source, "unlabeled_X.bin"), "unlabeled")
        return Contents(("unlabeled",), {"train": ArraySplit(images, np.zeros(len(images), np.int64))})


DATASETS.add(LabelledSTL10.name, LabelledSTL10())
DATASETS.add(UnlabelledSTL10.name, UnlabelledSTL10())
