"""Extractors by name, or by name and argument: ``digits-cnn``, ``classifier:PATH``.

Beside those of this package there are those that installed packages announce under the entry-point group
``ganeval.extractors``: name = factory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Protocol, runtime_checkable

from ganeval.errors import UserError
from ganeval.extractors.base import Extractor
from ganeval.registry import Registry

Factory = Callable[[str | None], Extractor]
"""Makes the extractor of ``name`` or ``name:argument``; the argument is what follows the colon, or ``None``."""

GROUP = "ganeval.extractors"


@runtime_checkable
class Described(Protocol):
    """A factory that says what it makes, and whether it could do so now. ``ganeval ls extractors`` shows both."""

    @property
    def description(self) -> str: ...

    def status(self) -> str: ...


@runtime_checkable
class Bundled(Protocol):
    """A factory of an extractor for any natural images, its weights inside a package: it needs no download, but the package."""

    def installed(self) -> bool: ...


class ExtractorRegistry(Registry[Factory]):
    """The factories of this package and of others. Those of others are imported when they are asked for."""

    def names(self) -> list[str]:
        return sorted({*super().names(), *(point.name for point in entry_points(group=GROUP))})

    def __iter__(self) -> Iterator[tuple[str, Factory]]:
        return iter((name, self.get(name)) for name in self.names())

    def get(self, name: str) -> Factory:
        """The factory called ``name``; raises ``UserError`` with the nearest names, for a name that is announced twice, and for a
        package that cannot be imported."""
        points = list(entry_points(group=GROUP, name=name))
        if not points:
            if name not in super().names() and Path(name).exists():
                raise UserError(f"extractor '{name}' is a path: write {_with_name(Path(name))}")
            return super().get(name)
        owners = [_owner(point) for point in points] + (["ganeval"] if name in super().names() else [])
        if len(owners) > 1:
            raise UserError(f"extractor '{name}' is announced by {' and by '.join(owners)}: uninstall all but one of them")
        return _load(points[0])

    def at_hand(self) -> list[str]:
        """The bundled extractors of ganeval that are installed. Those of others are not asked: that would import them."""
        own: list[tuple[str, object]] = [(name, Registry.get(self, name)) for name in Registry.names(self)]
        return [name for name, factory in own if isinstance(factory, Bundled) and factory.installed()]


def _with_name(path: Path) -> str:
    """How what is at ``path`` is given: a folder is a trained classifier, a file the weights of a network one has to name."""
    return f"classifier:{path}" if path.is_dir() else f"NAME:{path} with the NAME of its network (see 'ganeval ls extractors')"


def _owner(point: EntryPoint) -> str:
    return point.dist.name if point.dist else point.value


def _load(point: EntryPoint) -> Factory:
    try:
        factory = point.load()
    except Exception as error:  # whatever somebody else's module raises while it is imported
        raise UserError(f"extractor '{point.name}' of {_owner(point)} cannot be imported: {error}") from error
    if not callable(factory):
        raise UserError(f"extractor '{point.name}' of {_owner(point)}: {point.value} is no function of one argument")
    made: Factory = factory
    return made


EXTRACTORS = ExtractorRegistry("extractor", "ganeval.extractors")
"""One file in this package registers one factory; weights are read when the factory is called."""


def find_extractor(spec: str) -> Extractor:
    """The extractor ``spec`` names; raises :class:`~ganeval.errors.UserError` with the nearest names, or what is wrong
    with its weights."""
    name, colon, argument = spec.partition(":")
    made = EXTRACTORS.get(name)(argument if colon else None)
    if not isinstance(made, Extractor):
        raise UserError(f"extractor '{name}' gave {made!r:.60} instead of a ganeval.extractors.base.Extractor")
    return made
