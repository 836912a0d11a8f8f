"""``ganeval import``: foreign checkpoints as ganeval's own."""

from __future__ import annotations

from pathlib import Path

import click

from ganeval.cli.options import LABEL_COUNT, PATH, Z_DIM


@click.group("import")
def import_() -> None:
    """Foreign checkpoints as ganeval's own."""


@import_.command("studiogan", short_help="A generator of PyTorch-StudioGAN.")
@click.argument("file", type=PATH)
@click.argument("out", type=PATH)
@LABEL_COUNT
@Z_DIM
def import_studiogan(file: Path, out: Path, label_count: int | None, z_dim: int | None) -> None:
    """Write the generator in FILE (model=G... or model=G_ema... of PyTorch-StudioGAN) to the new checkpoint OUT.

    Everything is inferred from the names and shapes of the weights: no configuration, no data, no code of the file is run.
    """
    from ganeval.importers.checkpoint import import_studiogan as run_import
    from ganeval.importers.studiogan import Hints

    run_import(file, out, Hints(label_count, z_dim))
    click.echo(out)
