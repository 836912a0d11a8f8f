"""Where the processes of one start meet, untroubled by what an earlier start left there.

torchrun keeps one store for all its restarts. What processes that have died wrote into it still stands there, their addresses
first of all, and a new process that reads these connects to nobody. torchrun's count of restarts cannot tell the starts apart:
every node has its own.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from uuid import uuid4

from torch.distributed import PrefixStore, Store  # type: ignore[attr-defined]  # torch has no __all__ there

from ganeval.errors import UserError

LOOK_AGAIN = 0.05
"""Seconds between two looks into the store."""
LONGEST = 1800.0
"""Seconds to wait for a process that does not come: as long as torch does."""
INVITATION = "invitation"


def fresh_part(store: Store, rank: int, count: int) -> Store:
    """The part of ``store`` that is this start's alone: the same for all its ``count`` processes, empty when they come.

    Returns once all of them know it. Raises ``UserError`` where they do not all come within half an hour.
    """
    name = _invite(store, count) if rank == 0 else _be_invited(store, rank, count)
    return PrefixStore(name, store)


def _invite(store: Store, count: int) -> str:
    """Make up a name, and tell it to whoever is there until everybody has answered to it."""
    name, invited = uuid4().hex, list[bytes]()
    arrivals = [_arrival(rank) for rank in range(1, count)]
    answers = [_answer(name, rank) for rank in range(1, count)]
    for _ in _looks():
        if store.check(answers):
            return name
        guests = store.multi_get(arrivals) if store.check(arrivals) else []
        if guests != invited:  # some may be of an earlier start: they never answer, and those who take their places do
            store.set(INVITATION, " ".join([name, *(guest.decode() for guest in guests)]))
            invited = guests
    raise _too_few(count)


def _be_invited(store: Store, rank: int, count: int) -> str:
    """The name in an invitation to this very process, answered."""
    me = uuid4().hex
    store.set(_arrival(rank), me)
    for _ in _looks():
        name, *guests = store.get(INVITATION).decode().split() if store.check([INVITATION]) else [""]
        if me in guests:
            store.set(_answer(name, rank), me)
            return name
    raise _too_few(count)


def _looks() -> Iterator[None]:
    """One after the other, with pauses, until it has taken too long."""
    began = time.monotonic()
    while time.monotonic() - began < LONGEST:
        yield
        time.sleep(LOOK_AGAIN)


def _too_few(count: int) -> UserError:
    error = UserError(f"not all of the {count} processes came within {LONGEST / 60:.0f} minutes")
    error.mine_to_say = True  # each says it: the one that did not come may be the first, which speaks for all
    return error


def _arrival(rank: int) -> str:
    return f"arrived/{rank}"


def _answer(name: str, rank: int) -> str:
    return f"{name}/answered/{rank}"
