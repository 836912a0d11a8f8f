"""A run that several processes train: the first writes it, the others follow."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ganeval.errors import UserError
from ganeval.processes import Processes
from ganeval.training.run import RunFolder
from ganeval.training.state import TrainState


class RunFollower(RunFolder):
    """Reads the checkpoint the first process will read, and writes nothing. The folder's lock is the first process's."""

    def __enter__(self) -> RunFollower:
        return self

    def __exit__(self, *exception: object) -> None:
        return

    def start(self, environment: Mapping[str, str]) -> None:
        return

    def save(self, state: TrainState, environment: Mapping[str, str]) -> Path:
        return self.checkpoint(state.step)

    def append(self, name: str, line: Mapping[str, Any]) -> None:
        return

    def point_best(self, step: int | None) -> None:
        return

    def _cut(self, step: int) -> None:
        return


def resume_together(run: RunFolder, state: TrainState, processes: Processes, device: torch.device) -> None:
    """Let every process load the latest checkpoint; raises ``UserError`` in all where one cannot, or finds another."""
    processes.together(lambda: run.resume(state))
    reached = processes.largest(state.step, device)

    def require_that_step() -> None:
        if state.step != reached:
            raise UserError(
                f"a process finds {run.path} at step {state.step} and another at step {reached}: "
                "--out must be in a file system that all nodes share"
            )

    processes.together(require_that_step)
