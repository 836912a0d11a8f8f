"""How long work says how far it is, without knowing who listens.

A caller puts a listener around the work with :func:`heard_by`; the work counts its steps with :func:`counted`. Where nobody
listens nothing happens, so a pure function stays one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

Talk = Callable[[str, int, int], None]
"""Called with what is being done, how many steps are done, and of how many."""

Thing = TypeVar("Thing")


def _nobody(what: str, done: int, total: int) -> None:
    pass


_listener: ContextVar[Talk] = ContextVar("listener", default=_nobody)


@contextmanager
def heard_by(talk: Talk) -> Iterator[None]:
    """``talk`` hears of every step that is counted inside."""
    token = _listener.set(talk)
    try:
        yield
    finally:
        _listener.reset(token)


def counted(what: str, things: Sequence[Thing]) -> Iterator[Thing]:
    """``things`` one after the other; the listener hears after each how many of them are done."""
    talk = _listener.get()
    for done, thing in enumerate(things, start=1):
        yield thing
        talk(what, done, len(things))
