"""A prepared dataset on disk: ``<split>.npy`` (uint8 NCHW), ``<split>-labels.npy`` (int64) and ``index.json``, which knows all.

A folder appears complete or not at all; the index holds the SHA-256 of each file and of itself.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ganeval.checkpoints import canonical_json, sha256_of
from ganeval.data.archives import hash_of
from ganeval.data.base import ImageSet, content_hash
from ganeval.data.images import in_threads
from ganeval.data.raw import RawSplit
from ganeval.errors import UserError

if TYPE_CHECKING:
    from hashlib import _Hash as Hash

FORMAT = 1
INDEX = "index.json"
CHUNK = 2**25
"""Bytes of pixels that are in memory at a time while a split is written."""

HASHED_ON_OPENING = 2**29
"""Files up to this many bytes are hashed whenever they are opened (a second); larger ones by ``ganeval data verify``."""

Talk = Callable[[str, int, int], None]
"""Called with what is being done, how many images are done, and of how many."""


@dataclass(frozen=True)
class FileEntry:
    """Size in bytes and SHA-256 of a file."""

    bytes: int
    sha256: str


@dataclass(frozen=True)
class SplitEntry:
    """``fingerprint`` is that of the split's :class:`ImageSet`; ``source_sha256`` the SHA-256 over the SHA-256 of every image
    as the archive held it, in order."""

    count: int
    fingerprint: str
    source_sha256: str


@dataclass(frozen=True)
class Index:
    """What a prepared dataset is. ``source`` and ``versions`` say what it was made from, and by which software."""

    name: str
    resolution: int
    channels: int
    classes: tuple[str, ...]
    filter: str
    source: dict[str, Any]
    splits: dict[str, SplitEntry]
    files: dict[str, FileEntry]
    versions: dict[str, str]


def is_prepared(folder: Path) -> bool:
    """Whether ``folder`` looks like a prepared dataset: it has an index and, unlike a folder of images, no subfolder."""
    return (folder / INDEX).is_file() and not any(path.is_dir() for path in folder.iterdir())


def images_file(split: str) -> str:
    return f"{split}.npy"


def labels_file(split: str) -> str:
    return f"{split}-labels.npy"


def write_index(folder: Path, index: Index) -> None:
    """Write ``index.json`` into ``folder``, its own SHA-256 included."""
    content = {"format": FORMAT, **dataclasses.asdict(index), "classes": list(index.classes)}
    (folder / INDEX).write_text(canonical_json({**content, "sha256": sha256_of(content)}), encoding="utf-8")


def read_index(folder: Path) -> Index:
    """The index of the prepared dataset in ``folder``; raises ``UserError`` where it is damaged or of another format."""
    path = folder / INDEX
    try:
        text = path.read_bytes()
        content = json.loads(text)
        digest = content.pop("sha256")
        intact = digest == sha256_of(content) and text == canonical_json({**content, "sha256": digest}).encode()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}") from error
    except (ValueError, KeyError, AttributeError, TypeError):
        intact = False
    if not intact:
        raise UserError(f"{path} is damaged: its content does not match its own SHA-256; remove {folder} and prepare it again")
    if content.pop("format") != FORMAT:
        raise UserError(f"{folder} was prepared by another version of ganeval: remove it and prepare it again")
    splits = {name: SplitEntry(**entry) for name, entry in content.pop("splits").items()}
    files = {name: FileEntry(**entry) for name, entry in content.pop("files").items()}
    return Index(classes=tuple(content.pop("classes")), splits=splits, files=files, **content)


def write_split(
    folder: Path, name: str, split: RawSplit, classes: tuple[str, ...], channels: int, resolution: int, talk: Talk
) -> tuple[SplitEntry, dict[str, FileEntry]]:
    """Decode ``split`` once and write its two files, a piece at a time; give what the index says of them.

    Raises ``UserError`` for the first image, in order, that cannot be read.
    """
    count = len(split.labels)
    shape = (count, channels, resolution, resolution)
    labels = split.labels.astype("<i8")
    fingerprint, source = content_hash(shape, classes), hashlib.sha256()
    step = max(1, CHUNK // (channels * resolution * resolution))

    def decoded() -> Iterator[bytes]:
        for start in range(0, count, step):
            stop = min(start + step, count)
            for digest, pixels in in_threads(lambda index: split.read(index, resolution, channels), range(start, stop)):
                source.update(digest)
                yield pixels.tobytes()
            talk(f"prepare {name}", stop, count)

    images_entry = _write_npy(folder / images_file(name), shape, "|u1", decoded(), fingerprint)
    labels_entry = _write_npy(folder / labels_file(name), (count,), "<i8", [labels.tobytes()], fingerprint)
    files = {images_file(name): images_entry, labels_file(name): labels_entry}
    return SplitEntry(count, fingerprint.hexdigest(), source.hexdigest()), files


def _write_npy(path: Path, shape: tuple[int, ...], kind: str, pieces: Iterable[bytes], content: Hash) -> FileEntry:
    """Write the array whose bytes are ``pieces``; they are also added to ``content``."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": kind, "fortran_order": False, "shape": shape})
    whole, size = hashlib.sha256(header.getvalue()), len(header.getvalue())
    with path.open("xb") as file:
        file.write(header.getvalue())
        for piece in pieces:
            file.write(piece)
            whole.update(piece)
            content.update(piece)
            size += len(piece)
    return FileEntry(size, whole.hexdigest())


def map_split(folder: Path, index: Index, split: str) -> ImageSet:
    """A split as it was prepared: labels in memory, images mapped from the file, which is never written to.

    Small files are hashed first, large ones compared by their size (``ganeval data verify`` hashes them). Raises ``UserError``
    where a file is missing or is not what was written.
    """
    for name in (images_file(split), labels_file(split)):
        require_intact(folder / name, index.files[name], hashed=index.files[name].bytes <= HASHED_ON_OPENING)
    images = np.load(folder / images_file(split), mmap_mode="r")
    labels = np.load(folder / labels_file(split))
    with warnings.catch_warnings():  # that torch cannot protect a read-only array from being written to; nobody writes
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        mapped = torch.from_numpy(images)
    return ImageSet(mapped, torch.from_numpy(labels), index.classes, index.splits[split].fingerprint)


def require_intact(path: Path, entry: FileEntry, hashed: bool) -> None:
    """Raise ``UserError`` where the file at ``path`` has another size than ``entry`` says or, if ``hashed``, another SHA-256."""
    remedy = f"remove {path.parent} and prepare it again"
    if not path.is_file():
        raise UserError(f"{path} is missing: {remedy}")
    size = path.stat().st_size
    if size != entry.bytes:
        raise UserError(f"{path} is damaged: {size} bytes instead of {entry.bytes}; {remedy}")
    if hashed and hash_of(path) != entry.sha256:
        raise UserError(f"{path} is damaged: its SHA-256 does not match the index; {remedy}")
