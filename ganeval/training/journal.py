"""The log of a run as it is written: one JSON line per log step, and the same to whatever viewers there are."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from ganeval.training.early_warning import WINDOW, new_warnings
from ganeval.training.history import LOG, Line, read_lines
from ganeval.training.measure import measurements
from ganeval.training.run import RunFolder
from ganeval.training.sinks.base import Careful, Logged, Opener
from ganeval.training.state import TrainState


class Journal:
    """Use it as a context. ``say`` shows one line to a person.

    ``images_per_second`` of a line is the speed since the line before it in this process; time inside :meth:`aside`
    (evaluations) is not counted.
    """

    def __init__(
        self, run: RunFolder, openers: Mapping[str, Opener], step: int, images_per_step: int, say: Callable[[str], None]
    ) -> None:
        self.run, self.say, self.images_per_step = run, say, images_per_step
        self._lines: deque[Line] = deque(read_lines(run.path / LOG)[-WINDOW - 1 :], maxlen=WINDOW + 1)
        self._sinks = Careful(openers, Logged(run.path, run.recipe, step), say)
        self._since, self._at = time.monotonic(), step

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *exception: object) -> None:
        self._sinks.close()

    def write(self, state: TrainState, log: Mapping[str, Tensor]) -> Line:
        """Write the line of ``state``'s step: ``log`` is read from the device here, and only here. Give the line.

        A value that is not finite (of an update that was left out) is not written.
        """
        read = {name: float(value) for name, value in log.items()}
        numbers = {name: value for name, value in (read | measurements(state)).items() if math.isfinite(value)}
        numbers["images_per_second"] = round(self._speed(state.step), 1)
        numbers |= {f"{what}_updates": count for what, count in state.guard.counts.items()}
        self._lines.append({"step": state.step, **numbers})
        warnings = new_warnings(list(self._lines))
        if warnings:
            self._lines[-1]["warnings"] = warnings
        self.run.log({**self._lines[-1], "time": round(time.time(), 1)})
        self._sinks.scalars(state.step, numbers)
        for warning in warnings:
            self.warn(state.step, warning)
        return self._lines[-1]

    def warn(self, step: int, warning: str) -> None:
        """Show a warning that has been written."""
        self.say(f"warning: step {step}: {warning}")

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Numbers from elsewhere (evaluations) for the viewers."""
        self._sinks.scalars(step, values)

    def picture(self, step: int, path: Path) -> None:
        """A sample grid for the viewers."""
        self._sinks.picture(step, path)

    def aside(self, work: Callable[[], Any]) -> Any:
        """``work()``, without its seconds in the next line's speed."""
        began = time.monotonic()
        try:
            return work()
        finally:
            self._since += time.monotonic() - began

    def _speed(self, step: int) -> float:
        now = time.monotonic()
        speed = (step - self._at) * self.images_per_step / max(now - self._since, 1e-9)
        self._since, self._at = now, step
        return speed
