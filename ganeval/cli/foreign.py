"""``ganeval import``: foreign checkpoints as ganeval's own."""

from __future__ import annotations

from pathlib import Path

import click


@click.group("import")
def import_() -> None:
    """Foreign checkpoints as ganeval's own."""


@import_.command("studiogan", short_help="A generator of PyTorch-StudioGAN.")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
def import_studiogan(file: Path, out: Path) -> None:
    """Write the generator in FILE (model=G... or model=G_ema... of PyTorch-StudioGAN) to the new checkpoint OUT.

    Everything is inferred from the names and shapes of the weights: no configuration, no data, no code of the file is run.
    """
    from ganeval.importers.checkpoint import import_studiogan as run_import

    run_import(file, out)
    click.echo(out)
