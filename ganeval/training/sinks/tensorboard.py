"""TensorBoard: event files under ``RUN/tensorboard``; ``tensorboard --logdir runs`` shows them."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path

from ganeval.training.sinks.base import Logged, Sink

NAME = "tensorboard"


def is_installed() -> bool:
    """Whether the package ``tensorboard`` is there (the extra ``tensorboard``); nothing is imported."""
    return importlib.util.find_spec("tensorboard") is not None


class TensorBoard(Sink):
    """Scalars under the names of the log, sample grids as images. A resumed run hides the events beyond its step."""

    name = NAME

    def __init__(self, logged: Logged) -> None:
        from torch.utils.tensorboard import SummaryWriter

        purge = logged.step + 1 if logged.step else None
        self._writer = SummaryWriter(str(logged.folder / NAME), purge_step=purge)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def picture(self, step: int, path: Path) -> None:
        import numpy as np
        from PIL import Image

        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB"))
        self._writer.add_image("samples", pixels, step, dataformats="HWC")

    def close(self) -> None:
        self._writer.close()
