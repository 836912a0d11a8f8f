"""Weights & Biases (the extra ``wandb``): one run there per run folder, gone on with when the folder's run is."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ganeval.checkpoints import sha256_of
from ganeval.errors import UserError
from ganeval.training.sinks.base import Logged, Sink

NAME = "wandb"


def wandb_of(project: str) -> Callable[[Logged], Sink]:
    """Opens a run in ``project``; raises ``UserError`` now where the package is missing, for it was asked for by name."""
    try:
        importlib.import_module("wandb")
    except ImportError as error:
        raise UserError("--wandb needs the package wandb: pip install 'ganeval[wandb]'") from error
    return lambda logged: Wandb(project, logged)


class Wandb(Sink):
    """The x axis is ``step``, logged as a value: a resumed run may write a step again, which W&B's own counter refuses."""

    name = NAME

    def __init__(self, project: str, logged: Logged) -> None:
        self._wandb: Any = importlib.import_module("wandb")
        place = f"{logged.folder.resolve()} {sha256_of(logged.recipe)}"
        self._run = self._wandb.init(
            project=project, name=logged.folder.name, id=hashlib.sha256(place.encode()).hexdigest()[:16], resume="allow",
            dir=str(logged.folder), config=logged.recipe,
        )  # fmt: skip
        self._run.define_metric("*", step_metric="step")

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        self._run.log({**values, "step": step})

    def picture(self, step: int, path: Path) -> None:
        self._run.log({"samples": self._wandb.Image(str(path)), "step": step})

    def close(self) -> None:
        self._run.finish()
