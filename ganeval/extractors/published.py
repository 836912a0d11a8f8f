"""Extractors whose weights are a published file: ``NAME`` finds or downloads it, ``NAME:PATH`` takes the file at PATH."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ganeval.errors import UserError
from ganeval.extractors.base import Extractor
from ganeval.extractors.weights import PublishedFile, Weights, find_weights, open_weights
from ganeval.files import from_home


@dataclass(frozen=True)
class PublishedExtractor:
    """Factory of the extractor ``name``. ``build`` makes it from its name and its weights."""

    name: str
    description: str
    file: PublishedFile
    build: Callable[[str, Weights], Extractor]

    def __call__(self, argument: str | None) -> Extractor:
        """The extractor. A file that is not the published one gives it another name, ``name@`` and the beginning of the file's
        SHA-256: what was measured with other weights must not be taken for the original. Raises ``UserError``."""
        if argument is None:
            return self.build(self.name, find_weights(self.file, self.name))
        weights = weights_at(argument, self.name)
        original = weights.sha256.startswith(self.file.sha256_prefix)
        return self.build(self.name if original else named_by_weights(self.name, weights), weights)

    def status(self) -> str:
        """Whether the weights are here."""
        return "weights are here" if self.file.here.is_file() else "weights are downloaded on first use"


def weights_at(argument: str, extractor: str) -> Weights:
    """The weights that ``EXTRACTOR:ARGUMENT`` names; raises ``UserError`` where it names no file."""
    if not argument:
        raise UserError(f"extractor '{extractor}:' lacks the path of its weights: write {extractor}:PATH")
    return open_weights(from_home(argument), extractor)


def named_by_weights(name: str, weights: Weights) -> str:
    """The name of an extractor whose weights are not known by anything but their content."""
    return f"{name}@{weights.sha256[:8]}"
