"""Memory that tensors give back stays with the process.

On a CPU, glibc hands large blocks back to the system as soon as they are free, and the next step asks for them again, page by
page: measured, a tenth of a float32 training step. On a GPU torch keeps what is freed by itself.
"""

from __future__ import annotations

import ctypes
import os

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""The names that glibc's ``malloc.h`` gives to the two settings."""

NEVER = -1
LARGE = 2**28
"""Bytes from which on a block still goes back at once: features of a whole set, not maps of a batch."""

LARGEST_BEFORE_2_35 = 2**25
"""What older versions of glibc take at most."""


def keep_freed_memory() -> bool:
    """Tell the C library of this process to keep what is freed. Whether it listened: glibc does, others have no such setting.

    Where the environment has settings of its own (``MALLOC_...``, ``GLIBC_TUNABLES``) they stand, and nothing is told. It costs
    memory: what is kept in pieces is not there for others.
    """
    if any(name.startswith(("MALLOC_", "GLIBC_TUNABLES")) for name in os.environ):
        return False
    try:
        tell = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # macOS; musl; Windows
        return False
    large = tell(MMAP_THRESHOLD, LARGE) or tell(MMAP_THRESHOLD, LARGEST_BEFORE_2_35)
    return bool(tell(TRIM_THRESHOLD, NEVER)) and bool(large)
