"""Where the log goes beside ``log.jsonl``: viewers that may be there or not, and that never stop a run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Logged:
    """The run whose log is shown: its folder, its recipe as JSON, and the step it goes on from (0 = from the beginning)."""

    folder: Path
    recipe: dict[str, Any]
    step: int


class Sink(ABC):
    """One viewer. ``name`` is said in warnings."""

    name: str

    @abstractmethod
    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """The numbers of one log line or one evaluation, by name."""

    @abstractmethod
    def picture(self, step: int, path: Path) -> None:
        """A sample grid, a PNG file."""

    @abstractmethod
    def close(self) -> None:
        """Write what waits."""


Opener = Callable[[Logged], Sink]
"""Opens a viewer for a run; called when the first step is about to be computed."""


class Careful:
    """Sinks that may fail: one that raises is said once, through ``say``, and then left alone."""

    def __init__(self, openers: Mapping[str, Opener], logged: Logged, say: Callable[[str], None]) -> None:
        self.say = say
        self._sinks: dict[str, Sink] = {}
        for name, opener in openers.items():
            sink = self._tried(name, lambda opener=opener: opener(logged))  # type: ignore[misc]
            if sink is not None:
                self._sinks[name] = sink

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        self._each(lambda sink: sink.scalars(step, values))

    def picture(self, step: int, path: Path) -> None:
        self._each(lambda sink: sink.picture(step, path))

    def close(self) -> None:
        self._each(lambda sink: sink.close())

    def _each(self, action: Callable[[Sink], None]) -> None:
        for name, sink in list(self._sinks.items()):
            self._tried(name, lambda sink=sink: action(sink))  # type: ignore[misc]

    def _tried(self, name: str, action: Callable[[], Any]) -> Any:
        try:
            return action()
        except Exception as error:  # whatever a viewer does wrong, training goes on
            self._sinks.pop(name, None)
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            self.say(f"warning: {name} is left out from here on: {reason}; log.jsonl is complete")
            return None
