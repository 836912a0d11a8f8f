"""Arrays of images in an ``.npz`` file, as ADM's samplers write them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganeval.checkpoints import sha256_of
from ganeval.data.base import Dataset
from ganeval.errors import UserError
from ganeval.npz import Npz
from ganeval.protocols import Protocol
from ganeval.sources.base import KINDS, Batches, ImageSource, Kind, Opened, Request, cut, other_count, uneven_labels

BATCH = 256
IMAGES, LABELS = ("images", "arr_0"), ("labels", "arr_1")
STATISTICS = frozenset({"mu", "sigma"})


class ArrayImages(ImageSource):
    """Array ``name`` of ``file``: uint8 (N, H, W, C), (N, C, H, W) or (N, H, W), C = 1 or 3, read in pieces.

    The centre square is taken. ``labels`` int64 (N,) or None.
    """

    remedy = "add images"

    def __init__(self, file: Npz, name: str, labels: Tensor | None, classes: tuple[str, ...]) -> None:
        self.file, self.name, self.labels, self.classes = file, name, labels, classes
        shape = file.header(name).shape
        self.layout = _layout(file, name)
        self.count, self.resolution = shape[0], min(_size(shape, self.layout))
        self.labelled = labels is not None
        digest = hashlib.sha256()
        for rows in file.rows(name, BATCH):
            digest.update(np.ascontiguousarray(rows).data)
        known = None if labels is None else hashlib.sha256(labels.numpy().tobytes()).hexdigest()
        self.fingerprint = {"array": sha256_of([digest.hexdigest(), shape, known, classes])}
        self.origin: dict[str, Any] = {"kind": "npz", "name": file.path.name, "sha256": self.fingerprint["array"]}

    def deviations(self, protocol: Protocol) -> list[str]:
        said = ["images without labels"] if self.labels is None else uneven_labels(self, self.labels, protocol)
        height, width = _size(self.file.header(self.name).shape, self.layout)
        return other_count(self, protocol) + said + cut(width, height)

    def batches(self, start: int = 0, stop: int | None = None) -> Batches:
        end, first = self.count if stop is None else stop, 0
        for rows in self.file.rows(self.name, BATCH):
            wanted = slice(max(first, start), min(first + len(rows), end))
            if wanted.start < wanted.stop:
                labels = None if self.labels is None else self.labels[wanted]
                yield torch.from_numpy(self._squares(rows[wanted.start - first : wanted.stop - first])), labels
            first += len(rows)

    def _squares(self, rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if self.layout == "NHW":
            rows = rows[:, None]
        elif self.layout == "NHWC":
            rows = rows.transpose(0, 3, 1, 2)
        top, left = ((side - self.resolution) // 2 for side in rows.shape[2:])
        # A copy even where nothing moves: with one channel the strides would say channels last, and convolutions round otherwise.
        return rows[:, :, top : top + self.resolution, left : left + self.resolution].copy(order="C")


class NpzKind(Kind):
    """``images`` or ``arr_0`` and, where there are labels, ``labels`` or ``arr_1``; never both names of one thing."""

    name = "npz"
    description = "a .npz of images (arr_0 or images, optional labels)"

    def recognises(self, path: Path) -> bool:
        # A single array belongs here too, to be refused in words that help.
        return path.is_file() and path.suffix.lower() in (".npz", ".npy") and not holds_statistics(path)

    def open(self, request: Request) -> Opened:
        file = Npz(request.path)
        _require_unambiguous(file)
        name = next((name for name in IMAGES if name in file), None)
        if name is None:
            found = ", ".join(file.names[:5]) or "nothing"
            hint = "statistics are both" if STATISTICS & set(file.names) else "save the images as uint8 under 'images'"
            raise UserError(f"{request.path} has neither {' nor '.join(IMAGES)} nor mu and sigma, but {found}: {hint}")
        _layout(file, name)
        dataset = request.held_against("an array of images")
        labels = _labels(file, file.header(name).shape[0], dataset)
        source = ArrayImages(file, name, labels, dataset.classes if dataset else ())
        request.refuse_options_of_checkpoints("file", source.count)
        return source, dataset


def holds_statistics(path: Path) -> bool:
    """Whether the file has a mean and a covariance, and no images; ADM's reference batches have both."""
    try:
        names = set(Npz(path).names)
    except UserError:
        return False
    return names >= STATISTICS and not names & set(IMAGES)


def _require_unambiguous(file: Npz) -> None:
    """Raise ``UserError`` where either of two could be meant. ``arr_0`` beside statistics is a reference batch of ADM's."""
    for one, other in ((IMAGES, "images"), (LABELS, "labels")):
        if all(name in file for name in one):
            raise UserError(f"{file.path} has both {' and '.join(one)}: keep the {other} that are meant")
    beside = [name for name in sorted(STATISTICS) if name in file]
    if "images" in file and beside:
        raise UserError(f"{file.path} has images beside {' and '.join(beside)}: keep the images or the statistics")


def _layout(file: Npz, name: str) -> str:
    """``NHWC``, ``NCHW`` or ``NHW``; raises ``UserError`` for what are no 8-bit images in grey or RGB."""
    shape, _, dtype = file.header(name)
    where = f"{file.path}: '{name}'"
    if dtype != np.uint8:
        if dtype.kind == "f":
            hint = "their range is a guess: save floor(clip(255 (x + 1) / 2 + 0.5, 0, 255)) of x in [-1, 1] as uint8"
        else:
            hint = "convert them to 8 bits"
        raise UserError(f"{where} holds {dtype} numbers instead of uint8: {hint}")
    if len(shape) not in (3, 4) or 0 in shape:
        raise UserError(f"{where} has the shape {shape}: images are (N, H, W, C), (N, C, H, W) or (N, H, W)")
    if len(shape) == 3:
        return "NHW"
    last, first = shape[3] in (1, 3), shape[1] in (1, 3)
    if last and first:
        raise UserError(f"{where} has the shape {shape}, in which the channels may be first or last: save larger images")
    if not last and not first:
        channels = shape[3] if shape[3] in (2, 4) else shape[1] if shape[1] in (2, 4) else None
        reason = f"{channels} channels" if channels else f"the shape {shape} without a side of 1 or 3 channels"
        raise UserError(f"{where} has {reason}: save grey or RGB images, transparency laid on a background, CMYK converted")
    return "NHWC" if last else "NCHW"


def _size(shape: tuple[int, ...], layout: str) -> tuple[int, int]:
    height = layout.index("H")
    return shape[height], shape[height + 1]


def _labels(file: Npz, count: int, dataset: Dataset | None) -> Tensor | None:
    """The labels as the dataset counts its classes; ``None`` where there are none, or no dataset says what they count."""
    name = next((name for name in LABELS if name in file), None)
    if name is None:
        return None
    shape, _, dtype = file.header(name)
    if dtype.kind not in "iu" or shape != (count,):
        raise UserError(f"{file.path}: '{name}' holds {dtype} of the shape {shape}: {count} images need {count} whole numbers")
    if dataset is None:
        return None
    labels = file.read(name)
    if int(labels.min()) < 0 or int(labels.max()) >= dataset.num_classes:
        raise UserError(
            f"{file.path}: '{name}' goes from {labels.min()} to {labels.max()}, "
            f"the {dataset.num_classes} classes of '{dataset.name}' from 0 to {dataset.num_classes - 1}"
        )
    return torch.from_numpy(labels.astype(np.int64))


KINDS.add(NpzKind.name, NpzKind())
