"""Several processes at one score, as ``torchrun`` starts them: every one extracts its share, the first computes and speaks.

What is exchanged are features, small messages and errors, all on the CPU; gloo carries them whatever computes the images. Every
exchange begins with a word from each process, so that an error in one of them ends all, and is told once.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from ganeval.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor
    from torch.distributed import ProcessGroup

Thing = TypeVar("Thing")

PATIENCE = timedelta(days=30)
"""How long a process waits for another: as long as a third one may compute what all need. One that dies is noticed at once."""


def leads() -> bool:
    """Whether this process is the one of its kind that prints and writes; known before anything is imported."""
    return os.environ.get("RANK", "0") == "0"


class ElsewhereError(UserError):
    """What went wrong in another process."""


@dataclass(frozen=True)
class Team:
    """The processes at one score: this one is number ``rank`` of ``size``; ``group`` is ``None`` for a single one."""

    rank: int
    size: int
    group: ProcessGroup | None

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def share(self, count: int, unit: int) -> tuple[int, int]:
        """From where to where this process's part of ``count`` things goes, in whole units but for the last."""
        units = -(-count // unit)
        start, stop = (-(-units * rank // self.size) * unit for rank in (self.rank, self.rank + 1))
        return min(start, count), min(stop, count)

    def exchange(self, word: Thing) -> list[Thing]:
        """The word of every process, in order. Raises :class:`ElsewhereError` where one of them has an error to tell."""
        return self._exchange(word, None)

    def tell(self, error: UserError) -> None:
        """Say at the others' next exchange that this process has failed."""
        self._exchange(None, str(error))

    def from_leader(self, word: Thing | None) -> Thing:
        """The leader's word; what the others say is not listened to."""
        first = self.exchange(word if self.leads else None)[0]
        assert first is not None
        return first

    def rows_to_leader(self, rows: Tensor) -> Tensor:
        """The rows (n, ...) of all processes in order, for the leader; the others get their own back."""
        import torch
        import torch.distributed as dist

        if self.group is None:
            return rows
        kinds = self.exchange((tuple(rows.shape), rows.dtype))
        if not self.leads:
            if len(rows):
                dist.send(rows.contiguous(), 0, group=self.group)
            return rows
        parts = [rows]
        for rank, (shape, dtype) in enumerate(kinds[1:], start=1):
            if shape[0]:
                parts.append(torch.empty(shape, dtype=dtype))
                dist.recv(parts[-1], rank, group=self.group)
        return torch.cat([part for part in parts if len(part)])

    def _exchange(self, word: Thing, error: str | None) -> list[Thing]:
        if self.group is None:
            return [word]
        import torch.distributed as dist

        said: list[Any] = [None] * self.size
        try:
            dist.all_gather_object(said, (word, error), group=self.group)
        except (RuntimeError, pickle.UnpicklingError) as broken:
            raise ElsewhereError("another process of this score has ended: its own message says why") from broken
        errors = [told for _, told in said if told is not None]
        if errors and error is None:
            raise ElsewhereError(errors[0])
        return [each for each, _ in said]


ALONE = Team(0, 1, None)
_current: ContextVar[Team | None] = ContextVar("team", default=None)


def current_team() -> Team:
    """The team of the surrounding :func:`team`; outside of one, this process alone."""
    return _current.get() or ALONE


@contextmanager
def team() -> Iterator[Team]:
    """The team that ``torchrun`` started this process in, or just this process. Each takes the GPU of its local number.

    An error that one process raises inside ends all of them; the leader raises it whoever found it.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield current_team()
        return
    import torch
    import torch.distributed as dist

    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count())
    own = not dist.is_initialized()
    if own:
        dist.init_process_group("gloo", timeout=PATIENCE)
    group: Any = dist.new_group(backend="gloo", timeout=PATIENCE)  # a group of the user's may have another backend
    together = Team(dist.get_rank(), dist.get_world_size(), group)
    token = _current.set(together)
    try:
        yield together
        together.exchange(None)  # nobody leaves before all are done
    except ElsewhereError:
        raise
    except UserError as error:
        together.tell(error)
        raise
    finally:
        _current.reset(token)
        if own:
            dist.destroy_process_group()


def joined(parts: Sequence[Thing]) -> Thing:
    """The one thing that all processes must agree on. Raises :class:`UserError` where they do not."""
    if any(part != parts[0] for part in parts):
        raise UserError("the processes of this score see different files or options: give all of them the same")
    return parts[0]
