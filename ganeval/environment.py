"""What a run or a score was computed with, and on which device."""

from __future__ import annotations

import os
import platform
from datetime import datetime, timezone
from importlib.metadata import version

import torch

from ganeval import __version__
from ganeval.errors import UserError

UNKNOWN_MEMORY = 2**40
"""Bytes where the operating system does not say how many it has: more than one machine is likely to hold."""

PACKAGES = ("torch", "torchvision", "numpy", "scipy", "safetensors")


def environment(device: torch.device) -> dict[str, str]:
    """Versions, device and date (UTC), as plain JSON."""
    return {
        "ganeval": __version__,
        "python": platform.python_version(),
        **{package: version(package) for package in PACKAGES},
        "device": device_name(device),
        "threads": str(torch.get_num_threads()),
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def device_name(device: torch.device) -> str:
    """The device's type, and for a GPU what it is called."""
    if device.type == "cuda":
        return f"cuda: {torch.cuda.get_device_name(device)}"
    return device.type


def find_device(name: str) -> torch.device:
    """The device called ``name``; ``auto`` is cuda, else mps, else cpu. Raises ``UserError`` where it is not there.

    Of several GPUs, cuda is the one of this process's local number, where torchrun gave it one.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = local_device(torch.device(name))
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"device '{name}' is not available here: use auto, cpu, cuda, cuda:N or mps") from error
    return device


def local_device(device: torch.device) -> torch.device:
    """``device``, or of several GPUs the one that belongs to this process of its node."""
    if device == torch.device("cuda") and "LOCAL_RANK" in os.environ and torch.cuda.device_count():
        return torch.device("cuda", int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())
    return device


def memory() -> int:
    """Bytes of this machine's memory, in use or not."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # not every system has it
        return UNKNOWN_MEMORY


def require_memory(needed: int, what: str, remedy: str = "ask for fewer images") -> None:
    """Raise ``UserError`` before the work where ``what``, ``needed`` bytes at the very least, cannot be held when it is done.

    ``remedy`` says what to do.
    """
    if needed > memory():
        have = f"take {needed / 2**30:,.0f} GiB of memory, and this machine has {memory() / 2**30:,.0f}"
        raise UserError(f"{what} {have}: {remedy}")
