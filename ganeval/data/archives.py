"""Finding in an official archive what belongs to the dataset, and comparing checksums."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from ganeval.data.folder import divided_splits
from ganeval.data.images import SUFFIXES, read_file
from ganeval.data.places import P, Place
from ganeval.data.raw import Contents, FileSplit
from ganeval.errors import UserError

MEGABYTE = 2**20


def find_root(source: P, *markers: str) -> P:
    """``source`` or the first of its subfolders that has one of ``markers`` in it; raises ``UserError`` where none has."""
    subfolders = sorted((path for path in source.iterdir() if path.is_dir()), key=lambda path: path.name)
    for folder in (source, *subfolders):
        if any((folder / marker).is_file() or (folder / marker).is_dir() for marker in markers):
            return folder
    raise UserError(f"{source} has no {' or '.join(markers)}")


def require_file(path: P) -> P:
    """``path``; raises ``UserError`` where it is no file."""
    if not path.is_file():
        raise UserError(f"{path} is missing")
    return path


def official_bytes(path: Place, md5: Mapping[str, str]) -> bytes:
    """The content of a file; raises ``UserError`` where it is missing or has another MD5 than ``md5`` has for its name."""
    data = read_file(require_file(path))
    _compare(path, hashlib.md5(data).hexdigest(), md5)
    return data


def require_md5(path: Path, md5: Mapping[str, str]) -> Path:
    """``path``, read in pieces; raises ``UserError`` as :func:`official_bytes` does."""
    if path.name in md5:
        _compare(path, hash_of(require_file(path), "md5"), md5)
    return require_file(path)


def _compare(path: Place, found: str, md5: Mapping[str, str]) -> None:
    expected = md5.get(path.name, found)
    if found != expected:
        raise UserError(f"{path} is not the official file: its MD5 is not {expected}, download it again")


def hash_of(path: Path, algorithm: str = "sha256") -> str:
    """The hexadecimal hash of a file's content, read in pieces; raises ``UserError`` where it cannot be read."""
    digest = hashlib.new(algorithm)
    try:
        with path.open("rb") as file:
            while piece := file.read(MEGABYTE):
                digest.update(piece)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}") from error
    return digest.hexdigest()


def table(path: Place, columns: int, md5: Mapping[str, str] | None = None) -> list[list[str]]:
    """The lines of a text file, each split at white space into ``columns`` fields; the last field keeps what is left.

    Empty lines do not count. Raises ``UserError`` for a line with fewer fields.
    """
    rows = []
    for number, line in enumerate(official_bytes(path, md5 or {}).decode("utf-8", "replace").splitlines(), start=1):
        fields = line.strip().split(maxsplit=columns - 1)
        if fields and len(fields) != columns:
            raise UserError(f"{path} line {number} has {len(fields)} fields instead of {columns}")
        rows += [fields] if fields else []
    return rows


def class_folders(source: Place) -> Contents:
    """``train/<class>/*`` and the first of ``test|valid|val/<class>/*`` that exists; classes and files sorted by name."""
    found = divided_splits(find_root(source, "train"))
    return Contents(found["train"].classes, {name: FileSplit(split.paths, split.labels) for name, split in found.items()})


def images_below(root: P) -> list[P]:
    """Every image file in ``root`` and its subfolders, folder by folder, sorted by name; hidden ones do not count."""
    entries = sorted((path for path in root.iterdir() if not path.name.startswith((".", "__MACOSX"))), key=lambda path: path.name)
    here = [path for path in entries if path.suffix.lower() in SUFFIXES and path.is_file()]
    return here + [image for path in entries if path.is_dir() for image in images_below(path)]
