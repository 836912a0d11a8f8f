"""Feature banks on disk, found by the content they were computed from, never by a name."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import torch
from filelock import FileLock

from ganeval.checkpoints import load_folder, save_folder, sha256_of
from ganeval.errors import UserError
from ganeval.features import FeatureBank
from ganeval.files import remove_unfinished, require_folder


def home() -> Path:
    """Where ganeval keeps what it computed: ``GANEVAL_HOME``, else ``ganeval`` in the user's cache folder."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("GANEVAL_HOME") or cache / "ganeval")


def cached_bank(key: dict[str, object], compute: Callable[[], FeatureBank]) -> FeatureBank:
    """The bank of ``key`` from the cache, else from ``compute``; processes that ask for the same bank wait for the first.

    ``key`` holds everything the features depend on. A damaged entry is computed anew.
    """
    folder = _banks() / sha256_of(key)
    with FileLock(f"{folder}.lock"):
        if folder.exists():
            try:
                return load_bank(folder)
            except UserError:
                shutil.rmtree(folder)
        bank = compute()
        remove_unfinished(folder.parent, folder.name)
        save_bank(folder, bank, key)
        return bank


def _banks() -> Path:
    folder = home() / "banks"
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
    arrays = {name: tensor.numpy() for name, tensor in load_folder(path, ["bank"]).tensors["bank"].items()}
    return FeatureBank(arrays["features"], arrays.get("logits"), arrays.get("labels"))
