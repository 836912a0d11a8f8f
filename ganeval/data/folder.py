"""A folder of images as a dataset: ``root/<class>/*``, or ``root/train/<class>/*`` with ``root/test|valid|val/<class>/*``."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Generic

import torch

from ganeval.data.base import Dataset, ImageSet
from ganeval.data.images import FILTER, SUFFIXES, Header, list_images, read_headers, read_images
from ganeval.data.places import P, Place
from ganeval.errors import UserError

HELD_OUT_NAMES = ("test", "valid", "val")


@dataclass(frozen=True)
class Split(Generic[P]):
    """The files of one split, class by class, each class sorted by name; ``labels[i]`` belongs to ``paths[i]``."""

    classes: tuple[str, ...]
    paths: tuple[P, ...]
    labels: tuple[int, ...]


def list_split(root: P) -> Split[P]:
    """The split ``root/<class>/*``: classes are the subfolders, sorted by name; files directly in ``root`` do not count.

    Raises ``UserError`` where ``root`` is no folder or has no subfolder, and for a class without images.
    """
    if not root.is_dir():
        raise UserError(f"{root} is not a folder: images belong into root/<class>/")
    classes = tuple(_subfolders(root))
    if not classes:
        raise UserError(f"{root} has no class subfolders: images belong into root/<class>/")
    paths: list[P] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        if name.encode(errors="ignore").decode() != name:
            raise UserError(f"class folder {name!r} in {root} has a name that is not UTF-8: give it another")
        found = list_images(root / name)
        if not found:
            raise UserError(f"class folder {root / name} has no images ({' '.join(SUFFIXES)})")
        paths += found
        labels += [label] * len(found)
    return Split(classes, tuple(paths), tuple(labels))


def list_splits(root: P) -> dict[str, Split[P]]:
    """``train`` and ``test`` where ``root`` is divided, else ``train`` alone.

    ``root`` is divided where ``root/train`` has subfolders and no images of its own (so a class may be called "train");
    the test split is the first of ``test``, ``valid``, ``val`` that exists. Raises ``UserError`` where the classes differ.
    """
    return divided_splits(root) if _is_divided(root) else {"train": list_split(root)}


def divided_splits(root: P) -> dict[str, Split[P]]:
    """``root/train/<class>/*`` as ``train`` and the first of ``root/test|valid|val/<class>/*`` that exists as ``test``.

    Raises ``UserError`` where the classes of the two differ.
    """
    splits = {"train": list_split(root / "train")}
    for name in HELD_OUT_NAMES:
        if (root / name).is_dir():
            splits["test"] = list_split(root / name)
            lone = sorted(set(splits["test"].classes) ^ set(splits["train"].classes))
            if lone:
                raise UserError(f"class '{lone[0]}' is in only one of {root / 'train'} and {root / name}: both need every class")
            break
    return splits


class FolderDataset(Dataset):
    """The images under ``root``, called by the folder's name. Headers are read at once, pixels by :meth:`read`.

    One channel where every image of every split is grey, else three. With a test split ``held_out`` is ``"test"``.
    Raises ``UserError`` for whatever is wrong with the folder or the header of a file.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._split = list_splits(root)
        self._headers = {name: read_headers(split.paths) for name, split in self._split.items()}
        self.name = Path(os.path.abspath(root)).name
        self.classes = self._split["train"].classes
        self.channels = 1 if all(header.grey for header in self._all_headers()) else 3
        self.splits = {name: len(split.paths) for name, split in self._split.items()}
        self.filter = FILTER
        self.citation = f"image folder '{self.name}'"
        self.held_out = "test" if "test" in self.splits else None

    @cached_property
    def resolution(self) -> int:  # type: ignore[override]  # asked for only where nobody chose one
        """The short side where all images have one size; raises ``UserError`` where they have not."""
        sizes = Counter(header.size for header in self._all_headers())
        if len(sizes) == 1:
            return min(next(iter(sizes)))
        common = ", ".join(f"{width}x{height}" for (width, height), _ in sizes.most_common(3))
        more = f" and {len(sizes) - 3} more" if len(sizes) > 3 else ""
        raise UserError(f"{self.root} has images of {len(sizes)} sizes ({common}{more}): choose one, e.g. data.resolution=32")

    def read(self, split: str, resolution: int) -> ImageSet:
        files = self._split[split]
        images = read_images(files.paths, resolution, self.channels)
        return ImageSet(images, torch.tensor(files.labels, dtype=torch.int64), files.classes)

    def file_sizes(self, split: str) -> frozenset[tuple[int, int]]:
        return frozenset(header.size for header in self._headers.get(split, ()))

    def _all_headers(self) -> list[Header]:
        return [header for headers in self._headers.values() for header in headers]


def read_image_folder(root: Path, resolution: int) -> ImageSet:
    """All images of ``root/<class>/*`` at ``resolution``, whatever their sizes; for scoring a folder of samples.

    One channel where every image is grey, else three. Raises ``UserError`` as :class:`FolderDataset` does.
    """
    split = list_split(root)
    channels = 1 if all(header.grey for header in read_headers(split.paths)) else 3
    return ImageSet(read_images(split.paths, resolution, channels), torch.tensor(split.labels, dtype=torch.int64), split.classes)


def _subfolders(root: Place) -> list[str]:
    return sorted(entry.name for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _is_divided(root: Place) -> bool:
    train = root / "train"
    if not train.is_dir() or not _subfolders(train):
        return False
    return not any(entry.suffix.lower() in SUFFIXES for entry in train.iterdir() if entry.is_file())
