"""``ganeval data``."""

from __future__ import annotations

from pathlib import Path

import click

from ganeval.cli.options import PATH


@click.group()
def data() -> None:
    """Datasets, prepared once from their official archives."""


@data.command("prepare", short_help="Prepare a dataset from its official archive.")
@click.argument("name")
@click.option("--from", "source", type=PATH, metavar="PATH", help="The archive, or its unpacked folder.")
@click.option("--resolution", type=click.IntRange(4), metavar="N", help="In pixels.  [default: the dataset's own]")
@click.option("--out", type=PATH, metavar="DIR", help="Folder to write.  [default: in GANEVAL_HOME]")
def data_prepare(name: str, source: Path | None, resolution: int | None, out: Path | None) -> None:
    """Decode, crop and resize every image of NAME once, and write them with their SHA-256.

    Without --from the archive is downloaded where torchvision can: CIFAR, MNIST, SVHN, STL-10, CelebA. A folder of --out is
    used by its path instead of the name. Which archive a dataset wants, and its filter: docs/datasets.md.

    \b
    ganeval data prepare cifar10 --from cifar-10-python.tar.gz
    ganeval data prepare imagenet --from ILSVRC2012/ --resolution 64
    """
    from ganeval.data.prepare import prepare
    from ganeval.data.registry import find_dataset
    from ganeval.terminal import extraction_progress

    with extraction_progress() as talk:
        click.echo(prepare(find_dataset(name), source, resolution=resolution, out=out, talk=talk))


@data.command("verify", short_help="Check counts, classes and hashes of a dataset.")
@click.argument("name")
@click.option("--resolution", type=click.IntRange(4), metavar="N", help="In pixels.  [default: every one that is prepared]")
def data_verify(name: str, resolution: int | None) -> None:
    """Check counts, classes, labels and the SHA-256 of every file of NAME; one line for each split that is intact."""
    from ganeval.data.prepare import verify
    from ganeval.data.registry import find_dataset
    from ganeval.terminal import extraction_progress

    with extraction_progress() as talk:
        lines = verify(find_dataset(name), resolution, talk)
    for line in lines:
        click.echo(line)
