"""Limited data: a fixed part of every class, or some of the classes."""

from __future__ import annotations

import hashlib
import re

import numpy as np
import torch
from numpy.typing import NDArray

from ganeval.data.base import Dataset, ImageSet
from ganeval.data.registry import find_dataset
from ganeval.errors import UserError
from ganeval.files import from_home
from ganeval.rng import derived_seed


def limit(images: ImageSet, fraction: float = 1.0, classes: tuple[int, ...] = ()) -> ImageSet:
    """The part of ``images`` that a limited run sees, in the order it had: ``images`` itself where nothing is limited.

    ``classes`` (labels; empty = all) are kept and numbered 0..k-1 in the order given, with their names. Of every class with
    n images ``fraction`` of them stay, round(fraction * n), at least one. Which ones is a function of the class and n
    alone: the part of 10 % is inside that of 20 %, and a class keeps the same images when others are left out. The part
    is copied into memory. Raises ``UserError`` for a label that is no class.
    """
    if fraction == 1 and not classes:
        return images
    _require_labels(classes, len(images.classes))
    kept = classes or tuple(range(len(images.classes)))
    labels = images.labels.numpy()
    index = np.sort(np.concatenate([_chosen(np.flatnonzero(labels == label), label, fraction) for label in kept]))
    numbers = np.zeros(len(images.classes), dtype=np.int64)
    numbers[list(kept)] = np.arange(len(kept))
    chosen = torch.from_numpy(index)
    names = tuple(images.classes[label] for label in kept)
    return ImageSet(images.images[chosen], torch.from_numpy(numbers[labels[index]]), names)


def _chosen(members: NDArray[np.int64], label: int, fraction: float) -> NDArray[np.int64]:
    """``fraction`` of ``members``, the images of class ``label``: those with the lowest of as many raw Philox numbers."""
    bits = np.random.Philox(key=np.array([derived_seed("data fraction"), label], dtype=np.uint64))
    count = min(len(members), max(1, int(np.floor(fraction * len(members) + 0.5))))
    return members[np.argsort(bits.random_raw(len(members)), kind="stable")[:count]]


class SomeClasses(Dataset):
    """``whole`` with the images of ``kept`` (labels) alone: what a network trained on some classes is held against.

    Its splits are counted at ``resolution``. Its name has the labels, so that scores on different classes are not ranked
    together.
    """

    def __init__(self, whole: Dataset, kept: tuple[int, ...], resolution: int) -> None:
        listed = "-".join(map(str, kept))
        short = listed if len(listed) <= 40 else f"{len(kept)}-{hashlib.sha256(listed.encode()).hexdigest()[:8]}"
        self.whole, self.kept = whole, kept
        self.name = f"{whole.name}-classes-{short}"
        self.classes = tuple(whole.classes[label] for label in kept)
        self.channels, self.resolution, self.extractor, self.held_out = (
            whole.channels, whole.resolution, whole.extractor, whole.held_out
        )  # fmt: skip
        self.filter, self.citation, self.mirrored = whole.filter, whole.citation, whole.mirrored
        labels = {split: whole.load(split, resolution).labels for split in whole.splits}
        self.splits = {split: int(torch.isin(found, torch.tensor(kept)).sum()) for split, found in labels.items()}

    def read(self, split: str, resolution: int) -> ImageSet:
        return limit(self.whole.load(split, resolution), classes=self.kept)


def find_whole_or_part(name_or_path: str) -> Dataset:
    """The dataset of that name or path, or, by the name of :class:`SomeClasses` (``digits-classes-3-5``), some classes of one.

    What is called so itself comes first. Splits of a part are counted at the whole's own resolution. Raises ``UserError`` as
    :func:`~ganeval.data.registry.find_dataset` does, and for a label that is no class.
    """
    part = re.fullmatch(r"(.+)-classes-(\d+(?:-\d+)*)", name_or_path)
    if part is None or from_home(name_or_path).exists():
        return find_dataset(name_or_path)
    whole, kept = find_dataset(part[1]), tuple(map(int, part[2].split("-")))
    _require_labels(kept, whole.num_classes)
    return SomeClasses(whole, kept, whole.resolution)


def _require_labels(labels: tuple[int, ...], count: int) -> None:
    unknown = [label for label in labels if label >= count]
    if unknown:
        raise UserError(f"data.classes={unknown[0]}: there are {count} classes, 0 to {count - 1}")
