"""``ganeval classifier``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ganeval.cli.options import DEVICE


@click.group()
def classifier() -> None:
    """Classifiers, the feature extractors of datasets without one."""


@classifier.command("train", short_help="Train a classifier on a dataset.")
@click.argument("dataset")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write; it must not exist.")
@click.option("--resolution", type=click.IntRange(8), help="Of the classifier's input.  [default: the dataset's, at most 32]")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Decides weights, data order and distortions.")
@DEVICE
def classifier_train(dataset: str, out: Path, resolution: int | None, seed: int, device: str) -> None:
    """Train a small CNN on DATASET's training split, a registered name or a folder root/<class>/*.

    Use it with 'ganeval score --extractor classifier:OUT'. Its accuracy on the held-out split becomes part of its record
    and of every score card that uses it.
    """
    from ganeval.terminal import train_classifier_aloud

    click.echo(json.dumps(train_classifier_aloud(dataset, out, resolution, seed, device), indent=2))
