"""What a dataset is: counted splits of labelled uint8 images, known by a hash of their content."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from torch import Tensor

from ganeval.errors import UserError

if TYPE_CHECKING:
    from hashlib import _Hash as Hash


def content_hash(shape: tuple[int, ...], classes: tuple[str, ...]) -> Hash:
    """The beginning of an image set's fingerprint; the pixels of every image in order and then all labels (int64) follow."""
    return hashlib.sha256(repr((shape, classes)).encode())


@dataclass(frozen=True)
class ImageSet:
    """One split at one resolution: ``images`` uint8 (N, C, R, R), ``labels`` int64 (N,), ``classes`` in label order.

    ``images`` may be mapped from a file and are never written to. ``recorded`` is the fingerprint where it was computed when
    the file was written, so that 150 GB are not read to say what they are.
    """

    images: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    recorded: str | None = field(default=None, repr=False, compare=False)

    def __len__(self) -> int:
        return self.images.shape[0]

    @property
    def channels(self) -> int:
        return self.images.shape[1]

    @property
    def resolution(self) -> int:
        return self.images.shape[2]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the shape, the classes, every pixel and every label: the same in memory and mapped."""
        if self.recorded is not None:
            return self.recorded
        digest = content_hash(tuple(self.images.shape), self.classes)
        digest.update(self.images.contiguous().flatten().numpy().data)
        digest.update(self.labels.contiguous().numpy().data)
        return digest.hexdigest()


class Dataset(ABC):
    """A named source of :class:`ImageSet` splits.

    ``splits`` maps each split to its exact count; ``channels`` is 1 or 3; ``resolution`` in pixels is the one that is used
    where none is chosen; ``filter`` says in words how images are brought to it; ``extractor`` names the feature extractor
    that belongs to the dataset, or is ``None``; ``held_out`` is the split that gives the floor of a score, or ``None``;
    ``mirrored`` says whether an image's mirror image is one of its class: true of photographs, wrong of digits and letters.
    """

    name: str
    classes: tuple[str, ...]
    channels: int
    resolution: int
    splits: dict[str, int]
    filter: str
    citation: str
    extractor: str | None = None
    held_out: str | None = None
    mirrored: bool = True

    @property
    def num_classes(self) -> int:
        return len(self.classes)

    @abstractmethod
    def read(self, split: str, resolution: int) -> ImageSet:
        """The images of ``split``, brought to ``resolution`` by the documented filter."""

    @property
    def status(self) -> str:
        """In a word or two, whether the images are there."""
        return "ready"

    def require_there(self, resolution: int) -> None:
        """Raise ``UserError`` where the images of ``resolution`` are known to be missing, without reading any."""
        return

    def file_sizes(self, split: str) -> frozenset[tuple[int, int]]:
        """The sizes (width, height) of the image files of ``split``; none where it is prepared at the size one asks for."""
        return frozenset()

    def load(self, split: str, resolution: int | None = None) -> ImageSet:
        """The images of ``split``, counts and labels checked; raises ``UserError`` where they do not match."""
        if split not in self.splits:
            raise UserError(f"dataset '{self.name}' has no split '{split}': it has {', '.join(self.splits)}")
        images = self.read(split, resolution or self.resolution)
        if len(images) != self.splits[split]:
            raise UserError(f"dataset '{self.name}': split '{split}' has {len(images)} images, expected {self.splits[split]}")
        labels = images.labels
        if labels.shape != (len(images),) or int(labels.min()) < 0 or int(labels.max()) >= self.num_classes:
            raise UserError(f"dataset '{self.name}': split '{split}' needs one label of 0..{self.num_classes - 1} per image")
        return images
