"""Stopping on a signal: finish the step, save, and leave with the status shells expect."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType


class StopOnSignal:
    """Inside the block the first SIGINT or SIGTERM only sets ``signal``; a second one ends the process at once."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self._previous: dict[int, signal.Handlers | object] = {}

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
        self.signal = number
        signal.signal(number, signal.SIG_DFL)
