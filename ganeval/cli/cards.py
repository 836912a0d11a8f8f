"""What every verb that makes a score card does with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ganeval.scorecard import ScoreCard


def give_card(card: ScoreCard, *, as_json: bool, out: Path | None, leaderboard: Path | None, shown: bool = True) -> None:
    """Print ``card`` unless it is not ``shown``, as JSON or as a table; write it to ``out``, and its row to ``leaderboard``.

    What is written is written even where nobody reads what is printed.
    """
    try:
        _print(card, as_json, shown)
    finally:
        _keep(card, out, leaderboard)


def _print(card: ScoreCard, as_json: bool, shown: bool) -> None:
    from ganeval.checkpoints import canonical_json
    from ganeval.terminal import show_card

    if as_json:
        click.echo(canonical_json(card.to_json()), nl=False)
    elif shown:
        show_card(card)


def _keep(card: ScoreCard, out: Path | None, leaderboard: Path | None) -> None:
    from ganeval.checkpoints import canonical_json
    from ganeval.files import write_text
    from ganeval.leaderboard.table import add

    if out:
        write_text(out, canonical_json(card.to_json()))
    if leaderboard:
        path, new = add(leaderboard, card)
        click.echo(f"{'wrote the row to' if new else 'the row is already in'} {path}", err=True)
