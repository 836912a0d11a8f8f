"""``ganeval leaderboard``."""

from __future__ import annotations

from pathlib import Path

import click

from ganeval.cli.options import PATH


@click.group()
def leaderboard() -> None:
    """Tables of scores, one CSV per dataset."""


ROOT = click.option("--root", type=PATH, default=Path("leaderboards"), show_default=True, help="Folder of the leaderboards.")


@leaderboard.command("show", short_help="Show the table of a dataset.")
@click.argument("dataset")
@ROOT
def leaderboard_show(dataset: str, root: Path) -> None:
    """Show DATASET's table, one ranking per protocol and extractor: scores of different protocols are never ranked together."""
    from ganeval.leaderboard.table import open_table, ranked
    from ganeval.terminal import show_ranking

    for title, part in ranked(open_table(root, dataset)):
        show_ranking(f"{dataset}: {title}", part)


@leaderboard.command("export", short_help="Print the table of a dataset as CSV or Markdown.")
@click.argument("dataset")
@click.option("--format", "form", type=click.Choice(["csv", "markdown"]), default="csv", show_default=True, help="How.")
@ROOT
def leaderboard_export(dataset: str, form: str, root: Path) -> None:
    """Print DATASET's table: csv with every column, markdown with what one compares."""
    from ganeval.leaderboard.table import brief, open_table, ranked, to_markdown, unranked

    table = open_table(root, dataset)
    if form == "csv":
        click.echo(table.to_csv(index=False, lineterminator="\n"), nl=False)
        return
    for title, part in ranked(table):
        click.echo(f"**{dataset}: {title}**\n\n{to_markdown(brief(part))}")
        for line in unranked(part):
            click.echo(f"{line}\n")


@leaderboard.command("add", short_help="Add the row of a score card.")
@click.argument("cards", nargs=-1, required=True, metavar="CARD...", type=PATH)
@ROOT
def leaderboard_add(cards: tuple[Path, ...], root: Path) -> None:
    """Add the rows of score cards, the JSON files of 'ganeval score --out', to the tables of their datasets.

    A row that is there stays as it is, but for values that it lacks. Nothing is added unless every CARD can be read.
    """
    from ganeval.files import require_folder
    from ganeval.leaderboard.cards import read_card
    from ganeval.leaderboard.table import add

    read = [read_card(path) for path in cards]
    require_folder(root)
    for card in read:
        path, new = add(root, card)
        click.echo(f"{'wrote the row to' if new else 'the row is already in'} {path}")
