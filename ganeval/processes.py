"""Several processes that train one model together, as ``torchrun`` starts them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.rendezvous import rendezvous

from ganeval.errors import UserError

T = TypeVar("T")

PATIENCE = timedelta(days=1)
"""How long the others wait while the first process scores a checkpoint. One that dies is noticed at once, by torchrun."""


@dataclass(frozen=True)
class Processes:
    """This process is number ``rank`` of ``count``. What a single one would do costs nothing where there is only one."""

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and talks."""
        return self.rank == 0

    def share(self, rows: Tensor) -> Tensor:
        """This process's rows of those of all (count * N, ...): (N, ...), in the order of ranks."""
        own = len(rows) // self.count
        return rows[self.rank * own : (self.rank + 1) * own] if self.count > 1 else rows

    def mean(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The means over the processes of scalars that each of them has."""
        if self.count == 1:
            return dict(values)
        total = torch.stack([value.detach().double() for value in values.values()])
        dist.all_reduce(total)
        return dict(zip(values, total / self.count, strict=True))

    def largest(self, number: int, device: torch.device) -> int:
        """The largest of the numbers of all processes; ``device`` is where they meet."""
        if self.count == 1:
            return number
        found = torch.tensor(number, device=device)
        dist.all_reduce(found, dist.ReduceOp.MAX)
        return int(found)

    def together(self, action: Callable[[], T]) -> T:
        """What ``action`` gives. Where it raises ``UserError`` in one process, that is raised in all; nobody waits in vain."""
        if self.count == 1:
            return action()
        mistake: str | None = None
        try:
            result = action()
        except UserError as error:
            mistake = str(error)
        mistakes: list[Any] = [None] * self.count
        dist.all_gather_object(mistakes, mistake)
        for said in mistakes:
            if said is not None:
                raise UserError(said)
        return result

    def require_same(self, word: str, what: str) -> None:
        """Raise ``UserError`` in all processes where they do not all have the same ``word``, which stands for ``what``."""
        if self.count == 1:
            return
        words: list[Any] = [None] * self.count
        dist.all_gather_object(words, word)
        if len(set(words)) > 1:
            raise UserError(f"the processes of this run have not the same {what}: give all of them the same")

    @contextmanager
    def entered(self, context: AbstractContextManager[T]) -> Iterator[T]:
        """``context``, once every process could enter its own."""
        with ExitStack() as stack:
            yield self.together(lambda: stack.enter_context(context))


def local_device(device: torch.device) -> torch.device:
    """``device``, or of several GPUs the one that belongs to this process of its node."""
    if device == torch.device("cuda") and "LOCAL_RANK" in os.environ:
        return torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    return device


def launched() -> Processes:
    """The processes that ``torchrun`` started, not connected."""
    return Processes(int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1")))


@contextmanager
def joined(device: torch.device) -> Iterator[Processes]:
    """The processes that ``torchrun`` started, connected: by NCCL on GPUs, else by gloo. A single one where it started none.

    A mistake that several processes find is said by the one that finds it first; the others leave in silence, with its status.
    """
    if launched().count == 1:
        yield Processes()
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    store, rank, count = next(iter(rendezvous("env://")))
    backend = "nccl" if device.type == "cuda" else "gloo"
    dist.init_process_group(backend, store=store, rank=rank, world_size=count, timeout=PATIENCE)
    try:
        yield Processes(rank, count)
    except UserError as error:
        if _said_before(store):
            raise SystemExit(error.exit_status) from error
        error.mine_to_say = True
        raise
    except RuntimeError as error:  # the connection broke: because another process left with a mistake?
        if _said_before(store, mistakes=0):
            raise SystemExit(UserError.exit_status) from error
        raise
    dist.destroy_process_group()


def _said_before(store: Any, mistakes: int = 1) -> bool:
    """Whether another process has said a mistake, once ``mistakes`` of this one are counted."""
    try:
        return bool(store.add("mistakes", mistakes) > mistakes)
    except RuntimeError:  # the store went with the process that kept it, which said why
        return True
