"""``ganeval classifier``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from ganeval.cli.options import DEVICE, PATH


@click.group()
def classifier() -> None:
    """Classifiers: extractors for your own data."""


@classifier.command("train", short_help="Train a classifier on a dataset, or go on where it stopped.")
@click.argument("dataset")
@click.argument("overrides", nargs=-1, metavar="[PART.FIELD=VALUE]...")
@click.option("--out", type=PATH, required=True, help="Folder to write.")
@click.option("--recipe", default="small", show_default=True, help="See 'ganeval ls classifiers'.")
@click.option("--epochs", type=click.IntRange(1), metavar="N", help="Passes over the images.  [default: the recipe's]")
@click.option("--resolution", type=click.IntRange(8), help="Of the input.  [default: the dataset's, at most the recipe's]")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Decides weights, data order, augmentation.")
@DEVICE
def classifier_train(
    dataset: str, overrides: tuple[str, ...], out: Path, recipe: str, epochs: int | None, resolution: int | None, seed: int,
    device: str,
) -> None:  # fmt: skip
    """Train a classifier on DATASET's training split, a registered name or a folder root/<class>/*.

    Its accuracy on the held-out split becomes part of its record and of every score card that uses it. A checkpoint is
    written after every epoch into OUT.training; the same command again goes on there, bit for bit on the CPU.

    \b
    ganeval classifier train path/to/folder --out my-cnn
    ganeval score CKPT --extractor classifier:my-cnn
    ganeval classifier train cifar10 --recipe densenet-bc-40-40 --out am-net
    ganeval classifier train cifar10 --recipe resnet-20 optimizer.lr=0.05 --out r
    """
    from ganeval.classifiers.aloud import training_progress
    from ganeval.classifiers.recipe import find_classifier_recipe
    from ganeval.classifiers.training import Stopped, train_classifier
    from ganeval.data.registry import find_dataset
    from ganeval.environment import find_device
    from ganeval.files import require_folder

    chosen, data, where = find_classifier_recipe(recipe, *overrides, epochs=epochs), find_dataset(dataset), find_device(device)
    require_folder(out.parent)
    try:
        with training_progress() as talk:
            record = train_classifier(
                data, out=out, recipe=chosen, resolution=resolution, seed=seed, device=where, talk=talk
            )  # fmt: skip
    except Stopped as stopped:
        click.echo(f"stopped; the same command goes on from {out}.training", err=True)
        sys.exit(stopped.exit_status)
    click.echo(json.dumps(record.to_json(), indent=2))
