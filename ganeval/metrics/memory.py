"""What one metric found out about a bank, kept as long as the bank lives: within a score nothing is found out twice.

Arrays can be kept beyond that: what is found out about a reference serves the scores of later processes.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from ganeval.features import Arrays, FeatureBank

Found = TypeVar("Found")

_KEPT: dict[int, dict[Hashable, Any]] = {}


def remembered(bank: FeatureBank, key: Hashable, find: Callable[[], Found]) -> Found:
    """What ``find`` gives for ``bank``; asked again with the same ``key``, the same object. Banks do not change."""
    kept = _KEPT.get(id(bank))
    if kept is None:
        kept = _KEPT[id(bank)] = {}
        weakref.finalize(bank, _KEPT.pop, id(bank))
    if key not in kept:
        kept[key] = find()
    found: Found = kept[key]
    return found


def kept(bank: FeatureBank, kind: str, find: Callable[[], Arrays], **about: int | str) -> Arrays:
    """What ``find`` gives for ``bank``, remembered, and kept for later processes where the bank keeps what is found out.

    ``kind`` names the finding, and ``about`` holds everything that it follows from beside the bank.
    """
    return remembered(bank, (kind, *sorted(about.items())), lambda: bank.kept(kind, about, find))
