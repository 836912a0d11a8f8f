"""What can go wrong, by who can mend it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import ClassVar, TypeVar

A = TypeVar("A")
B = TypeVar("B")


class UserError(Exception):
    """A mistake of the user's: one line that says what is wrong, where, and what to do.

    The command line prints the message without a traceback and exits with ``exit_status``.
    """

    exit_status: ClassVar[int] = 2
    mine_to_say: bool | None = None
    """Whether this process, of several that raise it or hear of it, says it; ``None`` where they were not connected."""


class MetricError(UserError):
    """A metric that cannot be computed from the arrays it was given.

    In a score it becomes the metric's status; it never becomes a number.
    """


def listing(keys: Iterable[str]) -> str:
    """The first five of ``keys``, and how many more there are."""
    every = list(keys)
    return ", ".join(every[:5]) + (f" and {len(every) - 5} more" if len(every) > 5 else "")


@contextmanager
def user_errors() -> Iterator[None]:
    """A file that cannot be read or written, wherever that shows (no permission, a medium that fails), as :class:`UserError`."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            raise
        raise UserError(f"{error.filename}: {(error.strerror or str(error)).lower()}") from error


def both(first: Callable[[], A], second: Callable[[], B]) -> tuple[A, B]:
    """What both give. Where both raise ``UserError``, one that says both: nobody mends the first to hear of the second."""
    try:
        found = first()
    except UserError as error:
        try:
            second()
        except UserError as other:
            raise UserError(f"{error}; beside that, {other}") from error
        raise
    return found, second()
