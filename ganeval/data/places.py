"""Files and folders, on the disk or inside an archive: an archive is read where it is, not unpacked into thousands of files."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
import threading
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Protocol, TypeVar

from ganeval.errors import UserError

if TYPE_CHECKING:
    from typing_extensions import Self

PACKINGS: dict[bytes, Callable[[Path], IO[bytes]]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}  # type: ignore[dict-item]
"""What opens a compressed file, by its first bytes."""

_DAMAGED = (tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, gzip.BadGzipFile, zlib.error, EOFError, RuntimeError)


class Place(Protocol):
    """The part of :class:`pathlib.Path` that readers of datasets use."""

    @property
    def name(self) -> str: ...
    @property
    def suffix(self) -> str: ...
    def is_dir(self) -> bool: ...
    def is_file(self) -> bool: ...
    def iterdir(self) -> Iterable[Self]: ...
    def read_bytes(self) -> bytes: ...
    def __truediv__(self, name: str) -> Self: ...


P = TypeVar("P", bound=Place)


class Archive(ABC):
    """The regular files of an archive by their path in it, with the folders they are in."""

    def __init__(self, source: Path, files: Iterable[str]) -> None:
        self.source = source
        self.files = {"/".join(PurePosixPath(name).parts): name for name in files}
        self.children: dict[str, dict[str, None]] = {"": {}}
        for path in self.files:
            parts = path.split("/")
            for depth, name in enumerate(parts):
                self.children.setdefault("/".join(parts[:depth]), {})[name] = None

    @abstractmethod
    def content(self, name: str) -> bytes:
        """The bytes of the member ``name``; may be called from several threads."""

    @abstractmethod
    def close(self) -> None:
        """Nothing is read afterwards."""

    def read(self, path: str) -> bytes:
        """The bytes of the file at ``path``; raises ``UserError`` where they are damaged."""
        try:
            return self.content(self.files[path])
        except _DAMAGED as error:
            raise UserError(f"{self.source} is damaged at {path}: download it again ({error})") from error


class ZipArchive(Archive):
    """A zip archive; the checksum of a member is compared whenever it is read."""

    def __init__(self, source: Path) -> None:
        self.zip = zipfile.ZipFile(source)
        super().__init__(source, [member.filename for member in self.zip.infolist() if not member.is_dir()])

    def content(self, name: str) -> bytes:
        return self.zip.read(name)

    def close(self) -> None:
        self.zip.close()


class TarArchive(Archive):
    """The uncompressed tar archive ``plain``, called ``source``."""

    def __init__(self, source: Path, plain: Path) -> None:
        with tarfile.open(plain, "r:") as archive:
            self.spans = {member.name: (member.offset_data, member.size) for member in archive if member.isreg()}
            end = archive.offset
        self.file, self.lock = plain.open("rb"), threading.Lock()
        self.file.seek(end)
        if self.file.read(tarfile.BLOCKSIZE) != tarfile.NUL * tarfile.BLOCKSIZE:  # tarfile takes half a header for the end
            raise tarfile.ReadError("it has no end")
        super().__init__(source, self.spans)

    def content(self, name: str) -> bytes:
        start, size = self.spans[name]
        with self.lock:
            self.file.seek(start)
            return self.file.read(size)

    def close(self) -> None:
        self.file.close()


class Packed:
    """A file or folder inside an archive; a :class:`Place`."""

    def __init__(self, archive: Archive, inside: str = "") -> None:
        self.archive, self.inside = archive, inside

    def __str__(self) -> str:
        return f"{self.archive.source}/{self.inside}" if self.inside else str(self.archive.source)

    def __truediv__(self, name: str) -> Packed:
        return Packed(self.archive, f"{self.inside}/{name}" if self.inside else name)

    @property
    def name(self) -> str:
        return PurePosixPath(self.inside).name

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.inside).suffix

    def is_dir(self) -> bool:
        return self.inside in self.archive.children

    def is_file(self) -> bool:
        return self.inside in self.archive.files

    def iterdir(self) -> Iterable[Packed]:
        return [self / name for name in self.archive.children[self.inside]]

    def read_bytes(self) -> bytes:
        if not self.is_file():
            raise UserError(f"{self} is missing")
        return self.archive.read(self.inside)


@contextmanager
def opened(source: Path, scratch: Path) -> Iterator[Path | Packed]:
    """:func:`open_place`, closed at the end; ``scratch`` is removed."""
    place = open_place(source, scratch)
    try:
        yield place
    finally:
        if isinstance(place, Packed):
            place.archive.close()
        scratch.unlink(missing_ok=True)


def open_place(source: Path, scratch: Path) -> Path | Packed:
    """The folder ``source``, or the tar or zip archive ``source`` as a folder.

    A compressed tar archive is decompressed into the new file ``scratch``. Raises ``UserError`` for what is neither, and for
    an archive that is damaged or cut off.
    """
    if source.is_dir():
        return source
    if not source.is_file():
        raise UserError(f"nothing at {source}: give the archive or its unpacked folder")
    if zipfile.is_zipfile(source):
        return open_zip(source)
    try:
        return Packed(TarArchive(source, _plain(source, scratch)))
    except _DAMAGED as error:
        raise UserError(f"{source} is damaged, cut off, or no tar or zip archive: download it again ({error})") from error


def open_zip(source: Path) -> Packed:
    """The zip archive ``source`` as a folder; raises ``UserError`` where it is damaged or cut off."""
    try:
        return Packed(ZipArchive(source))
    except _DAMAGED as error:
        raise UserError(f"{source} is damaged, cut off, or no zip archive: download it again ({error})") from error


def _plain(source: Path, scratch: Path) -> Path:
    with source.open("rb") as file:
        start = file.read(8)
    for magic, decompressed in PACKINGS.items():
        if start.startswith(magic):
            with decompressed(source) as packed, scratch.open("xb") as plain:
                while piece := _piece(packed):
                    plain.write(piece)
            return scratch
    return source


def _piece(packed: IO[bytes]) -> bytes:
    try:
        return packed.read(2**20)
    except OSError as error:
        if error.errno is not None:
            raise
        raise tarfile.ReadError(str(error)) from error  # without a number it is the decompressor's, not the disk's
