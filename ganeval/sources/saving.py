"""Generated images as files, written while they are scored."""

from __future__ import annotations

import io
import uuid
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

import numpy as np
import torch
from numpy.lib import format as npy
from PIL import Image
from torch import Tensor

from ganeval.cache import save_bank
from ganeval.errors import UserError
from ganeval.extractors.base import Extractor
from ganeval.features import FeatureBank
from ganeval.files import UNFINISHED, disk_errors, fsync, new_folder, require_folder
from ganeval.protocols import Protocol as Rules
from ganeval.sources.bank import record_of
from ganeval.sources.base import Batches, FeatureSource, ImageSource, Source


@dataclass(frozen=True)
class Keep:
    """What a user wants to have of a score: ``images`` (a new folder or ``.npz`` file) and ``features`` (a new folder)."""

    images: str | Path | None = None
    features: str | Path | None = None

    def of(self, source: ImageSource | FeatureSource) -> ImageSource | FeatureSource:
        """``source``, writing its images where they are wanted. Raises ``UserError`` where something is in the way."""
        if self.features is not None:
            folder = Path(self.features)
            if folder.exists():
                raise UserError(f"{folder} exists: choose another name for the features or remove it")
            require_folder(folder.parent)
            if source.only_moments:
                raise UserError(f"--save-features: a mean and a covariance are all that is known of {source.origin['name']}")
        if self.images is None:
            return source
        if not isinstance(source, ImageSource) or source.seed is None:
            raise UserError(f"--save-images: {source.origin['name']} is no checkpoint, nothing is generated")
        return Saved(source, Path(self.images))

    def finish(self, source: Source, bank: FeatureBank, extractor: Extractor, protocol: Rules, deviations: Sequence[str]) -> None:
        """Write what is wanted and not yet there; ``deviations`` of the sampling from ``protocol`` are kept with the features."""
        if isinstance(source, Saved):
            source.finish()
        if self.features is not None:
            save_bank(Path(self.features), bank, record_of(source, extractor, protocol, deviations))


class Writer(Protocol):
    """Takes the batches in order."""

    def write(self, images: Tensor, labels: Tensor | None) -> None: ...


class Saved(ImageSource):
    """``source`` as it is; what it gives is also written to ``path``, once: as it is asked for where that is in one go, by the
    first of several processes after they have had their shares.

    ``path`` is a new folder, or a new ``.npz`` file; it appears when it is complete. Raises ``UserError`` where it exists, and
    for a name that asks for a ``.zip``.
    """

    def __init__(self, source: ImageSource, path: Path) -> None:
        self.source, self.path, self.done = source, path, False
        self.count, self.classes, self.resolution = source.count, source.classes, source.resolution
        self.seed, self.labelled, self.remedy = source.seed, source.labelled, source.remedy
        self.fingerprint, self.origin, self.unknown = source.fingerprint, source.origin, source.unknown
        if path.suffix.lower() == ".zip":
            raise UserError(f"--save-images {path}: no .zip is written, give the name of a folder or of an .npz file")
        if path.exists():
            raise UserError(f"{path} exists: choose another name for the images or remove it")
        require_folder(path.parent)
        bad = [name for name in self.classes if "/" in name or "\\" in name or name.startswith(".")]
        if bad and self.labelled:
            raise UserError(f"the class '{bad[0]}' is no name for a folder: save the images to an .npz file")

    def deviations(self, protocol: Rules) -> list[str]:
        return self.source.deviations(protocol)

    def batches(self, start: int = 0, stop: int | None = None) -> Batches:
        if self.done or (start, self.count if stop is None else stop) != (0, self.count):
            yield from self.source.batches(start, stop)
            return
        with disk_errors(self.path), self._writer() as writer:
            for images, labels in self.source.batches():
                writer.write(images, labels)
                yield images, labels
        self.done = True

    def finish(self) -> None:
        """Write the images where nobody has asked for all of them: known features, or several processes."""
        if not self.done:
            for _ in self.batches():
                pass

    @contextmanager
    def _writer(self) -> Iterator[Writer]:
        if self.path.suffix.lower() == ".npz":
            with _new_npz(self.path) as file:
                writer = _Array(file, self.count)
                try:
                    yield writer
                finally:
                    writer.close()
                writer.write_labels()
        else:
            with new_folder(self.path) as folder:
                yield _Pictures(folder, self.classes, len(str(self.count - 1)))


class _Pictures:
    """PNG files ``root/<class>/NNNNN.png``, or ``root/NNNNN.png`` without labels; N is the number of the sample."""

    def __init__(self, root: Path, classes: tuple[str, ...], digits: int) -> None:
        self.root, self.classes, self.digits, self.written = root, classes, max(5, digits), 0

    def write(self, images: Tensor, labels: Tensor | None) -> None:
        for index, image in enumerate(images):
            folder = self.root if labels is None else self.root / self.classes[int(labels[index])]
            folder.mkdir(exist_ok=True)
            pixels = np.ascontiguousarray(image.permute(1, 2, 0).numpy())
            picture = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
            picture.save(folder / f"{self.written:0{self.digits}d}.png", compress_level=1)
            self.written += 1


class _Array:
    """``arr_0`` uint8 (N, H, W, C) and ``arr_1`` int64 (N,), as ADM's samplers write them."""

    def __init__(self, archive: zipfile.ZipFile, count: int) -> None:
        self.archive, self.count = archive, count
        self.labels: list[Tensor] = []
        self.member: IO[bytes] | None = None

    def write(self, images: Tensor, labels: Tensor | None) -> None:
        rows = np.ascontiguousarray(images.permute(0, 2, 3, 1).numpy())
        if self.member is None:
            self.member = self.archive.open("arr_0.npy", "w", force_zip64=True)
            header = {"descr": "|u1", "fortran_order": False, "shape": (self.count, *rows.shape[1:])}
            npy.write_array_header_1_0(self.member, header)
        self.member.write(rows.data)
        if labels is not None:
            self.labels.append(labels)

    def close(self) -> None:
        if self.member is not None:
            self.member.close()

    def write_labels(self) -> None:
        if self.labels:
            buffer = io.BytesIO()
            np.save(buffer, torch.cat(self.labels).numpy())
            self.archive.writestr("arr_1.npy", buffer.getvalue())


@contextmanager
def _new_npz(path: Path) -> Iterator[zipfile.ZipFile]:
    """The archive to fill; at the end it is flushed and takes the name ``path``. Where the block raises, nothing is left.

    Raises ``UserError`` where another process has written ``path`` in the meantime.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.parent / f"{UNFINISHED}{path.name}-{uuid.uuid4().hex[:8]}"
    try:
        with zipfile.ZipFile(unfinished, "w") as archive:
            yield archive
        fsync(unfinished)
        if path.exists():
            raise UserError(f"{path} exists: choose another name for the images or remove it")
        unfinished.rename(path)
    finally:
        unfinished.unlink(missing_ok=True)
