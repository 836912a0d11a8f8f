"""From an official archive to a prepared dataset, and whether what was prepared is still what it was."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import PIL
from filelock import FileLock, Timeout

from ganeval import __version__
from ganeval.cache import home
from ganeval.data.archives import hash_of, require_md5
from ganeval.data.base import Dataset
from ganeval.data.index import FileEntry, Index, SplitEntry, Talk, require_intact, write_index, write_split
from ganeval.data.places import opened
from ganeval.data.prepared import PreparedDataset
from ganeval.data.raw import Contents
from ganeval.errors import UserError
from ganeval.files import UNFINISHED, new_folder, require_folder


def prepare(
    dataset: Dataset, source: Path | None = None, *, resolution: int | None = None, out: Path | None = None,
    talk: Talk | None = None,
) -> Path:  # fmt: skip
    """Prepare ``dataset`` from ``source`` (its official archive, or the folder it unpacks to); give the new folder.

    Without ``source`` the archive is downloaded where torchvision can. ``out`` replaces the place in which a run looks by
    itself. The folder appears when it is complete, in one rename. Raises ``UserError`` where it exists, and for whatever
    is not the official archive: checksums, classes, counts, damaged images.
    """
    if not isinstance(dataset, PreparedDataset):
        raise UserError(f"dataset '{dataset.name}' needs no preparation: it is read as it is")
    size = resolution or dataset.resolution
    folder = out or dataset.folder(size)
    if folder.exists():
        raise UserError(f"{folder} exists: remove it to prepare '{dataset.name}' again")
    require_folder(folder.parent)
    with _only_writer(folder):
        _remove_leftovers(folder)
        found = source or dataset.download(home() / "downloads" / dataset.name)
        with new_folder(folder) as unfinished:
            _fill(unfinished, dataset, found, size, talk or (lambda what, done, total: None))
    return folder


def verify(dataset: Dataset, resolution: int | None = None, talk: Talk | None = None) -> list[str]:
    """Check counts, classes, labels and the SHA-256 of every file; give one line for each thing that is intact.

    A prepared dataset is checked at every resolution it has, or at ``resolution``; another one is read as for a run. Raises
    ``UserError`` for the first thing that is not what it was.
    """
    if not isinstance(dataset, PreparedDataset):
        sizes = {resolution or dataset.resolution}
    else:
        sizes = {resolution} if resolution else set(dataset.prepared()) or {dataset.resolution}
    lines = []
    for size in sorted(sizes):
        if isinstance(dataset, PreparedDataset):
            _require_intact(dataset, size, talk or (lambda what, done, total: None))
        for split in dataset.splits:
            images = dataset.load(split, size)
            lines.append(
                f"{dataset.name} {split}: {len(images):,} images of {images.resolution} px, {dataset.num_classes} classes, "
                f"{images.fingerprint[:16]}: intact"
            )
    return lines


@contextmanager
def _only_writer(folder: Path) -> Iterator[None]:
    lock = FileLock(folder.parent / f".{folder.name}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise UserError(f"another process is preparing {folder}: wait for it") from error
    try:
        yield
    finally:
        lock.release()


def _require_intact(dataset: PreparedDataset, resolution: int, talk: Talk) -> None:
    index, folder = dataset.index(resolution), dataset.folder(resolution)
    for done, (name, entry) in enumerate(index.files.items(), start=1):
        require_intact(folder / name, entry, hashed=True)
        talk(f"verify {dataset.name} at {resolution} px", done, len(index.files))


def _fill(folder: Path, dataset: PreparedDataset, source: Path, resolution: int, talk: Talk) -> None:
    """Everything that belongs into the folder of a prepared dataset."""
    origin = _origin(dataset, source)
    splits: dict[str, SplitEntry] = {}
    files: dict[str, FileEntry] = {}
    with opened(source, folder / "unpacked.tar") as place:
        try:
            contents = dataset.contents(place)
            _require_expected(dataset, contents)
            for name, split in contents.splits.items():
                splits[name], new = write_split(folder, name, split, contents.classes, dataset.channels, resolution, talk)
                files |= new
        except UserError as error:
            raise UserError(f"{error} (expected: {dataset.archive})") from error
    versions = {"ganeval": __version__, "numpy": np.__version__, "pillow": PIL.__version__}
    described = (dataset.name, resolution, dataset.channels, contents.classes, dataset.filter)
    write_index(folder, Index(*described, source=origin, splits=splits, files=files, versions=versions))


def _origin(dataset: PreparedDataset, source: Path) -> dict[str, Any]:
    """What the index says of ``source``; an archive is compared with its official checksum, where there is one."""
    if source.is_dir():
        return {"name": source.resolve().name}
    digest = hash_of(source)
    require_md5(source, dataset.checksums())
    return {"name": source.name, "bytes": source.stat().st_size, "sha256": digest}


def _require_expected(dataset: PreparedDataset, contents: Contents) -> None:
    """Raise ``UserError`` where classes, splits, counts or labels are not the dataset's."""
    if dataset.class_names is not None and contents.classes != dataset.class_names:
        there, needed = (", ".join(names[:5]) for names in (contents.classes, dataset.class_names))
        raise UserError(f"the classes are {there} ..., expected {needed} ...")
    if len(set(contents.classes)) != dataset.class_count:
        raise UserError(f"there are {len(set(contents.classes))} classes, expected {dataset.class_count}")
    for split, expected in dataset.expected.items():
        if split not in contents.splits:
            if split in dataset.optional:
                continue
            raise UserError(f"there is no split '{split}'")
        labels = contents.splits[split].labels
        if len(labels) != (len(labels) if expected is None else expected) or not len(labels):
            raise UserError(f"split '{split}' has {len(labels)} images, expected {expected or 'some'}")
        if int(labels.min()) < 0 or int(labels.max()) >= dataset.class_count:
            raise UserError(f"split '{split}' has a label outside 0..{dataset.class_count - 1}")


def _remove_leftovers(folder: Path) -> None:
    """Remove what killed preparations of exactly this folder left behind."""
    for path in folder.parent.glob(f"{UNFINISHED}*"):
        if re.fullmatch(re.escape(f"{UNFINISHED}{folder.name}-") + "[0-9a-f]{8}", path.name):
            shutil.rmtree(path, ignore_errors=True)
