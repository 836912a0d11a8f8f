"""``ganeval score``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ganeval.cli.options import DEVICE, STATISTICS, TRUNCATION
from ganeval.errors import UserError


@click.command(short_help="Score a checkpoint, a run or a folder of images.")
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--protocol", default="small-v1", show_default=True, help="How; see 'ganeval ls protocols'.")
@click.option("--metrics", metavar="A,B", help="Keys of 'ganeval ls metrics'.  [default: all of the protocol]")
@click.option("--dataset", metavar="NAME|PATH", help="What a folder of images is held against.")
@click.option("--extractor", metavar="NAME[:PATH]", help="Instead of the dataset's own; see 'ganeval ls extractors'.")
@click.option("--weights", type=click.Path(path_type=Path), metavar="FILE", help="Of the extractor: EXTRACTOR:FILE for short.")
@click.option("--num", type=click.IntRange(1), help="Number of generated images; another than the protocol's is not ranked.")
@STATISTICS
@TRUNCATION
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Decides the generated images.")
@click.option("--json", "as_json", is_flag=True, help="Print the score card as JSON.")
@click.option("--out", type=click.Path(path_type=Path), help="Also write the score card to this file.")
@click.option("--leaderboard", type=click.Path(path_type=Path), metavar="DIR", help="Add the row to DIR/measured/DATASET.csv.")
@DEVICE
def score(
    source: Path, protocol: str, metrics: str | None, dataset: str | None, extractor: str | None, weights: Path | None,
    num: int | None, seed: int, statistics: str | None, truncation: float | None, as_json: bool, out: Path | None,
    leaderboard: Path | None, device: str,
) -> None:  # fmt: skip
    """Score SOURCE: a checkpoint, a run (its latest checkpoint), or a folder of images root/<class>/*.

    Exit status 0: all metrics computed; 1: a metric failed (its cell is empty, its status says why); 2: cannot be scored.

    \b
    ganeval score checkpoints/reacgan-digits
    ganeval score runs/reacgan-digits-seed0 --metrics fid,top1 --json
    ganeval score samples/ --dataset digits --leaderboard leaderboards
    """
    from ganeval.batch_statistics import parse_statistics
    from ganeval.checkpoints import canonical_json
    from ganeval.files import require_folder, require_writable, write_text
    from ganeval.leaderboard.table import add
    from ganeval.scoring import score as run_scoring
    from ganeval.terminal import extraction_progress, show_card

    if out:
        require_writable(out)
    if leaderboard:
        require_folder(leaderboard)
    keys = _keys(metrics) if metrics is not None else None
    with extraction_progress() as talk:
        card = run_scoring(
            source, protocol=protocol, metrics=keys, dataset=dataset, extractor=_with_weights(protocol, extractor, weights),
            num=num, seed=seed, device=device, talk=talk,
            statistics=parse_statistics(statistics) if statistics else None, truncation=truncation,
        )  # fmt: skip
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


def _with_weights(protocol: str, extractor: str | None, weights: Path | None) -> str | None:
    """The extractor, the one that the user or the protocol names, with its weights: ``NAME:FILE``."""
    from ganeval.protocols import PROTOCOLS

    if weights is None:
        return extractor
    name = extractor or PROTOCOLS.get(protocol).extractor
    if name is None or ":" in name:
        raise UserError(f"--weights {weights}: say whose weights they are with --extractor NAME, see 'ganeval ls extractors'")
    return f"{name}:{weights}"
