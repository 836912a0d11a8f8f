"""Extractors by name, or by name and argument: ``digits-cnn``, ``classifier:PATH``."""

from __future__ import annotations

from collections.abc import Callable

from ganeval.extractors.base import Extractor
from ganeval.registry import Registry

Factory = Callable[[str | None], Extractor]
"""Makes the extractor of ``name`` or ``name:argument``; the argument is what follows the colon, or ``None``."""

EXTRACTORS: Registry[Factory] = Registry("extractor", "ganeval.extractors")
"""One file in this package registers one factory; weights are read when the factory is called."""


def find_extractor(spec: str) -> Extractor:
    """The extractor ``spec`` names; raises :class:`~ganeval.errors.UserError` with the nearest names, or what is wrong
    with its weights."""
    name, colon, argument = spec.partition(":")
    return EXTRACTORS.get(name)(argument if colon else None)
