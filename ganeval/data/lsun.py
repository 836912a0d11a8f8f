"""``lsun-bedroom`` from the authors' LMDB folders; needs the package ``lmdb``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ganeval.data.archives import find_root, require_file
from ganeval.data.images import decode_image
from ganeval.data.places import Place
from ganeval.data.prepared import PreparedDataset
from ganeval.data.raw import Contents, RawSplit, UInt8
from ganeval.data.registry import DATASETS
from ganeval.errors import UserError

FOLDERS = {"train": "bedroom_train_lmdb", "test": "bedroom_val_lmdb"}


class LMDBSplit(RawSplit):
    """The encoded images of a database, in the order of their keys; all of one class."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = _open(folder)
        with self.database.begin() as transaction:
            self.keys = [bytes(key) for key in transaction.cursor().iternext(keys=True, values=False)]
        self.labels = np.zeros(len(self.keys), dtype=np.int64)

    def content(self, index: int) -> bytes:
        with self.database.begin() as transaction:
            return bytes(transaction.get(self.keys[index]))

    def decode(self, content: bytes, index: int, resolution: int, channels: int) -> UInt8:
        return decode_image(content, self.folder / self.keys[index].decode("utf-8", "replace"), resolution, channels)


class LSUNBedroom(PreparedDataset):
    """Photographs of bedrooms with a short side of 256 pixels; one class. ``test`` is the official validation split."""

    name = "lsun-bedroom"
    archive = "a folder with bedroom_train_lmdb and bedroom_val_lmdb, unpacked"
    resolution = 128
    class_count = 1
    class_names = ("bedroom",)
    expected = {"train": 3_033_042, "test": 300}  # noqa: RUF012
    held_out = "test"
    citation = "Yu et al., LSUN: Construction of a Large-scale Image Dataset using Deep Learning, arXiv:1506.03365, 2015"

    def contents(self, source: Place) -> Contents:
        folders = {split: find_root(source, name) / name for split, name in FOLDERS.items()}
        return Contents(("bedroom",), {split: LMDBSplit(_on_disk(folder)) for split, folder in folders.items()})


def _on_disk(folder: Place) -> Path:
    if not isinstance(folder, Path):
        raise UserError(f"{folder} is in an archive: unpack it")
    return folder


def _open(folder: Path) -> Any:
    require_file(folder / "data.mdb")
    try:
        import lmdb
    except ImportError as error:
        raise UserError("lsun-bedroom needs the package lmdb: pip install 'ganeval[lsun]'") from error
    try:
        return lmdb.open(str(folder), readonly=True, lock=False, readahead=False)
    except lmdb.Error as error:
        raise UserError(f"{folder} is no LMDB database, or it is damaged: {error}") from error


DATASETS.add(LSUNBedroom.name, LSUNBedroom())
