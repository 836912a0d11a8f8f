"""Several processes at one piece of work, as ``torchrun`` starts them: how they connect, agree, and say once what is wrong.

They exchange words (small objects, always on the CPU) and, in training, tensors. Nothing of torch is imported before processes
connect: who prints is asked by the command line before it knows whether it needs torch.
"""

from __future__ import annotations

import gc
import os
import pickle
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from ganeval.errors import UserError, user_errors

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from torch.distributed import ProcessGroup, Store  # type: ignore[attr-defined]

T = TypeVar("T")

PATIENCE = timedelta(days=1)
"""How long a process waits for another, which may score a checkpoint meanwhile. One that dies is noticed at once."""

GRACE = 5.0
"""Seconds a process that leaves waits for the others to leave too."""

HEAD_START = 0.5
"""Seconds by which the process that says a mistake goes ahead: ``torchrun`` ends those that are left as soon as one has gone."""

NONE = "none"
"""The kind of the device that a process could not find."""

ENDED = "another process has ended: its own message, or the report of torchrun, says why"


class ElsewhereError(UserError):
    """What went wrong in another process."""


class LostError(ElsewhereError):
    """The connection to another process broke, because it has died or left."""

    def __init__(self) -> None:
        super().__init__(ENDED)


@dataclass(frozen=True)
class Processes:
    """This process is number ``rank`` of ``count``. What a single one would do costs nothing where there is only one.

    ``words`` is the group that carries words, the default one for ``None``; ``store`` is where they connected; ``device`` is
    where this one's tensors are, ``None`` where it has only words.
    """

    rank: int = 0
    count: int = 1
    words: ProcessGroup | None = field(default=None, repr=False, compare=False)
    store: Store | None = field(default=None, repr=False, compare=False)
    device: torch.device | None = field(default=None, repr=False, compare=False)

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and talks."""
        return self.rank == 0

    def exchange(self, word: T) -> list[T]:
        """The word of every process, in order. Raises :class:`ElsewhereError` where one has an error to tell, or has died."""
        return self._exchange(word, None)

    def from_first(self, word: T | None) -> T:
        """The first one's word; what the others say is not listened to."""
        heard = self.exchange(word if self.first else None)[0]
        assert heard is not None
        return heard

    def tell(self, error: UserError) -> None:
        """Say at the others' next exchange, to which :meth:`heed` calls them, that this process has failed."""
        if self.store is not None:
            with suppress(RuntimeError):  # the store went with the process that kept it
                self.store.set("told", "")
        with suppress(ElsewhereError):
            self._exchange(None, str(error))

    def heed(self) -> None:
        """Between two pieces of long work: raise what another process tells instead of letting it wait for the last piece."""
        if self.store is not None and self.store.check(["told"]):
            self.exchange(None)

    def together(self, action: Callable[[], T]) -> T:
        """What ``action`` gives. Where it raises ``UserError`` in one process, that is raised in all; nobody waits in vain."""
        try:
            result = action()
        except UserError as error:
            self.tell(error)
            raise
        self.exchange(None)
        return result

    def require_same(self, word: str, what: str) -> None:
        """Raise ``UserError`` in all processes where they do not all have the same ``word``, which stands for ``what``."""
        if len(set(self.exchange(word))) > 1:
            raise UserError(f"the processes have not the same {what}: give all of them the same")

    @contextmanager
    def entered(self, context: AbstractContextManager[T]) -> Iterator[T]:
        """``context``, once every process could enter its own."""
        with ExitStack() as stack:
            yield self.together(lambda: stack.enter_context(context))

    def share(self, rows: Tensor) -> Tensor:
        """This process's rows of those of all (count * N, ...): (N, ...), in the order of ranks."""
        own = len(rows) // self.count
        return rows[self.rank * own : (self.rank + 1) * own] if self.count > 1 else rows

    def mean(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The means over the processes of scalars that each of them has."""
        if self.count == 1:
            return dict(values)
        import torch
        import torch.distributed as dist

        total = torch.stack([value.detach().double() for value in values.values()])
        dist.all_reduce(total)
        return dict(zip(values, total / self.count, strict=True))

    def largest(self, number: int, device: torch.device) -> int:
        """The largest of the numbers of all processes; ``device`` is where they meet."""
        if self.count == 1:
            return number
        import torch
        import torch.distributed as dist

        found = torch.tensor(number, device=device)
        dist.all_reduce(found, dist.ReduceOp.MAX)
        return int(found)

    def _exchange(self, word: T, error: str | None) -> list[T]:
        if self.count == 1:
            return [word]
        import torch.distributed as dist

        said: list[Any] = [None] * self.count
        with lost_connections():
            dist.all_gather_object(said, (word, error), group=self.words)
        errors = [told for _, told in said if told is not None]
        if errors and error is None:
            raise ElsewhereError(errors[0])
        return [each for each, _ in said]


@contextmanager
def lost_connections() -> Iterator[None]:
    """A connection that breaks, because the process at its other end has died, as :class:`LostError`."""
    try:
        yield
    except (RuntimeError, pickle.UnpicklingError) as broken:
        raise LostError from broken


def launched() -> Processes:
    """The processes that ``torchrun`` started, not connected."""
    return Processes(int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1")))


@cache
def _meeting() -> tuple[Store, int, int]:
    """Where the processes find each other, this one's number, and how many they are. It lasts as long as the process does."""
    from torch.distributed.rendezvous import rendezvous

    met: tuple[Store, int, int] = next(iter(rendezvous("env://")))
    return met


@contextmanager
def connected(find_device: Callable[[], torch.device] | None = None) -> Iterator[Processes]:
    """The processes that ``torchrun`` started, connected; a single one where it started none.

    ``find_device`` says where this one's tensors are, of which there are none without it: they go by NCCL where all are on GPUs,
    else by gloo, which carries words in any case. Processes that the caller has connected stay so.

    Of a mistake, whichever processes find it or hear of it, one says it: every one raises it, in one it is ``mine_to_say``.
    """
    if launched().count == 1:
        yield Processes(device=find_device() if find_device else None)
        return
    import torch.distributed as dist

    from ganeval.meeting import fresh_part

    if dist.is_initialized():
        words: Any = dist.new_group(backend="gloo", timeout=PATIENCE)
        yield Processes(dist.get_rank(), dist.get_world_size(), words, device=find_device() if find_device else None)
        return
    met, rank, count = _meeting()
    store = fresh_part(met, rank, count)  # what was said when processes were connected before is of no account
    processes, done, lost, silent = Processes(rank, count, store=store), False, False, False
    try:
        with user_errors():
            processes = _connect(processes, find_device)
            processes.exchange(None)  # to one that is gone already, the others would try to connect for as long as they wait
            yield processes
        done = True
    except UserError as error:
        lost = isinstance(error, LostError)
        error.mine_to_say = _is_first_to_say(store)
        silent = not error.mine_to_say
        raise
    except RuntimeError as error:
        said = _was_said(store)  # by another process, which left with it and broke the connection
        if not (said or _is_broken_connection(error)):
            raise
        lost, elsewhere = True, LostError()
        elsewhere.mine_to_say = not said and _is_first_to_say(store)
        silent = not elsewhere.mine_to_say
        raise elsewhere from error
    finally:
        if not lost:
            _leave_together(store, count)
        if dist.is_initialized() and (done or processes.words is None):  # NCCL would wait for what is no longer sent
            leave_group()
        if silent:
            time.sleep(HEAD_START)


def _connect(processes: Processes, find_device: Callable[[], torch.device] | None) -> Processes:
    """These processes with their groups; raises ``UserError`` in all where one has no device, or one of another kind."""
    import torch
    import torch.distributed as dist

    rank, count, store = processes.rank, processes.count, processes.store
    assert store is not None
    kind = NONE
    try:
        device = find_device() if find_device else None
        kind = "cpu" if device is None else device.type
    finally:
        store.set(f"device/{rank}", kind)
    kinds = sorted({store.get(f"device/{other}").decode() for other in range(count)})
    if NONE in kinds:
        raise ElsewhereError(ENDED)
    if len(kinds) > 1:
        raise UserError(f"the processes have not the same kind of device ({', '.join(kinds)}): give --device one that all have")
    on_gpu = device is not None and kind == "cuda"
    if on_gpu:
        torch.cuda.set_device(device)
    join_group("nccl" if on_gpu else "gloo", store=store, rank=rank, world_size=count, timeout=PATIENCE)
    words: Any = dist.new_group(backend="gloo", timeout=PATIENCE) if on_gpu else None
    return replace(processes, words=words, device=device)


def join_group(backend: str, **where: Any) -> None:
    """Make this process one of torch's default group, which ends with :func:`leave_group`."""
    import torch.distributed.nn  # noqa: F401 - later on, the default arguments of its functions would keep the group with its threads
    from torch.distributed import init_process_group

    init_process_group(backend, **where)


def leave_group() -> None:
    """End torch's default group and its threads: one that still lets go of a tensor while Python ends would abort the process.

    The group lives for as long as a DistributedDataParallel does, which may be part of a cycle.
    """
    from torch.distributed import destroy_process_group

    gc.collect()
    destroy_process_group()


def _is_broken_connection(error: RuntimeError) -> bool:
    """Whether it is what gloo or the store say where a process they were connected to has died. NCCL's words are left as they
    are: they may as well mean this process's own GPU."""
    import torch.distributed as dist

    lost = isinstance(error, dist.DistError) or "gloo" in str(error)
    return lost and "NCCL" not in str(error)


def _is_first_to_say(store: Store) -> bool:
    """Whether no other process has said a mistake; from now on, this one has."""
    try:
        return store.add("mistakes", 1) == 1
    except RuntimeError:  # the store went with the process that kept it, which said why
        return False


def _was_said(store: Store) -> bool:
    """Whether a process has said a mistake."""
    try:
        return store.add("mistakes", 0) > 0
    except RuntimeError:
        return True


def _leave_together(store: Store, count: int) -> None:
    """Wait for the others for a moment: a connection that closes while its other end has yet to read breaks there."""
    until = time.monotonic() + GRACE
    try:
        here = store.add("leaving", 1)
        while here < count and time.monotonic() < until:
            time.sleep(0.01)
            here = store.add("leaving", 0)
    except RuntimeError:  # the store went with the process that kept it
        return
