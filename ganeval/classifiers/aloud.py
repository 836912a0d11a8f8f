"""Progress of a classifier's training on stderr: a bar in a terminal, a line per epoch (or ten seconds) elsewhere."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from ganeval.classifiers.training import Progress, Talk

INTERVAL = 10.0
"""Seconds between two plain lines, but for the last of a training."""


@contextmanager
def training_progress(what: str = "") -> Iterator[Talk]:
    """Something to call after every step; ``what`` begins each line."""
    console = Console(stderr=True)
    words = (TextColumn("{task.description}"), TextColumn("{task.fields[text]}"))
    columns = (*words, BarColumn(), TaskProgressColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Bar(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what or "training", total=None, text="")
        began = last = time.monotonic()
        first: int | None = None

        def talk(progress: Progress) -> None:
            nonlocal last, first, began
            if first is None:  # from here on, so that reading the images does not count
                first, began = progress.step, time.monotonic()
            epoch, epochs = math.ceil(progress.step / progress.steps_per_epoch), progress.steps // progress.steps_per_epoch
            text = f"epoch {epoch}/{epochs}  loss {progress.loss:.4f}"
            bar.update(task, total=progress.steps, completed=progress.step, text=text)
            now = time.monotonic()
            if not console.is_terminal and (now - last >= INTERVAL or progress.step == progress.steps):
                left = (progress.steps - progress.step) * (now - began) / max(progress.step - first, 1)
                console.print(f"{what + ': ' if what else ''}{text}  {left:.0f} s left", highlight=False, markup=False)
                last = now

        yield talk
