"""The command line: each verb parses, calls one function and prints. Results on stdout, talk on stderr.

Nothing but click is imported before a verb runs, so that ``--help`` answers at once.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import click

from ganeval import __version__
from ganeval.errors import UserError
from ganeval.usage import Group

LARGEST_GRID = 10_000
DEVICE = click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:N or mps.")


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, prog_name="ganeval")
@click.option("--debug", is_flag=True, help="Show the traceback behind an error message.")
def main(debug: bool) -> None:
    """Train, sample, score and compare class-conditional GANs.

    \b
    ganeval train reacgan digits              the same command again resumes
    ganeval score runs/reacgan-digits-seed0   every metric, with its uncertainty
    ganeval sample CKPT --out grid.png        a grid, one class per row
    ganeval leaderboard show digits           the table
    ganeval ls recipes                        what there is

    What was computed once is kept in the folder GANEVAL_HOME.  [default: ~/.cache/ganeval]
    """


@main.command(short_help="Train a recipe on a dataset, or go on where it stopped.")
@click.argument("recipe")
@click.argument("dataset")
@click.argument("overrides", nargs=-1, metavar="[PART.FIELD=VALUE]...")
@click.option("--out", type=click.Path(path_type=Path), help="Run folder.  [default: runs/RECIPE-DATASET-seedN]")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Decides weights, data order and noise.")
@click.option("--steps", type=click.IntRange(0), metavar="N", help="Stop at step N (0: untrained); a later call may go on.")
@click.option("--init", type=click.Path(path_type=Path), metavar="CKPT", help="Begin with its weights, where they fit.")
@click.option("-n", "--dry-run", is_flag=True, help="Print the resolved recipe as JSON, check data and networks, write nothing.")
@click.option("--log-every", type=click.IntRange(1), default=20, show_default=True, metavar="STEPS", help="Losses.")
@click.option(
    "--snapshot-every", type=click.IntRange(1), metavar="STEPS", help="Sample grids.  [default: a twentieth, at most 2000]"
)
@click.option(
    "--checkpoint-every", type=click.IntRange(1), metavar="STEPS", help="Checkpoints.  [default: a twentieth, at most 2000]"
)
@click.option("--keep", type=click.IntRange(1), default=2, show_default=True, metavar="N", help="Checkpoints to keep.")
@DEVICE
def train(
    recipe: str, dataset: str, overrides: tuple[str, ...], out: Path | None, seed: int, steps: int | None,
    init: Path | None, dry_run: bool, log_every: int, snapshot_every: int | None, checkpoint_every: int | None, keep: int,
    device: str,
) -> None:  # fmt: skip
    """Train RECIPE on DATASET, a registered name or a folder root/<class>/*.

    Every field of the recipe can be set: conditioning.temperature=0.25 schedule.batch_size=32. The same command again
    goes on where the run stopped, bit for bit on the CPU.

    \b
    ganeval train reacgan digits
    ganeval train acgan path/to/folder data.resolution=32 --steps 5000
    ganeval train reacgan digits ema.decay=0.99 --out runs/short-ema -n
    """
    from ganeval.environment import find_device
    from ganeval.training.loop import Habits
    from ganeval.training.loop import train as run_training
    from ganeval.training.plan import describe, resolve

    resolved, data = resolve(recipe, dataset, overrides)
    where = find_device(device)
    if dry_run:
        click.echo(json.dumps(describe(resolved, data), indent=2))
        return
    folder = out or Path("runs") / f"{recipe}-{data.name}-seed{seed}"
    habits = Habits(log_every, snapshot_every or 0, checkpoint_every or 0, keep)
    outcome = run_training(resolved, data, folder, seed=seed, device=where, steps=steps, habits=habits, init=init)
    click.echo(f"{outcome.folder}  step {outcome.step}", err=True)
    click.echo(outcome.folder / "checkpoints" / f"step-{outcome.step:08d}")
    sys.exit(outcome.exit_status)


@main.command(short_help="Score a checkpoint, a run or a folder of images.")
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--protocol", default="small-v1", show_default=True, help="How; see 'ganeval ls protocols'.")
@click.option("--metrics", metavar="A,B", help="Keys of 'ganeval ls metrics'.  [default: all of the protocol]")
@click.option("--dataset", metavar="NAME|PATH", help="What a folder of images is held against.")
@click.option("--extractor", metavar="NAME[:PATH]", help="Instead of the dataset's own; see 'ganeval ls extractors'.")
@click.option("--num", type=click.IntRange(1), help="Number of generated images; another than the protocol's is not ranked.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Decides the generated images.")
@click.option("--json", "as_json", is_flag=True, help="Print the score card as JSON.")
@click.option("--out", type=click.Path(path_type=Path), help="Also write the score card to this file.")
@click.option("--leaderboard", type=click.Path(path_type=Path), metavar="DIR", help="Add the row to DIR/measured/DATASET.csv.")
@DEVICE
def score(
    source: Path, protocol: str, metrics: str | None, dataset: str | None, extractor: str | None, num: int | None, seed: int,
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
    from ganeval.terminal import extraction_progress, show_card

    if out:
        require_writable(out)
    if leaderboard:
        require_folder(leaderboard)
    keys = _keys(metrics) if metrics is not None else None
    with extraction_progress() as talk:
        card = run_scoring(
            source, protocol=protocol, metrics=keys, dataset=dataset, extractor=extractor, num=num, seed=seed, device=device,
            talk=talk,
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


@main.command(short_help="Write a grid of samples as PNG.")
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("--grid", default="10x10", show_default=True, metavar="COLUMNSxROWS", help="One class per row.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="PNG file to write.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Decides the latents.")
@click.option(
    "--weights", type=click.Choice(["ema", "raw"]), default="ema", show_default=True, help="The generator's average, or itself."
)
@DEVICE
def sample(checkpoint: Path, grid: str, out: Path, seed: int, weights: str, device: str) -> None:
    """Write a grid of samples of CHECKPOINT (or a run), one class per row, every image from a latent of its own.

    \b
    ganeval sample checkpoints/reacgan-digits --grid 8x10 --out grid.png
    """
    from ganeval.environment import find_device
    from ganeval.files import require_writable
    from ganeval.sampling import sample_grid
    from ganeval.sources import open_generator

    columns, rows = _grid_size(grid)
    require_writable(out)
    generator = open_generator(checkpoint, "raw" if weights == "raw" else "ema", find_device(device))
    sample_grid(generator, columns, rows, seed, out)
    click.echo(out)


def _grid_size(text: str) -> tuple[int, int]:
    size = re.fullmatch(r"([0-9]{1,5})x([0-9]{1,5})", text)
    columns, rows = (int(size[1]), int(size[2])) if size else (0, 0)
    if not 1 <= columns * rows <= LARGEST_GRID:
        raise UserError(f"--grid {text}: write COLUMNSxROWS, for example 8x10, of at most {LARGEST_GRID:,} images")
    return columns, rows


@main.group("import")
def import_() -> None:
    """Foreign checkpoints as ganeval's own."""


@import_.command("studiogan", short_help="A generator of PyTorch-StudioGAN.")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
def import_studiogan(file: Path, out: Path) -> None:
    """Write the generator in FILE (model=G... or model=G_ema... of PyTorch-StudioGAN) to the new checkpoint OUT.

    Everything is inferred from the names and shapes of the weights: no configuration, no data, no code of the file is run.
    """
    from ganeval.importers.checkpoint import import_studiogan as run_import

    run_import(file, out)
    click.echo(out)


@main.command(short_help="Write a checkpoint that only samples, for publishing.")
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
def export(checkpoint: Path, out: Path) -> None:
    """Write the generator of CHECKPOINT (or a run) to the new checkpoint OUT, without what only training needs.

    It samples and scores exactly as CHECKPOINT does, and the hash of its weights is the same.
    """
    from ganeval.training.export import export as run_export

    run_export(checkpoint, out)
    click.echo(out)


@main.command()
@click.argument("kind", metavar="KIND", type=click.Choice(["recipes", "datasets", "protocols", "metrics", "extractors"]))
def ls(kind: str) -> None:
    """List what there is, one line each.

    KIND is one of recipes, datasets, protocols, metrics, extractors.
    """
    from ganeval.terminal import listing

    for line in listing(kind):
        click.echo(line)


@main.group()
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


@main.group()
def data() -> None:
    """Datasets, prepared once from their official archives."""


@data.command("prepare", short_help="Prepare a dataset from its official archive.")
@click.argument("name")
@click.option("--from", "source", type=click.Path(path_type=Path), metavar="PATH", help="The archive, or its unpacked folder.")
@click.option("--resolution", type=click.IntRange(4), metavar="N", help="In pixels.  [default: the dataset's own]")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Folder to write.  [default: in GANEVAL_HOME]")
def data_prepare(name: str, source: Path | None, resolution: int | None, out: Path | None) -> None:
    """Decode, crop and resize every image of NAME once, and write them with their SHA-256.

    Without --from the archive is downloaded where torchvision can: CIFAR, MNIST, SVHN, STL-10. A folder of --out is used by
    its path instead of the name. Which archive a dataset wants, and its filter: docs/datasets.md.

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


@main.group()
def leaderboard() -> None:
    """Tables of scores, one CSV per dataset."""


ROOT = click.option(
    "--root", type=click.Path(path_type=Path), default=Path("leaderboards"), show_default=True, help="Folder of the leaderboards."
)


@leaderboard.command("show", short_help="Show the table of a dataset.")
@click.argument("dataset")
@ROOT
def leaderboard_show(dataset: str, root: Path) -> None:
    """Show DATASET's table, one ranking per protocol and extractor: scores of different protocols are never ranked together."""
    from ganeval.leaderboard.table import open_table, ranked
    from ganeval.terminal import show_ranking

    for title, part in ranked(open_table(root, dataset)):
        show_ranking(f"{dataset}: {title}", part)


@leaderboard.command("export", short_help="Print the table of a dataset as CSV or Markdown.")
@click.argument("dataset")
@click.option("--format", "form", type=click.Choice(["csv", "markdown"]), default="csv", show_default=True, help="How.")
@ROOT
def leaderboard_export(dataset: str, form: str, root: Path) -> None:
    """Print DATASET's table: csv with every column, markdown with what one compares."""
    from ganeval.leaderboard.table import brief, open_table, ranked, to_markdown

    table = open_table(root, dataset)
    if form == "csv":
        click.echo(table.to_csv(index=False, lineterminator="\n"), nl=False)
        return
    for title, part in ranked(table):
        click.echo(f"**{dataset}: {title}**\n\n{to_markdown(brief(part))}")
