"""A hash of how numbers are computed: who edits a metric, or updates a library, does not meet the numbers from before."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path

from ganeval import __version__

LIBRARIES = ("numpy", "scikit-learn", "scipy", "torch")


@cache
def code_hash(*files: Path) -> str:
    """Of ganeval's metrics, the ``files`` beside them, and the versions of ganeval and the libraries below."""
    here = Path(__file__).parent
    digest = hashlib.sha256(repr([__version__, *(version(name) for name in LIBRARIES)]).encode())
    for file in (*files, here / "features.py", *sorted((here / "metrics").glob("*.py"))):
        digest.update(file.read_bytes())
    return digest.hexdigest()
