"""``ganeval score``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganeval.cli.options import DEVICE
from ganeval.errors import UserError

if TYPE_CHECKING:
    from ganeval.extractors.base import Precision


@click.command(short_help="Score a checkpoint, a run or a folder of images.")
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--protocol", default="small-v1", show_default=True, help="How; see 'ganeval ls protocols'.")
@click.option("--metrics", metavar="A,B", help="Keys of 'ganeval ls metrics'.  [default: all of the protocol]")
@click.option("--dataset", metavar="NAME|PATH", help="What a folder of images is held against.")
@click.option("--extractor", metavar="NAME[:PATH]", help="Instead of the dataset's own; see 'ganeval ls extractors'.")
@click.option("--precision", type=click.Choice(["fp32", "bf16"]), default="fp32", show_default=True, help="Of the extractor.")
@click.option("--num", type=click.IntRange(1), help="Number of generated images; another than the protocol's is not ranked.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Decides the generated images.")
@click.option("--json", "as_json", is_flag=True, help="Print the score card as JSON.")
@click.option("--out", type=click.Path(path_type=Path), help="Also write the score card to this file.")
@click.option("--leaderboard", type=click.Path(path_type=Path), metavar="DIR", help="Add the row to DIR/measured/DATASET.csv.")
@DEVICE
def score(
    source: Path, protocol: str, metrics: str | None, dataset: str | None, extractor: str | None, precision: Precision,
    num: int | None, seed: int,
    as_json: bool, out: Path | None, leaderboard: Path | None, device: str,
) -> None:  # fmt: skip
    """Score SOURCE: a checkpoint, a run (its latest checkpoint), or a folder of images root/<class>/*.

    Exit status 0: all metrics computed; 1: a metric failed (its cell is empty, its status says why); 2: cannot be scored.

    \b
    ganeval score checkpoints/reacgan-digits
    ganeval score runs/reacgan-digits-seed0 --metrics fid,top1 --json
    ganeval score samples/ --dataset digits --leaderboard leaderboards
    """
    from ganeval.checkpoints import canonical_json
    from ganeval.files import require_folder, require_writable, write_text
    from ganeval.leaderboard.table import add
    from ganeval.scoring import score as run_scoring
    from ganeval.team import leads, team
    from ganeval.terminal import extraction_progress, show_card

    if out and leads():
        require_writable(out)
    if leaderboard and leads():
        require_folder(leaderboard)
    keys = _keys(metrics) if metrics is not None else None
    with team(), extraction_progress() as talk:
        card = run_scoring(
            source, protocol=protocol, metrics=keys, dataset=dataset, extractor=extractor, num=num, seed=seed, device=device,
            talk=talk, precision=precision,
        )  # fmt: skip
    if not leads():
        return
    if as_json:
        click.echo(canonical_json(card.to_json()), nl=False)
    else:
        show_card(card)
    if out:
        write_text(out, canonical_json(card.to_json()))
    if leaderboard:
        path, new = add(leaderboard, card)
        click.echo(f"{'wrote the row to' if new else 'the row is already in'} {path}", err=True)
    sys.exit(1 if card.failed else 0)


def _keys(text: str) -> list[str]:
    keys = [key.strip() for key in text.split(",") if key.strip()]
    if not keys:
        raise UserError(f"--metrics '{text}' names no metric: write keys such as fid,is (see 'ganeval ls metrics')")
    return keys
