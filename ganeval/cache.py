"""Feature banks on disk, and what was found out about them, by the content they were computed from, never by a name."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from filelock import FileLock

from ganeval.checkpoints import MANIFEST, Folder, is_folder, load_folder, save_folder, sha256_of
from ganeval.code import code_hash
from ganeval.errors import MetricError, UserError
from ganeval.features import Arrays, FeatureBank
from ganeval.files import from_home, remove_unfinished, require_folder


def home() -> Path:
    """Where ganeval keeps what it computed: ``GANEVAL_HOME``, else ``ganeval`` in the user's cache folder."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return from_home(os.environ.get("GANEVAL_HOME") or cache / "ganeval")


T = TypeVar("T")


def cached_bank(key: dict[str, object], compute: Callable[[], FeatureBank]) -> FeatureBank:
    """The bank of ``key`` from the cache, else from ``compute``; processes that ask for the same bank wait for the first.

    ``key`` holds everything the features depend on. A damaged entry is computed anew.
    """
    return _cached("banks", key, load_bank, compute, save_bank)


@dataclass(frozen=True)
class Shelf:
    """The keeper (:class:`ganeval.features.Keeper`) of the bank of ``key``: every finding is a folder of the cache, kept as
    :func:`cached_bank` keeps banks."""

    key: Mapping[str, object]

    def keep(self, kind: str, about: Mapping[str, object], find: Callable[[], Arrays]) -> Arrays:
        """The arrays of ``kind`` from the cache, else from ``find``; processes that ask for the same wait for the first."""
        return _cached(kind, self._full(about), load_arrays, find, save_arrays)

    def known(self, kind: str) -> Arrays | None:
        """What :meth:`keep` has of a finding that is about the bank alone, or ``None``."""
        try:
            return load_arrays(home() / kind / sha256_of(self._full({})))
        except UserError:
            return None

    def _full(self, about: Mapping[str, object]) -> dict[str, object]:
        """Everything that a finding follows from."""
        return {**self.key, **about, "code": code_hash()}

    def part(self, which: Mapping[str, object]) -> Shelf:
        """The shelf of a part of the bank."""
        return Shelf({"of": self.key, "part": which})


def _cached(
    kind: str, key: dict[str, object], load: Callable[[Path], T], compute: Callable[[], T],
    save: Callable[[Path, T, dict[str, object]], None],
) -> T:  # fmt: skip
    folder = _folder_of(kind) / sha256_of(key)
    with FileLock(f"{folder}.lock"):
        if folder.exists():
            try:
                return load(folder)
            except UserError:
                if folder.is_dir():
                    shutil.rmtree(folder)
                else:
                    folder.unlink()
        found = compute()
        remove_unfinished(folder.parent, folder.name)
        save(folder, found, key)
        return found


def _folder_of(kind: str) -> Path:
    folder = home() / kind
    try:
        require_folder(folder)
    except UserError as error:
        raise UserError(f"{error}: set GANEVAL_HOME to the folder in which ganeval may keep features") from error
    return folder


def save_bank(path: Path, bank: FeatureBank, key: dict[str, object]) -> None:
    """Write ``bank`` to the new folder ``path``."""
    arrays = {"features": bank.features, "logits": bank.logits, "labels": bank.labels}
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items() if array is not None}
    save_folder(path, {"bank": tensors}, {"kind": "features", **key})


def load_bank(path: Path) -> FeatureBank:
    """Read a bank written by :func:`save_bank`, verified; raises ``UserError`` where it is anything else."""
    return bank_in(load_folder(path, ["bank"]))


def bank_in(folder: Folder) -> FeatureBank:
    """The bank in a verified folder; raises ``UserError`` where it holds anything else."""
    arrays = {name: tensor.numpy() for name, tensor in folder.tensors["bank"].items()}
    types = {"features": np.float32, "logits": np.float32, "labels": np.int64}
    wrong = [name for name, array in arrays.items() if array.dtype != types.get(name)]
    if wrong or "features" not in arrays:
        raise UserError(
            f"{folder.path} is no bank of features: {f'{wrong[0]} is not what it should be' if wrong else 'it has none'}"
        )
    try:
        return FeatureBank(arrays["features"], arrays.get("logits"), arrays.get("labels"))
    except MetricError as error:
        raise UserError(f"{folder.path}: {error}") from error


def is_bank(path: Path) -> bool:
    """Whether ``path`` looks like a folder of :func:`save_bank` (nothing is verified)."""
    if not is_folder(path):
        return False
    try:
        manifest: Any = json.loads((path / MANIFEST).read_bytes())
        return bool(manifest["record"]["kind"] == "features")
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def save_arrays(path: Path, arrays: Arrays, key: dict[str, object]) -> None:
    """Write ``arrays`` to the new folder ``path``."""
    save_folder(path, {"found": {name: torch.from_numpy(array) for name, array in arrays.items()}}, {"kind": "finding", **key})


def load_arrays(path: Path) -> Arrays:
    """Read what :func:`save_arrays` wrote, verified; raises ``UserError`` where it is anything else."""
    return {name: tensor.numpy() for name, tensor in load_folder(path, ["found"]).tensors["found"].items()}
