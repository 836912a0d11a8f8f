"""The extractor ``digits-cnn``: a classifier of the dataset ``digits`` that comes with the package.

Made by ``ganeval classifier train digits --out DIR`` (seed 0, everything else as it is by default).
"""

from __future__ import annotations

from pathlib import Path

from ganeval.errors import UserError
from ganeval.extractors.classifier import ClassifierExtractor
from ganeval.extractors.registry import EXTRACTORS

NAME = "digits-cnn"
FOLDER = Path(__file__).parent / "weights" / NAME
SHA256 = "5632dbb40df61c1e43887abb121be16e63112da0e247bf87091585157db2d660"
"""Of the folder: its record and the SHA-256 of its weights."""


def digits_cnn(argument: str | None = None) -> ClassifierExtractor:
    """The extractor, its weights verified against :data:`SHA256`; raises ``UserError`` where they are not those."""
    if argument is not None:
        raise UserError(f"extractor '{NAME}' takes no argument: write {NAME}, or classifier:PATH for a classifier of your own")
    extractor = ClassifierExtractor(FOLDER, NAME)
    if extractor.weights_sha256 != SHA256:
        raise UserError(f"{FOLDER} does not hold the weights of '{NAME}': install ganeval again")
    return extractor


EXTRACTORS.add(NAME, digits_cnn)
