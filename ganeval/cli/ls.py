"""``ganeval ls``."""

from __future__ import annotations

import click

KINDS = ["recipes", "datasets", "protocols", "metrics", "extractors", "classifiers"]


@click.command()
@click.argument("kind", metavar="KIND", type=click.Choice(KINDS))
def ls(kind: str) -> None:
    """List what there is, one line each.

    KIND is one of recipes, datasets, protocols, metrics, extractors, classifiers.
    """
    from ganeval.terminal import listing

    for line in listing(kind):
        click.echo(line)
