"""What one metric found out about a bank, kept as long as the bank lives: within a score nothing is found out twice."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from ganeval.features import FeatureBank

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
