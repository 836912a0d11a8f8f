"""Score cards in files."""

from __future__ import annotations

import json
from pathlib import Path

from ganeval.errors import UserError
from ganeval.scorecard import ScoreCard


def read_card(path: Path) -> ScoreCard:
    """The card that ``ganeval score --out`` wrote to the file ``path``; raises ``UserError`` for anything else."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}") from error
    except ValueError as error:  # no UTF-8, no JSON
        raise UserError(f"{path} is no JSON file: give score cards written by 'ganeval score --out'") from error
    try:
        return ScoreCard.from_json(content)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
