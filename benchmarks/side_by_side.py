"""What the benchmarks share: variants in turn, the machine they ran on, one CSV per benchmark."""

from __future__ import annotations

import csv
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

RESULTS = Path(__file__).parent / "results"

Row = Mapping[str, object]


def seconds_in_turn(repeats: int, **variants: Callable[[], object]) -> dict[str, float]:
    """The median wall time of each, in seconds; in every round each runs once, so that a disturbance strikes all."""
    taken: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(repeats):
        for name, run in variants.items():
            began = time.perf_counter()
            run()
            taken[name].append(time.perf_counter() - began)
    return {name: statistics.median(times) for name, times in taken.items()}


def machine(*packages: str) -> dict[str, object]:
    """The processor, the threads, and the versions of torch, numpy and ``packages``."""
    return {
        "cpu": _cpu(), "cores": os.cpu_count(), "threads": torch.get_num_threads(),
        **{name: _version(name) for name in ("torch", "numpy", *packages)},
    }  # fmt: skip


def _cpu() -> str:
    """Its name, and the units that decide about matrix products."""
    try:
        lines = dict(
            line.split(":", 1) for line in Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines() if ":" in line
        )
    except OSError:
        return platform.processor() or platform.machine()
    known = {key.strip(): value.strip() for key, value in lines.items()}
    units = [unit for unit in ("avx2", "avx512f", "amx_bf16") if unit in known.get("flags", "").split()]
    return " ".join([known.get("model name", platform.machine()), f"(model {known.get('model', '?')})", *units])


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "-"


def figure(value: float) -> str:
    return f"{value:.4g}"


def report(name: str, rows: Sequence[Row], quick: bool) -> None:
    """Print the table; write it to results/NAME.csv unless the sizes were only those of a smoke test."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    _write(sys.stdout, columns, rows)
    if quick:
        print("sizes of a smoke test: nothing is written", file=sys.stderr)
        return
    path = RESULTS / f"{name}.csv"
    with path.open("w", newline="") as file:
        _write(file, columns, rows)
    print(f"wrote {path}", file=sys.stderr)


def _write(file: object, columns: Sequence[str], rows: Sequence[Row]) -> None:
    writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")  # type: ignore[type-var]
    writer.writeheader()
    writer.writerows(rows)
