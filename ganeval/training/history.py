"""What a run has written so far, line by line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ganeval.files import write_text

LOG = "log.jsonl"
EVALS = "evals.jsonl"
INCIDENTS = "incidents.jsonl"

Line = dict[str, Any]


def read_lines(path: Path) -> list[Line]:
    """The JSON objects with a ``step`` in the file at ``path``, in its order; none where it is not there.

    What is no such object (the torn last line of a killed process) is left out.
    """
    if not path.is_file():
        return []
    found = (_parsed(line) for line in path.read_text(encoding="utf-8", errors="replace").splitlines())
    return [line for line in found if line is not None]


def cut_lines(path: Path, last_step: int) -> None:
    """Drop the lines beyond ``last_step``, and torn ones."""
    if path.is_file():
        kept = [line for line in read_lines(path) if line["step"] <= last_step]
        write_text(path, "".join(f"{json.dumps(line)}\n" for line in kept))


def _parsed(text: str) -> Line | None:
    try:
        line = json.loads(text)
    except ValueError:
        return None
    whole = isinstance(line, dict) and isinstance(line.get("step"), int | float)
    return line if whole else None
