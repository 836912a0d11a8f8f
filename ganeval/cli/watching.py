"""The options of ``ganeval train`` that watch a run without being part of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from ganeval import defaults
from ganeval.errors import UserError

OPTIONS = (
    click.option("--eval-every", type=click.IntRange(1), metavar="STEPS", help="Score, and point 'best' to the best checkpoint."),
    click.option("--protocol", metavar="NAME", help=f"How; see 'ganeval ls protocols'.  [default: {defaults.PROTOCOL}]"),
    click.option("--eval-metrics", metavar="A,B", help="Keys of 'ganeval ls metrics'; fid is always added.  [default: all]"),
    click.option("--eval-num", type=click.IntRange(1), metavar="N", help="Generated images, instead of the protocol's number."),
    click.option("--eval-extractor", metavar="NAME[:PATH]", help="Instead of the dataset's own."),
    click.option(
        "--on-nan", default="stop", show_default=True, metavar="stop|skip:K|zero", help="A loss or gradient that is not finite."
    ),
    click.option("--tensorboard/--no-tensorboard", default=True, help="Event files in the run folder.  [default: if installed]"),
    click.option("--wandb", metavar="PROJECT", help="Also log to Weights & Biases."),
)


def watching_options(command: Callable[..., None]) -> Callable[..., None]:
    """``command`` with the options; it passes what they gave to :func:`watching_habits`."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def watching_habits(
    *, eval_every: int | None, protocol: str | None, eval_metrics: str | None, eval_num: int | None, eval_extractor: str | None,
    on_nan: str, tensorboard: bool, wandb: str | None,
) -> dict[str, Any]:  # fmt: skip
    """The fields of ``Habits`` that the options decide."""
    from ganeval.training.evaluation import Evaluation
    from ganeval.training.non_finite import parse_policy
    from ganeval.training.sinks.base import Opener
    from ganeval.training.sinks.tensorboard import TensorBoard, is_installed
    from ganeval.training.sinks.wandb import wandb_of

    alone = {"--protocol": protocol, "--eval-metrics": eval_metrics, "--eval-num": eval_num, "--eval-extractor": eval_extractor}
    idle = [name for name, value in alone.items() if value is not None]
    if idle and eval_every is None:
        raise UserError(f"{idle[0]} says how to evaluate, but not when: add --eval-every STEPS")
    metrics = None if eval_metrics is None else tuple(key.strip() for key in eval_metrics.split(",") if key.strip())
    viewers: dict[str, Opener] = {"tensorboard": TensorBoard} if tensorboard and is_installed() else {}
    if wandb is not None:
        viewers["wandb"] = wandb_of(wandb)
    evaluation = Evaluation(eval_every, protocol or defaults.PROTOCOL, metrics, eval_num, eval_extractor) if eval_every else None
    return {"evaluation": evaluation, "on_nan": parse_policy(on_nan), "viewers": viewers}
