"""What is known of the machine."""

from __future__ import annotations

import os

import pytest

from ganeval.environment import UNKNOWN_MEMORY, memory, require_memory
from ganeval.errors import UserError


def test_the_memory_is_the_machines_or_a_generous_guess(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 2**28 < memory() < 2**50
    monkeypatch.delattr(os, "sysconf")
    assert memory() == UNKNOWN_MEMORY


def test_what_just_fits_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganeval.environment.memory", lambda: 3 * 2**30)
    require_memory(3 * 2**30, "three of them")
    with pytest.raises(UserError, match=r"^four of them take 4 GiB of memory, and this machine has 3: ask for fewer images$"):
        require_memory(4 * 2**30, "four of them")
