"""Freed memory stays with the process where the C library can be told so, and the user's own settings stand."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys

import pytest

from ganeval.allocator import keep_freed_memory

FAULTS = """
import resource
import torch
from ganeval.allocator import keep_freed_memory

torch.set_num_threads(1)
listened = {call}

def pages():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def take():
    return [torch.ones(10 * 2**20) for _ in range(2)]  # 40 MiB each

for _ in range(5):
    take()
before = pages()
for _ in range(10):
    take()
print(int(listened), pages() - before)
"""


def _faults(call: str, **environment: str) -> tuple[bool, int]:
    """Whether the C library listened, and the page faults of taking 80 MiB ten times once it was taken before."""
    done = subprocess.run(
        [sys.executable, "-c", FAULTS.format(call=call)],
        capture_output=True,
        text=True,
        check=True,
        env={**_clean(), **environment},
    )
    listened, faults = done.stdout.split()
    return bool(int(listened)), int(faults)


def _clean() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}


def _glibc() -> bool:
    try:
        return hasattr(ctypes.CDLL(None), "gnu_get_libc_version")
    except (OSError, TypeError):
        return False


@pytest.mark.skipif(not _glibc(), reason="the setting is glibc's")
def test_taking_memory_again_costs_no_page_faults() -> None:
    listened, kept = _faults("keep_freed_memory()")
    _, given_back = _faults("False")
    assert listened
    assert given_back > 0
    assert kept < given_back / 10


@pytest.mark.parametrize("name", ["MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES"])
def test_settings_of_the_user_stand(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "131072")
    assert keep_freed_memory() is False


def test_a_library_without_the_setting_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    assert keep_freed_memory() is False
