"""Progress on stderr: a bar in a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class TrainingProgress:
    """Shows step, latest losses, images per second and the time left. ``interval`` seconds or more lie between plain lines."""

    def __init__(self, start: int, total: int, images_per_step: int, interval: float = 10.0, quiet: bool = False) -> None:
        self.console = Console(stderr=True, quiet=quiet)
        self.images_per_step, self.interval = images_per_step, interval
        self.start, self.total = start, total
        self.began = self.last_line = time.monotonic()
        self._bar = Progress(
            TextColumn("[bold]step"), MofNCompleteColumn(), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn(),
            TextColumn("{task.fields[text]}"), console=self.console,
        )  # fmt: skip
        self._losses = ""
        self._task = self._bar.add_task("train", total=total, completed=start, text="")

    def __enter__(self) -> TrainingProgress:
        if self.console.is_terminal:
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.console.is_terminal:
            self._bar.stop()

    def say(self, text: str) -> None:
        """Show one line above the bar."""
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def images_per_second(self, step: int) -> float:
        return (step - self.start) * self.images_per_step / max(time.monotonic() - self.began, 1e-9)

    def update(self, step: int, losses: Mapping[str, float] | None = None) -> None:
        """Show that ``step`` steps are done, and ``losses`` where they were read."""
        if losses is not None:
            self._losses = "".join(f"{name} {value:.3f}  " for name, value in losses.items() if name in ("d_loss", "g_loss"))
        text = f"{self._losses}{self.images_per_second(step):.0f} images/s"
        if self.console.is_terminal:
            self._bar.update(self._task, completed=step, text=text)
        elif time.monotonic() - self.last_line >= self.interval or step == self.total:
            self.last_line = time.monotonic()
            left = (self.total - step) * (self.last_line - self.began) / max(step - self.start, 1)
            self.console.print(f"step {step}/{self.total}  {text}  {left:.0f} s left", highlight=False)
