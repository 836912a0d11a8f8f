"""``ganeval cas``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganeval.cli.cards import give_card
from ganeval.cli.options import CHECKPOINT, DEVICE, LABEL_COUNT, PATH, SEED, Z_DIM

if TYPE_CHECKING:
    from ganeval.sampling import Which


@click.command(short_help="Train classifiers on a source, test them on real images.")
@click.argument("source", type=PATH)
@click.argument("overrides", nargs=-1, metavar="[PART.FIELD=VALUE]...")
@click.option("--dataset", metavar="NAME|PATH", help="The real images, where SOURCE does not name them.")
@click.option("--recipe", default="resnet-20", show_default=True, help="Of every classifier; see 'ganeval ls classifiers'.")
@click.option("--epochs", type=click.IntRange(1), metavar="N", help="Passes over the images.  [default: the recipe's]")
@click.option(
    "--num", type=click.IntRange(1), help="Generated images.  [default: as many as there are to train on; else not ranked]"
)
@click.option("--seeds", type=click.IntRange(1), default=1, show_default=True, metavar="K", help="Classifiers per value.")
@SEED
@LABEL_COUNT
@Z_DIM
@CHECKPOINT
@click.option("--json", "as_json", is_flag=True, help="Print the score card as JSON.")
@click.option("--out", type=PATH, help="Also write the score card to this file.")
@click.option("--leaderboard", type=PATH, metavar="DIR", help="Add the row to DIR/measured/DATASET.csv.")
@DEVICE
def cas(
    source: Path, overrides: tuple[str, ...], dataset: str | None, recipe: str, epochs: int | None, num: int | None, seeds: int,
    seed: int, label_count: int | None, z_dim: int | None, which: Which, as_json: bool, out: Path | None,
    leaderboard: Path | None, device: str,
) -> None:  # fmt: skip
    """Classification accuracy score of SOURCE, whatever labelled images 'ganeval score' takes.

    CAS (GAN-train): a classifier learns the generated images and is tested on held-out reals. GAN-test: one learns the
    real images and is tested on the generated ones. Beside both stands its accuracy on held-out reals.

    This trains two classifiers per seed: minutes for digits, hours for CIFAR-10 on a CPU. They are kept in GANEVAL_HOME:
    the same command goes on where it stopped, and the one of the real images is trained once for all sources.

    \b
    ganeval cas checkpoints/reacgan-digits --recipe small
    ganeval cas runs/reacgan-cifar10-seed0 --seeds 3 --out cas.json
    ganeval cas samples/ --dataset cifar10 --epochs 30 optimizer.lr=0.05
    """
    from ganeval.cas import classification_accuracy_score
    from ganeval.classifiers.aloud import training_progress
    from ganeval.classifiers.recipe import find_classifier_recipe
    from ganeval.classifiers.training import Stopped
    from ganeval.files import require_apart, require_folder, require_writable
    from ganeval.importers.studiogan import Hints
    from ganeval.terminal import extraction_progress

    chosen = find_classifier_recipe(recipe, *overrides, epochs=epochs)
    require_apart({"--out": out}, {"SOURCE": source})
    if out:
        require_writable(out)
    if leaderboard:
        require_folder(leaderboard)
    try:
        card = classification_accuracy_score(
            source, dataset=dataset, recipe=chosen, num=num, trainings=seeds, seed=seed, device=device,
            hints=Hints(label_count, z_dim), checkpoint=which,
            talk_to=extraction_progress, show=training_progress,
        )  # fmt: skip
    except Stopped as stopped:
        click.echo("stopped; the same command goes on", err=True)
        sys.exit(stopped.exit_status)
    give_card(card, as_json=as_json, out=out, leaderboard=leaderboard)
