"""A split as its archive holds it: images that are not decoded yet, and their labels."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganeval.data.images import decode_image, pixels_of, read_file
from ganeval.data.places import Place

UInt8 = NDArray[np.uint8]
Int64 = NDArray[np.int64]


class RawSplit(ABC):
    """``labels`` int64 (N,), one for each image; an image is read when it is asked for, from several threads at once."""

    labels: Int64

    @abstractmethod
    def content(self, index: int) -> bytes:
        """Image ``index`` as the archive holds it: an encoded file, or plain pixels."""

    @abstractmethod
    def decode(self, content: bytes, index: int, resolution: int, channels: int) -> UInt8:
        """That content as (channels, R, R): the centre square, brought to the resolution by Lanczos."""

    def read(self, index: int, resolution: int, channels: int) -> tuple[bytes, UInt8]:
        """The SHA-256 of the content of image ``index``, and its pixels (channels, R, R)."""
        content = self.content(index)
        return hashlib.sha256(content).digest(), self.decode(content, index, resolution, channels)


class FileSplit(RawSplit):
    """Image files; ``labels[i]`` belongs to ``paths[i]``."""

    def __init__(self, paths: Sequence[Place], labels: Sequence[int]) -> None:
        self.paths, self.labels = tuple(paths), np.array(labels, dtype=np.int64)

    def content(self, index: int) -> bytes:
        return read_file(self.paths[index])

    def decode(self, content: bytes, index: int, resolution: int, channels: int) -> UInt8:
        return decode_image(content, self.paths[index], resolution, channels)


class PlainSplit(RawSplit):
    """Images whose pixels are not encoded: uint8, all of the shape ``size``, (H, W) or (H, W, 3)."""

    size: tuple[int, ...]

    def decode(self, content: bytes, index: int, resolution: int, channels: int) -> UInt8:
        return pixels_of(Image.fromarray(np.frombuffer(content, np.uint8).reshape(self.size)), resolution)


class ArraySplit(PlainSplit):
    """``images`` uint8 (N, H, W) or (N, H, W, 3)."""

    def __init__(self, images: UInt8, labels: Int64) -> None:
        self.images, self.labels, self.size = images, labels, images.shape[1:]

    def content(self, index: int) -> bytes:
        return bytes(self.images[index].tobytes())


@dataclass(frozen=True)
class Contents:
    """What an archive holds: its classes in label order, and its splits."""

    classes: tuple[str, ...]
    splits: dict[str, RawSplit]
