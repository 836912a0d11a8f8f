"""The processes at one score: every one extracts its share of the images, the first computes, writes and prints.

What they exchange are features, on the CPU, and words (:mod:`ganeval.processes`). Every exchange of features begins with words,
so that an error in one process ends all.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from ganeval.errors import UserError, user_errors
from ganeval.processes import ElsewhereError, Processes, connected, lost_connections

if TYPE_CHECKING:
    from torch import Tensor

ALONE = Processes()
_current: ContextVar[Processes] = ContextVar("team", default=ALONE)


def current_team() -> Processes:
    """The processes of the surrounding :func:`team`; outside of one, this process alone."""
    return _current.get()


@contextmanager
def team() -> Iterator[Processes]:
    """The processes that ``torchrun`` started, or just this one, for the scores inside; all leave when all are done.

    A ``UserError`` that one of them raises inside ends all of them: the others raise it at their next exchange.
    """
    with connected() as processes:
        token = _current.set(processes)
        try:
            with user_errors():
                yield processes
            processes.exchange(None)
        except ElsewhereError:
            raise
        except UserError as error:
            processes.tell(error)
            raise
        finally:
            _current.reset(token)


def part_of(team: Processes, count: int, unit: int) -> tuple[int, int]:
    """From where to where this process's part of ``count`` things goes, in whole units but for the last."""
    units = -(-count // unit)
    start, stop = (-(-units * rank // team.count) * unit for rank in (team.rank, team.rank + 1))
    return min(start, count), min(stop, count)


def rows_to_first(team: Processes, rows: Tensor) -> Tensor:
    """The rows (n, ...) of all processes in order, for the first one; the others get their own back."""
    if team.count == 1:
        return rows
    import torch
    import torch.distributed as dist

    kinds = team.exchange((tuple(rows.shape), rows.dtype))
    if not team.first:
        if len(rows):
            with lost_connections():
                dist.send(rows.contiguous(), 0, group=team.words)
        return rows
    parts = [rows, *(torch.empty(shape, dtype=dtype) for shape, dtype in kinds[1:])]
    for rank, part in enumerate(parts[1:], start=1):
        if len(part):
            with lost_connections():
                dist.recv(part, rank, group=team.words)
    return torch.cat([part for part in parts if len(part)])
