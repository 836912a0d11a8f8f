"""``mnist`` from its idx files, and ``stacked-mnist``: three of its digits as the colour planes of one image, 1,000 classes."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ganeval.data.archives import find_root, official_bytes
from ganeval.data.images import FILTER
from ganeval.data.places import Place
from ganeval.data.prepared import PreparedDataset, fetched
from ganeval.data.raw import ArraySplit, Contents, Int64, PlainSplit, RawSplit, UInt8
from ganeval.data.registry import DATASETS
from ganeval.errors import UserError
from ganeval.rng import derived_seed

FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
STACKED = {"train": 128_000, "test": 10_000}


def read_idx(path: Place, dimensions: int, md5: Mapping[str, str]) -> UInt8:
    """The uint8 array of an idx file: magic 0, 0, 8 (unsigned bytes), number of dimensions, each as a big-endian int32."""
    data = official_bytes(path, md5)
    if path.suffix == ".gz":
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise UserError(f"{path} is damaged or cut off: {error}") from error
    header = 4 + 4 * dimensions
    if len(data) < header or data[:4] != bytes((0, 0, 8, dimensions)):
        raise UserError(f"{path} is no idx file of {dimensions} dimensions of unsigned bytes")
    shape = tuple(np.frombuffer(data, ">i4", dimensions, 4).tolist())
    if len(data) - header != np.prod(shape):
        raise UserError(f"{path} is cut off: {len(data) - header} values for the shape {shape}")
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)


class MNIST(PreparedDataset):
    """Grey handwritten digits of 28 x 28 pixels; 32 unless said otherwise, the smallest size networks are made for."""

    name = "mnist"
    archive = "a folder with the four idx files, such as train-images-idx3-ubyte.gz"
    channels = 1
    resolution = 32
    class_count = 10
    class_names: tuple[str, ...] = tuple("0123456789")
    expected: Mapping[str, int | None] = {"train": 60_000, "test": 10_000}
    held_out = "test"
    mirrored = False
    citation = "LeCun, Bottou, Bengio and Haffner, Gradient-Based Learning Applied to Document Recognition, Proc. IEEE, 1998"

    def checksums(self) -> dict[str, str]:
        from torchvision.datasets import MNIST as official

        return dict(official.resources)

    def download(self, folder: Path) -> Path:
        from torchvision.datasets import MNIST as official

        fetched(folder, self.name, lambda: official(str(folder), download=True))
        return folder / "MNIST" / "raw"

    def contents(self, source: Place) -> Contents:
        digits = {split: self._digits(source, *files) for split, files in FILES.items()}
        return Contents(self.class_names, {split: ArraySplit(*found) for split, found in digits.items()})

    def _digits(self, source: Place, images_file: str, labels_file: str) -> tuple[UInt8, Int64]:
        """Images (N, 28, 28) and labels (N,) of two files, packed (then with a checksum) or unpacked."""
        root = find_root(source, f"{images_file}.gz", images_file)
        suffix = ".gz" if (root / f"{images_file}.gz").is_file() else ""
        pixels = read_idx(root / (images_file + suffix), 3, self.checksums())
        numbers = read_idx(root / (labels_file + suffix), 1, self.checksums()).astype(np.int64)
        if len(pixels) != len(numbers):
            raise UserError(f"{root} has {len(pixels)} images and {len(numbers)} labels in {images_file} and {labels_file}")
        return pixels, numbers


class StackedDigits(PlainSplit):
    """Row i of ``triples`` (N, 3) are the digits in red, green and blue; the label is the number they spell."""

    def __init__(self, images: UInt8, labels: Int64, triples: Int64) -> None:
        self.images, self.triples = images, triples
        self.labels = labels[triples] @ np.array([100, 10, 1])
        self.size = (*images.shape[1:], 3)

    def content(self, index: int) -> bytes:
        return np.stack([self.images[digit] for digit in self.triples[index]], axis=2).tobytes()


class StackedMNIST(MNIST):
    """128,000 triples of training digits and 10,000 of test digits, drawn independently with a fixed seed.

    Papers draw their own: neither the triples nor their number is official. The classes are "000" to "999".
    """

    name = "stacked-mnist"
    channels = 3
    class_count = 1000
    class_names = tuple(f"{number:03}" for number in range(1000))
    expected = STACKED
    filter = f"{FILTER}; three digits drawn by Philox4x64 as red, green and blue"
    citation = "Metz, Poole, Pfau and Sohl-Dickstein, Unrolled Generative Adversarial Networks, arXiv:1611.02163, 2017"

    def contents(self, source: Place) -> Contents:
        splits: dict[str, RawSplit] = {
            split: self._stacked(split, *self._digits(source, *files)) for split, files in FILES.items()
        }
        return Contents(self.class_names, splits)

    def _stacked(self, split: str, images: UInt8, labels: Int64) -> StackedDigits:
        bits = np.random.Philox(key=np.array([derived_seed("stacked-mnist", split), 0], dtype=np.uint64))
        raw = bits.random_raw(3 * (self.expected[split] or 0)).reshape(-1, 3)
        return StackedDigits(images, labels, (raw % np.uint64(len(images))).astype(np.int64))


DATASETS.add(MNIST.name, MNIST())
DATASETS.add(StackedMNIST.name, StackedMNIST())
