"""Where the processes of one start meet, untroubled by what an earlier start left there.

torchrun keeps one store for all its restarts. What processes that have died wrote into it still stands there, their addresses
first of all, and a new process that reads these connects to nobody. torchrun's count of restarts cannot tell the starts apart:
every node has its own.
"""

from __future__ import annotations

import time
from uuid import uuid4

from torch.distributed import PrefixStore, Store  # type: ignore[attr-defined]  # torch has no __all__ there

LOOK_AGAIN = 0.05
"""Seconds between two looks into the store."""
INVITATION = "invitation"


def fresh_part(store: Store, rank: int, count: int) -> Store:
    """The part of ``store`` that is this start's alone: the same for all its ``count`` processes, empty when they come.

    Returns once all of them know it.
    """
    name = _invite(store, count) if rank == 0 else _be_invited(store, rank)
    return PrefixStore(name, store)


def _invite(store: Store, count: int) -> str:
    """Make up a name, and tell it to whoever is there until everybody has answered to it."""
    name, invited = uuid4().hex, list[bytes]()
    arrivals = [_arrival(rank) for rank in range(1, count)]
    answers = [_answer(name, rank) for rank in range(1, count)]
    while not store.check(answers):
        guests = store.multi_get(arrivals) if store.check(arrivals) else []
        if guests != invited:  # some may be of an earlier start: they never answer, and those who take their places do
            store.set(INVITATION, " ".join([name, *(guest.decode() for guest in guests)]))
            invited = guests
        time.sleep(LOOK_AGAIN)
    return name


def _be_invited(store: Store, rank: int) -> str:
    """The name in an invitation to this very process, answered."""
    me = uuid4().hex
    store.set(_arrival(rank), me)
    while True:
        name, *guests = store.get(INVITATION).decode().split() if store.check([INVITATION]) else [""]
        if me in guests:
            store.set(_answer(name, rank), me)
            return name
        time.sleep(LOOK_AGAIN)


def _arrival(rank: int) -> str:
    return f"arrived/{rank}"


def _answer(name: str, rank: int) -> str:
    return f"{name}/answered/{rank}"
