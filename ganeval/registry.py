"""Names for the things a user can choose, with the nearest name when one is mistyped."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

from ganeval.errors import UserError

T = TypeVar("T")


def import_all(package: str) -> None:
    """Import ``package`` and every module in it, so that whatever its files register is known."""
    for module in pkgutil.iter_modules(getattr(importlib.import_module(package), "__path__", [])):
        importlib.import_module(f"{package}.{module.name}")


def unknown(noun: str, name: str, names: Iterable[str], listing: str = "") -> UserError:
    """The error for an unknown ``name``: the nearest known names, capitals aside, or all of them."""
    known = sorted(names)
    folded = {text.casefold(): text for text in known}
    near = [folded[text] for text in difflib.get_close_matches(name.casefold(), folded, n=3, cutoff=0.5)]
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known) or 'none'}"
    return UserError(f"unknown {noun} '{name}': {hint}{listing}")


class Registry(Generic[T]):
    """Objects by name. One file in ``package`` registers one object; listing imports them all."""

    def __init__(self, noun: str, package: str) -> None:
        self.noun = noun
        self.package = package
        self._items: dict[str, T] = {}

    def add(self, name: str, item: T) -> T:
        """Register ``item``; a name that is taken raises ``ValueError``."""
        if name in self._items:
            raise ValueError(f"{self.noun} '{name}' is registered twice")
        self._items[name] = item
        return item

    def names(self) -> list[str]:
        import_all(self.package)
        return sorted(self._items)

    def __iter__(self) -> Iterator[tuple[str, T]]:
        return iter((name, self._items[name]) for name in self.names())

    def __contains__(self, name: str) -> bool:
        return name in self.names()

    def get(self, name: str) -> T:
        """The object called ``name``; raises :class:`UserError` with the nearest names."""
        if name not in self:
            raise unknown(self.noun, name, self.names())
        return self._items[name]
