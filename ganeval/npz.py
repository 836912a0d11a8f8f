"""``.npz`` files of strangers: arrays of numbers, read in pieces, never a pickle."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ganeval.errors import UserError
from ganeval.zips import reading, require_plain_members

_SUFFIX = ".npy"

PIECE = 2**26
"""Bytes that :meth:`Npz.rows` holds at once. One row that is larger is refused: it is no image, and may be a bomb."""


class Header(NamedTuple):
    """What an array says of itself. ``fortran``: whether the first index runs fastest."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]


class Npz:
    """The arrays of the ``.npz`` file at ``path`` by name; nothing but their list is read before it is asked for.

    Raises ``UserError`` for a file that is damaged, encrypted, or no archive of arrays.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.suffix.lower() == _SUFFIX:
            raise UserError(f"{path}: .npy files are not read: write an .npz with numpy.savez, of images or of mu and sigma")
        with reading(path), zipfile.ZipFile(path) as archive:
            require_plain_members(path, archive.infolist())
            self._members = {member.filename.removesuffix(_SUFFIX): member for member in archive.infolist()}
            strange = [member.filename for member in archive.infolist() if not member.filename.endswith(_SUFFIX)]
        if strange:
            raise UserError(f"{path} holds '{strange[0]}', which is no array: write it with numpy.savez")

    @property
    def names(self) -> list[str]:
        return sorted(self._members)

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def header(self, name: str) -> Header:
        """Shape and type of an array of numbers or text; raises ``UserError`` for Python objects and for a size that is not
        the file's."""
        with self._opened(name) as (_, header):
            return header

    def read(self, name: str) -> NDArray[Any]:
        """The whole array, in memory."""
        with self._opened(name) as (file, header):
            flat = np.frombuffer(_exactly(file, math.prod(header.shape) * header.dtype.itemsize), header.dtype)
            return flat.reshape(header.shape, order="F" if header.fortran else "C")

    def rows(self, name: str, most: int) -> Iterator[NDArray[Any]]:
        """The array in pieces of at most ``most`` of its first index, in order; smaller pieces where they would not fit
        :data:`PIECE`. Raises ``UserError`` for an array in Fortran's order, which cannot be read so."""
        with self._opened(name) as (file, header):
            row = math.prod(header.shape[1:]) * header.dtype.itemsize
            if header.fortran and len(header.shape) > 1:
                raise UserError(f"{self.path}: '{name}' is in Fortran's order: save numpy.ascontiguousarray of it")
            if row > PIECE:
                raise UserError(f"{self.path}: one row of '{name}' is {row:,} bytes, more than the {PIECE:,} of any image")
            count = max(1, min(most, PIECE // max(row, 1)))
            for start in range(0, header.shape[0], count):
                number = min(count, header.shape[0] - start)
                yield np.frombuffer(_exactly(file, number * row), header.dtype).reshape(number, *header.shape[1:])

    @contextmanager
    def _opened(self, name: str) -> Iterator[tuple[IO[bytes], Header]]:
        member = self._members[name]
        with reading(self.path), zipfile.ZipFile(self.path) as archive, archive.open(member) as file:
            header = _header(file)
            if header.dtype.hasobject:
                raise UserError(f"{self.path}: '{name}' holds Python objects, which are never opened: save arrays of numbers")
            if header.dtype.itemsize == 0 or file.tell() + math.prod(header.shape) * header.dtype.itemsize != member.file_size:
                raise UserError(f"{self.path}: '{name}' has another size than its header says: make the file again")
            yield file, header


def _header(file: IO[bytes]) -> Header:
    version = npy.read_magic(file)
    read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[version]
    return Header(*read(file))


def _exactly(file: IO[bytes], size: int) -> bytearray:
    """The next ``size`` bytes; ``EOFError`` where there are fewer."""
    data = bytearray(file.read(size))
    if len(data) != size:
        raise EOFError(f"{len(data)} bytes instead of {size}")
    return data
