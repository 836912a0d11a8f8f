"""``ganeval train``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from ganeval.cli.options import DEVICE, PATH
from ganeval.cli.watching import watching_habits, watching_options

if TYPE_CHECKING:
    from ganeval.precision import Precision


@click.command(short_help="Train a recipe on a dataset, or go on where it stopped.")
@click.argument("recipe")
@click.argument("dataset")
@click.argument("overrides", nargs=-1, metavar="[PART.FIELD=VALUE]...")
@click.option("--out", type=PATH, help="Run folder.  [default: runs/RECIPE-DATASET-seedN]")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Decides weights, data order and noise.")
@click.option("--steps", type=click.IntRange(0), metavar="N", help="Stop at step N (0: untrained); a later call may go on.")
@click.option("--init", type=PATH, metavar="CKPT", help="Begin with its weights, where they fit.")
@click.option("-n", "--dry-run", is_flag=True, help="Print the resolved recipe as JSON, check data and networks, write nothing.")
@click.option("--log-every", type=click.IntRange(1), default=20, show_default=True, metavar="STEPS", help="Losses.")
@click.option(
    "--snapshot-every",
    type=click.IntRange(1),
    metavar="STEPS",
    help="Grids.  [default: a 20th of the recipe's, at most 2000]",
)
@click.option(
    "--checkpoint-every",
    type=click.IntRange(1),
    metavar="STEPS",
    help="Checkpoints.  [default: as the grids]",
)
@click.option("--keep", type=click.IntRange(1), default=2, show_default=True, metavar="N", help="Checkpoints to keep.")
@click.option(
    "--precision", type=click.Choice(["fp32", "bf16", "fp16"]), default="fp32", show_default=True, help="Of the passes."
)
@click.option("--compile", "compiled", is_flag=True, help="Compile the networks with torch.compile.")
@watching_options
@DEVICE
def train(
    recipe: str, dataset: str, overrides: tuple[str, ...], out: Path | None, seed: int, steps: int | None,
    init: Path | None, dry_run: bool, log_every: int, snapshot_every: int | None, checkpoint_every: int | None, keep: int,
    precision: str, compiled: bool, device: str, **watching: Any,
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
    from ganeval.processes import connected, launched
    from ganeval.training.engine import Engine
    from ganeval.training.loop import Habits
    from ganeval.training.loop import train as run_training
    from ganeval.training.plan import describe, resolve

    habits = Habits(log_every, snapshot_every or 0, checkpoint_every or 0, keep, **watching_habits(**watching))
    if dry_run:
        where = find_device(device)
        resolved, data = resolve(recipe, dataset, overrides)
        engine = Engine(where, cast("Precision", precision), compiled, launched())
        engine.check(resolved)
        if engine.processes.first:
            click.echo(json.dumps(describe(resolved, data, engine), indent=2))
        return
    with connected(lambda: find_device(device)) as processes:
        assert processes.device is not None  # it was asked for
        resolved, data = resolve(recipe, dataset, overrides)
        engine = Engine(processes.device, cast("Precision", precision), compiled, processes)
        folder = out or Path("runs") / f"{recipe}-{data.name}-seed{seed}"
        outcome = run_training(resolved, data, folder, seed=seed, engine=engine, steps=steps, habits=habits, init=init)
    if processes.first:
        click.echo(f"{outcome.folder}  step {outcome.step}{_what_now(outcome.step, steps, outcome.exit_status)}", err=True)
        click.echo(outcome.folder / "checkpoints" / f"step-{outcome.step:08d}")
    sys.exit(outcome.exit_status)


def _what_now(step: int, wanted: int | None, exit_status: int) -> str:
    """What a person would ask about the step that was reached, and nothing where it is the one that was wanted."""
    if exit_status:
        return ": stopped and saved, the same command goes on"
    return f": beyond --steps {wanted} already, nothing was done" if wanted is not None and step > wanted else ""
