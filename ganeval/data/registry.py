"""Datasets by name; a folder of images is a dataset too."""

from __future__ import annotations

from ganeval.data.base import Dataset
from ganeval.errors import UserError
from ganeval.files import from_home
from ganeval.registry import Registry, unknown

DATASETS: Registry[Dataset] = Registry("dataset", "ganeval.data")
"""One file in this package registers one dataset; nothing is read from disk before ``load``."""

ALSO_CALLED = {"imagenet-128": "imagenet"}
"""Other names for registered datasets. Files, runs and tables always have the registered one."""

FOLDER_HINT = " (or a folder root/<class>/*)"


def find_dataset(name_or_path: str) -> Dataset:
    """The registered dataset of that name, be it its other one, else what is at that path (``./digits`` for a folder ``digits``).

    A path is a folder of images, or one that ``ganeval data prepare NAME --out`` made: then it is the dataset ``NAME``. Raises
    :class:`UserError` with the nearest names where it is neither, or where the folder is not a dataset.
    """
    from ganeval.data.folder import FolderDataset
    from ganeval.data.index import is_prepared, read_index
    from ganeval.data.prepared import PreparedDataset

    if not name_or_path:  # as a path it would be the current folder
        raise UserError("the dataset has an empty name: give a registered one ('ganeval ls datasets') or a folder root/<class>/*")
    name = ALSO_CALLED.get(name_or_path, name_or_path)
    if name in DATASETS:
        return DATASETS.get(name)
    path = from_home(name_or_path)
    if is_prepared(path):
        dataset = DATASETS.get(read_index(path).name)
        return dataset.at(path) if isinstance(dataset, PreparedDataset) else dataset
    if path.is_dir():
        return FolderDataset(path)
    if path.exists():
        raise UserError(f"dataset {path} is a file: give a registered name or a folder root/<class>/*")
    if "/" in name_or_path or name_or_path.startswith((".", "~")):
        raise UserError(f"no folder {path}: give a registered name ('ganeval ls datasets') or a folder root/<class>/*")
    raise unknown(DATASETS.noun, name_or_path, [*DATASETS.names(), *ALSO_CALLED], FOLDER_HINT)
