"""Given images: in memory, or as files on the disk or in an archive."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganeval.checkpoints import sha256_of
from ganeval.data.base import ImageSet
from ganeval.data.images import Header, decode_image, header_of, in_threads, read_file
from ganeval.data.places import Place
from ganeval.errors import UserError
from ganeval.protocols import Protocol
from ganeval.protocols.base import SampleOrder
from ganeval.sources.base import Batches, ImageSource, cut, other_count, uneven_labels

BATCH = 256


class Images(ImageSource):
    """Images in memory, or mapped: a split of a dataset."""

    remedy = "add images"

    def __init__(self, images: ImageSet, origin: dict[str, Any]) -> None:
        self.images, self.origin = images, origin
        self.count, self.classes, self.resolution = len(images), images.classes, images.resolution
        self.fingerprint = {"images": images.fingerprint}

    def deviations(self, protocol: Protocol) -> list[str]:
        return other_count(self, protocol) + uneven_labels(self, self.images.labels, protocol)

    def batches(self, start: int = 0, stop: int | None = None) -> Batches:
        images, labels = self.images.images[start:stop], self.images.labels[start:stop]
        yield from zip(images.split(BATCH), labels.split(BATCH), strict=True)


class File(NamedTuple):
    """One image file, its class (``None`` where it has none), and the SHA-256 of its bytes."""

    place: Place
    label: int | None
    sha256: str


class ImageFiles(ImageSource):
    """The images in ``files``, all of one size, decoded while they are asked for: their number is not limited by the memory.

    The order is that of ``files``. One channel where every image is grey, else three. The fingerprint is made of the files' bytes
    and labels, not of their names: a folder and a zip archive of it are the same source.
    """

    remedy = "add images"

    def __init__(
        self, files: Sequence[File], headers: Sequence[Header], classes: tuple[str, ...], origin: dict[str, Any]
    ) -> None:
        self.files, self.classes = files, classes
        self.count, self.size, self.resolution = len(files), headers[0].size, min(headers[0].size)
        self.channels = 1 if all(header.grey for header in headers) else 3
        self.labelled = all(file.label is not None for file in files)
        content = [(file.sha256, file.label) for file in files]
        self.fingerprint = {"files": sha256_of([content, classes, self.channels])}
        self.origin = {**origin, "sha256": self.fingerprint["files"]}

    def deviations(self, protocol: Protocol) -> list[str]:
        labels = _labels_of(self.files)
        said = ["images without labels"] if labels is None else uneven_labels(self, labels, protocol)
        return other_count(self, protocol) + said + cut(*self.size)

    def batches(self, start: int = 0, stop: int | None = None) -> Batches:
        wanted = self.files[start:stop]
        for first in range(0, len(wanted), BATCH):
            files = wanted[first : first + BATCH]
            yield torch.from_numpy(np.stack(in_threads(self._decode, files))), _labels_of(files)

    def _decode(self, file: File) -> NDArray[np.uint8]:
        data = read_file(file.place)
        if hashlib.sha256(data).hexdigest() != file.sha256:
            raise UserError(f"{file.place} changed while it was read: score what nobody writes to any more")
        return decode_image(data, file.place, self.resolution, self.channels)


def _labels_of(files: Sequence[File]) -> Tensor | None:
    labels = [file.label for file in files if file.label is not None]
    return torch.tensor(labels, dtype=torch.int64) if len(labels) == len(files) else None


def survey(
    root: object, places: Sequence[Place], labels: Sequence[int] | None, order: SampleOrder
) -> tuple[list[File], list[Header]]:  # fmt: skip
    """Every file read once, by ``path``, or in the order of names, equal names in the order of labels; no pixels are decoded.

    By name, files that ``ganeval score --save-images`` wrote are in the order in which they were generated. Raises ``UserError``
    for a file that is no image that can be read, and where they have not one size.
    """
    known: Sequence[int | None] = labels if labels is not None else [None] * len(places)
    by_name = order != "path"
    ordered = sorted(
        zip(places, known, strict=True), key=lambda pair: (*((pair[0].name, pair[1] or 0) if by_name else ()), str(pair[0]))
    )

    def look(pair: tuple[Place, int | None]) -> tuple[File, Header]:
        place, label = pair
        data = read_file(place)
        return File(place, label, hashlib.sha256(data).hexdigest()), header_of(data, place)

    found = in_threads(look, ordered)
    sizes = sorted({header.size for _, header in found})
    if len(sizes) > 1:
        shown = ", ".join(f"{width}x{height}" for width, height in sizes[:3])
        raise UserError(f"{root} has images of {len(sizes)} sizes ({shown}): bring them to one size to score them")
    return [file for file, _ in found], [header for _, header in found]
