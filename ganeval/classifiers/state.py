"""A classifier's training that survives a kill: a folder beside the classifier-to-be holds its last checkpoint."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from torch import Tensor

from ganeval.checkpoints import Folder, Tensors, load_folder, save_folder
from ganeval.classifiers.recipe import Net
from ganeval.errors import UserError
from ganeval.files import disk_errors, remove_unfinished, require_folder
from ganeval.recipes.schema import difference

KIND = "classifier-training"


@dataclass
class TrainingState:
    """The network, its optimizer, and how many updates are done."""

    net: Net
    optimizer: torch.optim.Optimizer
    step: int = 0

    def tensors(self) -> dict[str, Tensors]:
        """All that the next step depends on, beside the recipe and the images."""
        moments = {
            f"{index}.{name}": value
            for index, state in self.optimizer.state_dict()["state"].items()
            for name, value in state.items()
            if isinstance(value, Tensor)
        }
        return {"network": dict(self.net.state_dict()), "optimizer": moments}

    def load(self, folder: Folder) -> None:
        """Take over what :meth:`tensors` gave."""
        self.net.load_state_dict(folder.tensors["network"])
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in folder.tensors["optimizer"].items():
            index, _, name = key.partition(".")
            state.setdefault(int(index), {})[name] = value
        self.optimizer.load_state_dict({"state": state, "param_groups": self.optimizer.state_dict()["param_groups"]})
        self.step = int(folder.record["step"])


class Workshop:
    """The folder ``OUT.training``: the latest ``step-*`` checkpoint of the training that will become ``OUT``. It goes then.

    Use it as a context: it holds a lock, so that two processes never train one classifier. ``identity`` is what the training
    is, as plain JSON; another one in the same place is refused with what differs.
    """

    def __init__(self, out: Path, identity: dict[str, Any]) -> None:
        self.out, self.identity = out, identity
        self.path = out.with_name(f"{out.name}.training")
        self._lock = FileLock(self.path / ".lock")

    def __enter__(self) -> Workshop:
        require_folder(self.path)
        with disk_errors(self.path):
            try:
                self._lock.acquire(timeout=0)
            except Timeout as error:
                raise UserError(f"another process is training {self.out}: wait for it or choose another --out") from error
        return self

    def __exit__(self, *exception: object) -> None:
        if self.out.exists() or not any(self.path.glob("step-*")):
            shutil.rmtree(self.path, ignore_errors=True)
        self._lock.release()

    def resume(self, state: TrainingState) -> None:
        """Load the latest checkpoint into ``state``; without one, do nothing."""
        saved = sorted(self.path.glob("step-*"))
        if not saved:
            return
        try:
            folder = load_folder(saved[-1])
        except UserError as error:
            raise UserError(f"{error}; remove {self.path} to train from the beginning") from error
        changes = difference(folder.record.get("training"), self.identity)
        if changes:
            raise UserError(f"{self.path} holds another training ({told(changes)}): choose another --out or remove it")
        state.load(folder)

    def save(self, state: TrainingState) -> None:
        """Write a checkpoint, and only then remove the older ones."""
        path = self.path / f"step-{state.step:08d}"
        older = [found for found in self.path.glob("step-*") if found != path]
        remove_unfinished(self.path)
        if not path.exists():
            save_folder(path, state.tensors(), {"kind": KIND, "step": state.step, "training": self.identity})
        for old in older:
            shutil.rmtree(old, ignore_errors=True)


def told(changes: list[str]) -> str:
    """The first of the changes that :func:`ganeval.recipes.schema.difference` found, for one line."""
    shown = "; ".join(change.removeprefix("recipe.") for change in changes[:4])
    return f"{shown} and {len(changes) - 4} more" if len(changes) > 4 else shown
