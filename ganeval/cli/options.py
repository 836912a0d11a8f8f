"""Options that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ganeval.errors import UserError


class GivenPath(click.Path):
    """A path that says something: the empty one, of a variable that is not set, would be the current folder.

    A leading ``~`` is the home folder. ``-`` is refused where it does not mean stdout, rather than taken for a file's name.
    """

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from ganeval.files import from_home

        if value == "":
            self.fail("the path is empty", param, ctx)
        if value == "-" and not self.allow_dash:
            self.fail("'-' is no file: give the name of one (./- where it is called so)", param, ctx)
        return super().convert(str(from_home(value)), param, ctx)


PATH = GivenPath(path_type=Path)
STATISTICS = click.option(
    "--statistics", metavar="KIND", help="What BatchNorm normalises by: running, batch:SIZE, standing:MAX_BATCHxPASSES."
)
SEED = click.option(
    "--seed", type=click.IntRange(0, 2**64 - 1), default=0, show_default=True, help="Decides the generated images."
)
TRUNCATION = click.option(
    "--truncation", type=click.FloatRange(0, min_open=True), metavar="BOUND", help="Draw latents again until every |z| is below."
)
LABEL_COUNT = click.option(
    "--label-count", type=click.IntRange(1), metavar="N", help="Classes of a .pth that fits two networks; 1: none."
)
Z_DIM = click.option("--z-dim", type=click.IntRange(1), metavar="N", help="Length of its latents, where that fits two.")
CHECKPOINT = click.option(
    "--checkpoint",
    "which",
    type=click.Choice(["latest", "best"]),
    default="latest",
    show_default=True,
    help="Which one of a run.",
)
DEVICE = click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:N or mps.")


def with_weights(protocol: str, extractor: str | None, weights: Path | None) -> str | None:
    """The extractor, the one that the user or the protocol names, with its weights: ``NAME:FILE``."""
    from ganeval.protocols import PROTOCOLS

    if weights is None:
        return extractor
    name = extractor or PROTOCOLS.get(protocol).extractor
    if name is None or ":" in name:
        raise UserError(f"--weights {weights}: say whose weights they are with --extractor NAME, see 'ganeval ls extractors'")
    return f"{name}:{weights}"
