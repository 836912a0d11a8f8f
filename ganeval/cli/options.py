"""Options that several verbs share."""

from __future__ import annotations

import click

STATISTICS = click.option(
    "--statistics", metavar="KIND", help="What BatchNorm normalises by: running, batch:SIZE, standing:MAX_BATCHxPASSES."
)
TRUNCATION = click.option(
    "--truncation", type=click.FloatRange(0, min_open=True), metavar="BOUND", help="Draw latents again until every |z| is below."
)
LABEL_COUNT = click.option(
    "--label-count", type=click.IntRange(1), metavar="N", help="Classes of a .pth that fits two networks; 1: none."
)
Z_DIM = click.option("--z-dim", type=click.IntRange(1), metavar="N", help="Length of its latents, where that fits two.")
DEVICE = click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:N or mps.")
