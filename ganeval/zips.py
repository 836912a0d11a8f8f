"""What is asked of zip archives of strangers, ``.npz`` files among them, before anything in them is used."""

from __future__ import annotations

import re
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ganeval.errors import UserError

_ENCRYPTED = 0x1


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Whatever a damaged archive makes its readers stumble over becomes one line that names ``path``."""
    try:
        yield
    except UserError:
        raise
    except (PermissionError, FileNotFoundError, IsADirectoryError) as error:
        raise UserError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}") from error
    except Exception as error:
        raise UserError(f"{path} is damaged, cut off, or no {path.suffix} file: make or download it again") from error


def require_plain_members(path: Path, members: Sequence[zipfile.ZipInfo]) -> None:
    """Raise ``UserError`` for names that lead out of the archive or occur twice, and for what is encrypted or far too large."""
    for member in members:
        name = member.filename
        if name.startswith("/") or "\\" in name or ".." in name.split("/") or re.match(r"[A-Za-z]:", name) or "\0" in name:
            raise UserError(f"{path} has a member named '{name}', which leads out of it: nothing of it is read")
        if member.flag_bits & _ENCRYPTED:
            raise UserError(f"{path} is encrypted: pack the images again without a password")
    files = [
        "/".join(part for part in member.filename.split("/") if part not in ("", "."))
        for member in members
        if not member.is_dir()
    ]
    twice = [name for name, count in Counter(files).items() if count > 1]
    if twice:
        raise UserError(f"{path} has two members named '{twice[0]}': pack the images again")
    inside = {"/".join(name.split("/")[:depth]) for name in files for depth in range(1, name.count("/") + 1)}
    both = sorted(inside & set(files))
    if both:
        raise UserError(f"{path} has both a file and a folder named '{both[0]}': pack the images again")
