"""Stopping on a signal: finish the step, save, and leave with the status shells expect."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType

import torch

from ganeval.processes import Processes

ALONE = Processes()


class StopOnSignal:
    """Inside the block the first SIGINT or SIGTERM only sets ``signal``; a second one ends the process at once."""

    def __init__(self, processes: Processes = ALONE) -> None:
        self.processes = processes
        self.signal: int | None = None
        self._previous: dict[int, signal.Handlers | object] = {}

    def requested(self, device: torch.device) -> bool:
        """Whether any of the processes, which meet at ``device``, was told to stop: all of them hear of it in the same step."""
        told = self.processes.largest(self.signal or 0, device)
        if told:  # one that comes while the processes meet is heard in the next step
            self.signal = told
        return bool(told)

    @property
    def exit_status(self) -> int:
        """130 after SIGINT, 143 after SIGTERM, 0 without a signal."""
        return 128 + self.signal if self.signal else 0

    def __enter__(self) -> StopOnSignal:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.signal = self.signal or number  # torchrun ends the others with SIGTERM, whatever the first one was sent
        signal.signal(number, signal.SIG_DFL)
