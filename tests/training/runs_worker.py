"""One of the processes of test_shared_runs.py: `runs_worker.py FOLDER RANK WORLD` trains every run of JOBS in FOLDER.

What each ended with in this process is written to `NAME.RANK.json`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ganeval.augment.ada import ADA
from ganeval.augment.apa import APA
from ganeval.checkpoints import canonical_json, sha256_of
from ganeval.conditioning.acgan import ACGAN
from ganeval.conditioning.d2dce import D2DCE
from ganeval.conditioning.tac import TAC
from ganeval.data.registry import find_dataset
from ganeval.errors import UserError
from ganeval.losses.adversarial.hinge import Hinge
from ganeval.losses.regularizers.lecam import LeCam
from ganeval.losses.regularizers.mutual_information import MutualInformation
from ganeval.losses.regularizers.r1 import R1
from ganeval.networks.big_resnet import BigGAN
from ganeval.networks.resnet import ResNet
from ganeval.processes import Processes, join_group, leave_group
from ganeval.recipes.recipe import EMA, Data, Recipe, Schedule
from ganeval.training import loop, step
from ganeval.training.engine import Engine
from ganeval.training.evaluation import Evaluation
from ganeval.training.loop import Habits, train
from ganeval.training.non_finite import Skip
from ganeval.training.plan import resolve
from ganeval.training.state import TrainState

STEPS = 4
HABITS = Habits(log_every=1, snapshot_every=1000, checkpoint_every=1000)
PLAIN = Recipe(
    method="tiny",
    data=Data("digits", 16),
    backbone=BigGAN(z_dim=6, shared_dim=4, g_channels=2, d_channels=2, d_attention=(1,), g_attention=(1,)),
    conditioning=D2DCE(embed_dim=4),
    adversarial=Hinge(),
    schedule=Schedule(steps=STEPS, batch_size=8, d_steps=2),
    ema=EMA(decay=0.9, start=1),
    augmentation=ADA(initial_p=0.5, interval=3, kimg=1),
    regularizers=(LeCam(start=0),),
)
RECIPES = {
    "ada-lecam": PLAIN,
    "apa-batch-norm-r1": replace(
        PLAIN,
        conditioning=ACGAN(),
        backbone=ResNet(z_dim=6, g_channels=2, d_channels=2, g_spectral_norm=True),
        augmentation=APA(initial_p=0.5, interval=3, kimg=1),
        regularizers=(R1(interval=2),),
    ),
    "info-tac-accumulated": replace(
        PLAIN,
        conditioning=TAC(D2DCE(embed_dim=4)),
        backbone=BigGAN(z_dim=6, shared_dim=4, g_channels=2, d_channels=2, code_dim=3),
        schedule=Schedule(steps=STEPS, batch_size=4, d_steps=1, accumulation=2),
        augmentation=None,
        regularizers=(MutualInformation(classes=3),),
    ),
}
SMALL_REACGAN = (
    "backbone.g_channels=2", "backbone.d_channels=2", "conditioning.embed_dim=8", "schedule.batch_size=4", "schedule.d_steps=1"
)  # fmt: skip
"""Overrides of the recipe `reacgan` for the runs that torchrun starts."""
KILLED_STEPS = 32


@dataclass(frozen=True)
class Job:
    """A call of ``train``, in float64 where ``double`` says so.

    ``poisoned`` names the network whose update of step 2 sees a NaN in the second process alone.
    """

    name: str
    recipe: Recipe
    out: str
    steps: int = STEPS
    habits: Habits = HABITS
    engine: dict[str, Any] = field(default_factory=dict)
    poisoned: str = ""
    double: bool = False


def jobs() -> Iterator[Job]:
    engines = {name: {} for name in RECIPES} | {"fp16": {"precision": "fp16"}}
    for name, engine in engines.items():
        recipe = RECIPES.get(name, PLAIN)
        yield Job(f"{name}-whole", recipe, f"{name}/whole", engine=engine)
        for stop in (2, STEPS):
            yield Job(f"{name}-{stop}", recipe, f"{name}/parts", stop, engine=engine)
    yield Job("always-two", PLAIN, "always-two", double=True)
    yield Job("began-with-two", PLAIN, "began-with-two", 2, double=True)
    yield Job("began-with-one", PLAIN, "began-with-one", double=True)
    yield Job("stop", PLAIN, "stop", habits=replace(HABITS, checkpoint_every=1), poisoned="generator")
    for network in ("generator", "discriminator"):
        yield Job(f"skip-{network}", PLAIN, f"skip-{network}", habits=replace(HABITS, on_nan=Skip(2)), poisoned=network)
    scored = replace(HABITS, evaluation=Evaluation(every=2, metrics=("is",), num=60), keep=1)
    yield Job("evaluated", PLAIN, "evaluated", habits=scored)
    yield Job("undisturbed", resolve("reacgan", "digits", SMALL_REACGAN)[0], "undisturbed", KILLED_STEPS)


@contextmanager
def in_float64() -> Iterator[None]:
    """Inside the block ``train`` computes in float64, and draws no grids."""
    originals = step.to_float, loop.save_sample_grid, loop.Journal.picture
    torch.set_default_dtype(torch.float64)
    step.to_float = lambda pixels: originals[0](pixels).double()
    loop.save_sample_grid = loop.Journal.picture = lambda *anything: None
    try:
        yield
    finally:
        step.to_float, loop.save_sample_grid, loop.Journal.picture = originals
        torch.set_default_dtype(torch.float32)


@contextmanager
def poison(network: str, here: bool) -> Iterator[None]:
    """In the update of ``network`` in step 2 what the generator draws is no number, ``here`` or only elsewhere."""
    if not network:
        yield
        return
    original = getattr(loop, f"{network}_update")

    def update(state: TrainState, *rest: Any) -> Any:
        def spoil(module: nn.Module, inputs: Any, output: Any) -> Any:
            return output * float("nan") if state.step == 2 else output

        handle = state.generator.register_forward_hook(spoil)
        try:
            return original(state, *rest)
        finally:
            handle.remove()

    setattr(loop, f"{network}_update", update if here else original)
    try:
        yield
    finally:
        setattr(loop, f"{network}_update", original)


@contextmanager
def captured() -> Iterator[list[TrainState]]:
    """The states that ``train`` makes inside the block."""
    original, states = loop.initial_state, []

    def keep(*arguments: Any) -> TrainState:
        states.append(original(*arguments))
        return states[-1]

    loop.initial_state = keep
    try:
        yield states
    finally:
        loop.initial_state = original


def fingerprint(state: TrainState) -> str:
    """Of every tensor of ``state``, to the bit, and of what its guard counted."""
    content = {f"{file}/{name}": value.tolist() for file, part in state.tensors().items() for name, value in part.items()}
    return sha256_of({"tensors": {name: repr(value) for name, value in content.items()}, "guard": state.guard.record()})


def done(job: Job, folder: Path, processes: Processes) -> dict[str, Any]:
    """Train, and say how that ended in this process."""
    engine, digits = Engine(processes=processes, **job.engine), find_dataset("digits")
    precision = in_float64() if job.double else nullcontext()
    with precision, poison(job.poisoned, here=processes.rank == 1), captured() as states:
        try:
            outcome = train(job.recipe, digits, folder / job.out, steps=job.steps, habits=job.habits, engine=engine)
        except UserError as error:
            return {"error": str(error), "status": error.exit_status, "step": states[-1].step}
    return {"error": None, "status": outcome.exit_status, "step": outcome.step, "state": fingerprint(states[-1])}


def main(folder: Path, rank: int, world: int) -> None:
    join_group("gloo", init_method=(folder / "meet").as_uri(), rank=rank, world_size=world)
    for job in jobs():
        (folder / f"{job.name}.{rank}.json").write_text(canonical_json(done(job, folder, Processes(rank, world))))
    leave_group()


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
