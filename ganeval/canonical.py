"""Dataclasses as plain JSON whose hash survives new fields: a field added later is left out where it has its default."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

T = TypeVar("T")


def later(default: T) -> T:
    """A dataclass field that was added after hashes of its class had been published.

    At ``default`` it does not enter :func:`plain`, so ``default`` must be what the class did before it had the field.
    """
    made: T = dataclasses.field(default=default, metadata={"later": True})
    return made


def plain(instance: Any) -> dict[str, Any]:
    """The fields of the dataclass ``instance`` as they are, without those marked :func:`later` that have their default."""
    found = {field: getattr(instance, field.name) for field in dataclasses.fields(instance)}
    return {field.name: value for field, value in found.items() if not (field.metadata.get("later") and value == field.default)}
