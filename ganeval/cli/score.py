"""``ganeval score``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganeval import defaults
from ganeval.cli.cards import give_card
from ganeval.cli.options import (
    CHECKPOINT,
    DEVICE,
    LABEL_COUNT,
    PATH,
    SEED,
    STATISTICS,
    TRUNCATION,
    Z_DIM,
    GivenPath,
    with_weights,
)
from ganeval.errors import UserError

if TYPE_CHECKING:
    from ganeval.extractors.base import Precision
    from ganeval.sampling import Which
    from ganeval.scorecard import ScoreCard


@click.command(short_help="Score a checkpoint, a run, images, features or statistics.")
@click.argument("source", type=PATH)
@click.option("--protocol", default=defaults.PROTOCOL, show_default=True, help="How; see 'ganeval ls protocols'.")
@click.option("--metrics", metavar="A,B", help="Keys of 'ganeval ls metrics'.  [default: all of the protocol]")
@click.option("--dataset", metavar="NAME|PATH", help="What given images are held against.")
@click.option("--reference", type=PATH, metavar="FILE", help="Statistics (.npz) in place of its images.")
@click.option("--extractor", metavar="NAME[:PATH]", help="Instead of the dataset's own; see 'ganeval ls extractors'.")
@click.option("--weights", type=PATH, metavar="FILE", help="Of the extractor: EXTRACTOR:FILE for short.")
@click.option("--precision", type=click.Choice(["fp32", "bf16"]), default="fp32", show_default=True, help="Of the extractor.")
@click.option("--num", type=click.IntRange(1), help="Number of generated images; another than the protocol's is not ranked.")
@STATISTICS
@TRUNCATION
@SEED
@LABEL_COUNT
@Z_DIM
@click.option("--save-images", type=PATH, metavar="DIR|NPZ", help="Keep what is generated.")
@click.option("--save-features", type=PATH, metavar="DIR", help="Keep the features, to score again.")
@CHECKPOINT
@click.option("--json", "as_json", is_flag=True, help="Print the score card as JSON.")
@click.option("--out", type=PATH, help="Also write the score card to this file.")
@click.option("--leaderboard", type=PATH, metavar="DIR", help="Add the row to DIR/measured/DATASET.csv.")
@click.option(
    "--per-class",
    type=GivenPath(path_type=Path, allow_dash=True),
    metavar="FILE",
    help="Also write a table of the classes as CSV; - prints it in place of the card.",
)
@DEVICE
def score(
    source: Path, protocol: str, metrics: str | None, dataset: str | None, reference: Path | None, extractor: str | None,
    weights: Path | None, precision: Precision, num: int | None, statistics: str | None, truncation: float | None, seed: int,
    label_count: int | None, z_dim: int | None, save_images: Path | None, save_features: Path | None,
    which: Which, as_json: bool, out: Path | None, leaderboard: Path | None, per_class: Path | None,
    device: str,
) -> None:  # fmt: skip
    """Score SOURCE, one of

    \b
    checkpoint folder, run      what the generator makes; a run's latest or best
    .pth                        a generator of PyTorch-StudioGAN
    folder, .zip                images, root/<class>/* or root/*
    .npz with arr_0 or images   uint8 images; labels in arr_1 or labels
    folder of --save-features   features
    .npz with mu and sigma      statistics: the Frechet distance alone

    Exit status 0: all metrics computed; 1: a metric failed (its cell is empty, its status says why); 2: cannot be scored.

    \b
    ganeval score checkpoints/reacgan-digits
    ganeval score runs/reacgan-digits-seed0 --metrics fid,top1 --json
    ganeval score samples/ --dataset digits --leaderboard leaderboards
    ganeval score samples.npz --reference digits.npz
    """
    from ganeval.batch_statistics import parse_statistics
    from ganeval.files import require_apart, require_folder, require_writable
    from ganeval.importers.studiogan import Hints
    from ganeval.scoring import score as run_scoring
    from ganeval.sources.saving import Keep
    from ganeval.team import team
    from ganeval.terminal import extraction_progress

    printed = str(per_class) == "-"
    if printed and as_json:
        raise UserError("--json and --per-class - both print to stdout: give --per-class a file, the card holds the table too")
    table = None if printed else per_class
    written = {"--out": out, "--per-class": table, "--save-images": save_images, "--save-features": save_features}
    require_apart(written, {"SOURCE": source, "--reference": reference, "--weights": weights})
    keys = _keys(metrics) if metrics is not None else None
    with team() as processes, extraction_progress() as talk:
        if processes.first:
            for path in (out, table):
                if path:
                    require_writable(path)
            if leaderboard:
                require_folder(leaderboard)
        card = run_scoring(
            source, protocol=protocol, metrics=keys, dataset=dataset, reference=reference,
            extractor=with_weights(protocol, extractor, weights), precision=precision, num=num, seed=seed, device=device,
            keep=Keep(save_images, save_features), hints=Hints(label_count, z_dim), talk=talk,
            statistics=parse_statistics(statistics) if statistics else None, truncation=truncation,
            per_class=per_class is not None, checkpoint=which,
        )  # fmt: skip
    if not processes.first:
        return  # with 0 whatever became of the metrics: torchrun would end the one that has yet to print
    try:
        give_card(card, as_json=as_json, out=out, leaderboard=leaderboard, shown=not printed)
    finally:
        if per_class:
            _give_classes(card, table)
    sys.exit(1 if card.failed else 0)


def _give_classes(card: ScoreCard, path: Path | None) -> None:
    """Write the table of the classes to ``path``, or to stdout, and name the worst on stderr.

    What failed stands below the card; where the table is printed in its place, on stderr.
    """
    from ganeval.files import write_text
    from ganeval.per_class import to_csv, worst

    table = to_csv(card.per_class, card.extractor["name"])
    if path:
        write_text(path, table)
    else:
        click.echo(table, nl=False)
        for score in card.failed:
            click.echo(f"{score.column} {score.status}", err=True)
    names = worst(card.per_class)
    if names:
        click.echo(f"farthest from the real images of their class: {', '.join(names)}", err=True)


def _keys(text: str) -> list[str]:
    keys = [key.strip() for key in text.split(",") if key.strip()]
    if not keys:
        raise UserError(f"--metrics '{text}' names no metric: write keys such as fid,is (see 'ganeval ls metrics')")
    return keys
