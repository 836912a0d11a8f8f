"""ganeval: train, sample, score and compare class-conditional GANs.

The names below are imported on first use, so that ``import ganeval`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ganeval.importers.studiogan import load_discriminator
    from ganeval.sampling import generate, load_generator
    from ganeval.scoring import score
    from ganeval.training.loop import train

__version__ = "0.1.0"
__all__ = ["__version__", "generate", "load_discriminator", "load_generator", "score", "train"]

_HOMES = {
    "generate": "ganeval.sampling",
    "load_discriminator": "ganeval.importers.studiogan",
    "load_generator": "ganeval.sampling",
    "score": "ganeval.scoring",
    "train": "ganeval.training.loop",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'ganeval' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)
