"""Processes of several starts at one store, as torchrun's restarts leave it; threads stand for the processes."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from torch.distributed import HashStore, TCPStore  # type: ignore[attr-defined]  # torch has no __all__ there

from ganeval import meeting
from ganeval.errors import UserError
from ganeval.meeting import fresh_part

COUNT = 3


@pytest.fixture
def server() -> TCPStore:
    return TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)


def meet(server: TCPStore, order: Sequence[int]) -> list[bytes | None]:
    """What the processes, coming one after another in this ``order``, find where the first of them has left its mark."""

    def one(rank: int) -> bytes | None:
        time.sleep(0.15 * order.index(rank))
        store = TCPStore("127.0.0.1", server.port, is_master=False, timeout=timedelta(seconds=60))
        part = fresh_part(store, rank, COUNT)
        before = part.get("mark") if rank == 0 and part.check(["mark"]) else None
        if rank == 0:
            part.set("mark", f"{random.random()}")
        return before if rank == 0 else part.get("mark")

    with ThreadPoolExecutor(COUNT) as pool:
        return [done.result(timeout=120) for done in [pool.submit(one, rank) for rank in range(COUNT)]]


@pytest.mark.parametrize("orders", [((0, 1, 2), (0, 1, 2)), ((1, 2, 0), (2, 1, 0)), ((0, 2, 1), (1, 0, 2))])
def test_every_start_meets_at_a_place_of_its_own(server: TCPStore, orders: Sequence[Sequence[int]]) -> None:
    marks = []
    for order in orders:
        before, *found = meet(server, order)
        assert before is None
        assert found[0] == found[1] is not None
        marks.append(found[0])
    assert marks[0] != marks[1]


def test_one_that_came_and_died_before_the_others_is_not_waited_for(server: TCPStore) -> None:
    server.set("arrived/1", "died")
    server.set("arrived/2", "died")
    server.set("invitation", "somewhere died")
    before, *found = meet(server, (0, 1, 2))
    assert before is None
    assert found[0] == found[1] is not None


def test_who_waits_in_vain_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meeting, "LONGEST", 0.2)
    for rank in (0, 1):
        with pytest.raises(UserError, match=r"not all of the 3 processes came within 0 minutes") as raised:
            fresh_part(HashStore(), rank, 3)
        assert raised.value.mine_to_say
