"""What can go wrong, by who can mend it."""

from __future__ import annotations

from typing import ClassVar


class UserError(Exception):
    """A mistake of the user's: one line that says what is wrong, where, and what to do.

    The command line prints the message without a traceback and exits with ``exit_status``.
    """

    exit_status: ClassVar[int] = 2
    mine_to_say: bool = False
    """Whether several processes have agreed that this one says it; where they have not, the first one speaks."""


class MetricError(UserError):
    """A metric that cannot be computed from the arrays it was given.

    In a score it becomes the metric's status; it never becomes a number.
    """
