"""Options that several verbs share."""

from __future__ import annotations

import click

LABEL_COUNT = click.option(
    "--label-count", type=click.IntRange(1), metavar="N", help="Classes of a .pth that fits two networks; 1: none."
)
Z_DIM = click.option("--z-dim", type=click.IntRange(1), metavar="N", help="Length of its latents, where that fits two.")
DEVICE = click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:N or mps.")
