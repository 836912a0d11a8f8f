"""Writing that survives a kill: a file or folder is either the old one or the new one, never something between."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import combinations, permutations
from pathlib import Path

from ganeval.errors import UserError

UNFINISHED = ".unfinished-"
"""Prefix of what is being written; whatever still carries it after a kill may be removed."""


def from_home(path: str | Path) -> Path:
    """``path`` with the home folder for a leading ``~``; the ``~name`` of nobody stays, as in a shell.

    Shells leave ``--out=~/card.json`` and whatever is quoted as it is: it would be a folder called ``~``.
    """
    return Path(os.path.expanduser(path))


def fsync(path: Path) -> None:
    """Flush a file's or a folder's content to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals (permission, disk full ...) into one line that names ``path``."""
    try:
        yield
    except OSError as error:
        where = str(error.filename2 or error.filename or path)
        where = str(path) if UNFINISHED in where else where
        if isinstance(error, FileExistsError):  # mkdir(exist_ok=True) says so where something else than a folder is in the way
            raise UserError(f"cannot write into {where}: not a directory") from error
        raise UserError(f"cannot write {where}: {(error.strerror or str(error)).lower()}") from error


def require_folder(path: Path) -> None:
    """Make the folder ``path`` where it is missing; raises :class:`UserError` where nothing can be written into it."""
    with disk_errors(path):
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path, prefix=UNFINISHED):
            pass


def require_writable(path: Path) -> None:
    """Raise :class:`UserError` before the work, not after it, where the file ``path`` could not be written."""
    if path.is_dir():
        raise UserError(f"cannot write {path}: it is a folder, give the name of a file")
    if not _is_special(path):
        require_folder(_behind_links(path).parent)
    elif not os.access(path, os.W_OK):
        raise UserError(f"cannot write {path}: permission denied")


def _is_special(path: Path) -> bool:
    """Whether ``path`` is a device or a pipe, be it by links: to replace that by a file would be the end of it."""
    return path.exists() and not path.is_file()


def _behind_links(path: Path) -> Path:
    return path.resolve() if path.is_symlink() else path


def require_apart(written: Mapping[str, Path | None], read: Mapping[str, Path | None] | None = None) -> None:
    """Raise :class:`UserError` where what is to be ``written``, by the name of its option, would replace one that is ``read`` or
    another such file, or lie inside of it."""
    given = [(name, path) for name, path in {**(read or {}), **written}.items() if path is not None]
    for (one, a), (other, b) in combinations(given, 2):
        if other in written and (a.resolve() == b.resolve() or (a.exists() and b.exists() and a.samefile(b))):
            raise UserError(f"{one} {a} and {other} {b} are the same file: give two names")
    for (one, a), (other, b) in permutations([pair for pair in given if pair[0] in written], 2):
        if a.resolve() in b.resolve().parents:
            raise UserError(f"{other} {b} lies inside of {one} {a}: give two places")


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8 to ``path`` atomically; the folder is made where it is missing."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path`` atomically; the folder is made where it is missing.

    A link stays one: the file it leads to is written. So does a device or a pipe, which is written as it is.
    """
    with disk_errors(path):
        if _is_special(path):
            with path.open("wb") as stream:
                stream.write(content)
            return
        path = _behind_links(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.parent / f"{UNFINISHED}{path.name}-{uuid.uuid4().hex[:8]}"
        try:
            with unfinished.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(unfinished, path)
        finally:
            unfinished.unlink(missing_ok=True)
        fsync(path.parent)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A folder to fill; at the end it is flushed and takes the name ``path`` in one rename.

    Where the block raises, nothing is left. Raises :class:`UserError` where ``path`` exists.
    """
    if path.exists():
        raise UserError(f"{path} exists: choose another name or remove it")
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.parent / f"{UNFINISHED}{path.name}-{uuid.uuid4().hex[:8]}"
        unfinished.mkdir()
        try:
            yield unfinished
            for file in unfinished.iterdir():
                fsync(file)
            fsync(unfinished)
            os.rename(unfinished, path)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
        fsync(path.parent)


def remove_folder(path: Path) -> None:
    """Remove the folder ``path`` in one rename: a kill leaves it whole, or under a name that :func:`remove_unfinished` knows."""
    unfinished = path.parent / f"{UNFINISHED}{path.name}-{uuid.uuid4().hex[:8]}"
    os.rename(path, unfinished)
    shutil.rmtree(unfinished, ignore_errors=True)


def remove_unfinished(folder: Path, name: str = "") -> None:
    """Remove what killed writers (of ``name``, where given) left in ``folder``. Only for the holder of the lock."""
    for leftover in folder.glob(f"{UNFINISHED}{name}*"):
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)
