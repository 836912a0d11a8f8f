"""Zip archives of images, read where they are: nothing is unpacked."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

from ganeval.data.base import Dataset
from ganeval.data.places import Archive, Packed, ZipArchive
from ganeval.errors import UserError
from ganeval.sources.base import KINDS, Kind, Opened, Request
from ganeval.sources.folder import files_of
from ganeval.zips import reading, require_plain_members

LARGEST = 2**26
"""Bytes of one image file after decompression. What is larger is no sample of a generator, and may be a bomb."""


class ZipKind(Kind):
    """The layouts of a folder of images inside a zip archive, also below one folder that holds everything."""

    name = "zip"
    description = "a .zip of images"

    def recognises(self, path: Path) -> bool:
        return path.is_file() and path.suffix.lower() == ".zip"

    def open(self, request: Request) -> Opened:
        with reading(request.path):
            archive = _Images(request.path)
            members = archive.zip.infolist()
            require_plain_members(request.path, members)
            _require_size(request.path, members)
        dataset = request.held_against("a zip of images")
        root = _below_single_folders(Packed(archive), dataset)
        source = files_of(root, dataset, {"kind": "zip", "name": request.path.name}, request.protocol.sample_order)
        request.refuse_options_of_checkpoints("archive", source.count)
        return source, dataset


class _Images(ZipArchive):
    """The archive without the folder in which macOS puts what it knows of every file."""

    def __init__(self, source: Path) -> None:
        self.zip = zipfile.ZipFile(source)
        names = [member.filename for member in self.zip.infolist() if not member.is_dir()]
        Archive.__init__(self, source, [name for name in names if not name.startswith("__MACOSX/")])


def _require_size(path: Path, members: Sequence[zipfile.ZipInfo]) -> None:
    for member in members:
        if member.file_size > LARGEST:
            raise UserError(
                f"{path}/{member.filename} would be {member.file_size:,} bytes, more than the {LARGEST:,} of any image"
            )


def _below_single_folders(root: Packed, dataset: Dataset | None) -> Packed:
    """``root``, or the folder in it that holds everything: archives of a folder have it as their only member.

    A folder that is called like a class is that class.
    """
    while True:
        entries = [entry for entry in root.iterdir() if not entry.name.startswith(".")]
        single = len(entries) == 1 and entries[0].is_dir()
        if not single or (dataset is not None and entries[0].name in dataset.classes):
            return root
        root = entries[0]


KINDS.add(ZipKind.name, ZipKind())
