"""``ganeval sample`` and ``ganeval export``: what a checkpoint gives."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganeval.cli.options import CHECKPOINT, DEVICE, PATH, SEED, STATISTICS, TRUNCATION
from ganeval.errors import UserError

if TYPE_CHECKING:
    from ganeval.sampling import Which

LARGEST_GRID = 10_000


@click.command(short_help="Write a grid of samples as PNG.")
@click.argument("checkpoint", type=PATH)
@click.option("--grid", default="10x10", show_default=True, metavar="COLUMNSxROWS", help="One class per row.")
@click.option("--out", type=PATH, required=True, help="PNG file to write.")
@SEED
@click.option(
    "--weights", type=click.Choice(["ema", "raw"]), default="ema", show_default=True, help="The generator's average, or itself."
)
@CHECKPOINT
@STATISTICS
@TRUNCATION
@DEVICE
def sample(
    checkpoint: Path, grid: str, out: Path, seed: int, weights: str, which: Which, statistics: str | None,
    truncation: float | None, device: str,
) -> None:  # fmt: skip
    """Write a grid of samples of CHECKPOINT (or of a run), one class per row, every image from a latent of its own.

    \b
    ganeval sample checkpoints/reacgan-digits --grid 8x10 --out grid.png
    """
    from ganeval.batch_statistics import Running, parse_statistics
    from ganeval.environment import find_device
    from ganeval.files import require_apart, require_writable
    from ganeval.sampling import Manner, sample_grid
    from ganeval.sources import open_generator

    columns, rows = _grid_size(grid)
    require_apart({"--out": out}, {"CHECKPOINT": checkpoint})
    if out.suffix.lower() not in ("", ".png"):
        raise UserError(f"--out {out}: the grid is a PNG, give a name that ends in .png")
    require_writable(out)
    manner = Manner(statistics=parse_statistics(statistics) if statistics else Running(), truncation=truncation)
    generator = open_generator(checkpoint, "raw" if weights == "raw" else "ema", find_device(device), which=which)
    sample_grid(generator, columns, rows, seed, out, manner)
    click.echo(out)


def _grid_size(text: str) -> tuple[int, int]:
    size = re.fullmatch(r"([0-9]{1,5})x([0-9]{1,5})", text)
    columns, rows = (int(size[1]), int(size[2])) if size else (0, 0)
    if not 1 <= columns * rows <= LARGEST_GRID:
        raise UserError(f"--grid {text}: write COLUMNSxROWS, for example 8x10, of at most {LARGEST_GRID:,} images")
    return columns, rows


@click.command(short_help="Write a checkpoint that only samples, for publishing.")
@click.argument("checkpoint", type=PATH)
@click.argument("out", type=PATH)
@CHECKPOINT
def export(checkpoint: Path, out: Path, which: Which) -> None:
    """Write the generator of CHECKPOINT (or of a run) to the new checkpoint OUT, without what only training needs.

    It samples and scores exactly as CHECKPOINT does, and the hash of its weights is the same.
    """
    from ganeval.training.export import export as run_export

    run_export(checkpoint, out, which)
    click.echo(out)
