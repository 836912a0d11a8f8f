"""The training loop, from the first step to the last, in the order in which things happen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch

from ganeval.checkpoints import canonical_json, load_folder, sha256_of
from ganeval.data.base import Dataset, ImageSet
from ganeval.data.limit import limit
from ganeval.environment import environment
from ganeval.errors import UserError
from ganeval.files import write_text
from ganeval.networks.base import ImageShape
from ganeval.recipes.recipe import Recipe
from ganeval.recipes.schema import to_json
from ganeval.rng import derived_seed, generator_for
from ganeval.sampling import resolve_checkpoint
from ganeval.training.engine import Engine
from ganeval.training.evaluation import Evaluation, Evaluations
from ganeval.training.follower import RunFollower, resume_together
from ganeval.training.grids import save_real_grid, save_sample_grid
from ganeval.training.journal import Journal
from ganeval.training.memory import explained, is_out_of_memory
from ganeval.training.non_finite import Guard, NonFiniteLoss, Policy, Stop, Zero
from ganeval.training.progress import TrainingProgress
from ganeval.training.run import NAN_REPORT, RunFolder, began_with
from ganeval.training.sinks.base import Opener
from ganeval.training.state import initial_state, start_from
from ganeval.training.step import Batch, RealImages, discriminator_update, generator_update, replicate
from ganeval.training.stop import StopOnSignal


@dataclass(frozen=True)
class Habits:
    """How often a run writes what, in steps; 0 = a twentieth of the run, at most 2,000. None of it changes the weights, but for
    ``on_nan`` where something is not finite."""

    log_every: int = 20
    snapshot_every: int = 0
    checkpoint_every: int = 0
    keep: int = 2
    evaluation: Evaluation | None = None
    on_nan: Policy = field(default_factory=Stop)
    viewers: Mapping[str, Opener] = field(default_factory=dict)
    """Viewers of the log by name; ``log.jsonl`` is written whatever they do."""

    def every(self, value: int, steps: int) -> int:
        return value or min(max(steps // 20, 1), 2000)


@dataclass(frozen=True)
class Outcome:
    """Where a run stands: its folder, the step reached, and the status to exit with."""

    folder: Path
    step: int
    exit_status: int


def train(
    recipe: Recipe, dataset: Dataset, out: Path, *, seed: int = 0, engine: Engine | None = None, steps: int | None = None,
    habits: Habits | None = None, init: Path | None = None,
) -> Outcome:  # fmt: skip
    """Train ``recipe`` on the training split of ``dataset`` in the run folder ``out``, or go on where it stopped.

    ``steps`` stops earlier (or later) than the recipe's schedule without being another recipe; 0 saves the untrained
    networks. On one CPU with one number of threads the weights after any step are a function of recipe, data and ``seed``:
    not of when the run was stopped and resumed. ``engine`` says how they are computed: by default on the CPU in fp32.
    ``init`` is a checkpoint (or a run) whose weights the networks begin with, where they fit; the run remembers its hash, and
    goes on without it.
    Raises ``UserError`` where ``out`` holds another run, and where a loss stops being finite.
    """
    engine, habits = engine or Engine(), habits or Habits()
    device, processes = engine.device, engine.processes
    engine.check(recipe)
    dataset.require_there(recipe.data.resolution)
    if habits.evaluation:
        habits.evaluation.require_possible(dataset)
    whole = dataset.load("train", recipe.data.resolution)
    images = limit(whole, recipe.data.fraction, recipe.data.classes)
    shape = ImageShape(images.channels, images.resolution)
    total = recipe.schedule.steps if steps is None else steps
    pace = recipe.schedule.images_per_step
    begun = began_with(out)
    beginning = load_folder(resolve_checkpoint(init)) if init and (init.exists() or not begun) else None
    identity = (
        identity_of(dataset, images, whole, seed)
        | engine.identity()
        | ({"init_sha256": beginning.sha256} if beginning else begun)
    )
    if engine.precision == "fp16" and isinstance(habits.on_nan, Zero):
        raise UserError("--on-nan zero does not go with fp16, which leaves such updates out itself: choose stop or skip:K")
    same = {"recipe": to_json(recipe), **identity, "steps": total, "on_nan": str(habits.on_nan)}
    processes.require_same(sha256_of(same), "recipe, seed, data, steps and --on-nan")
    folder = (RunFolder if processes.first else RunFollower)(out, to_json(recipe), identity, habits.keep)
    with processes.entered(folder) as run, StopOnSignal(processes) as stop:
        state = initial_state(recipe, shape, len(images.classes), seed, device)
        state.guard = Guard(habits.on_nan, run.incident)
        if beginning:
            start_from(state, beginning)
        engine.apply_to(state, recipe)
        resume_together(run, state, processes, device)
        replicas = replicate(state, recipe, processes)
        versions = environment(device) | ({"processes": str(processes.count)} if processes.count > 1 else {})
        if state.step < total or not run.latest():
            run.start(versions)
        reals = RealImages(images.images, images.labels, recipe.data.flip, derived_seed(seed, "data") >> 1, device, processes)
        if processes.first:
            save_real_grid(images, out / "grids" / "real.png")
        saved = state.step if run.latest() else -1
        viewers = habits.viewers if processes.first and state.step < total else {}

        with (
            TrainingProgress(state.step, total, pace, quiet=not processes.first) as progress,
            Journal(run, viewers, state.step, pace, progress.say) as journal,
        ):
            evaluations = Evaluations(habits.evaluation if processes.first else None, run, dataset, device, journal, stop)
            if saved == state.step and evaluations.due(state.step, state.step == total):  # cut short when it was written
                evaluations.score(run.checkpoint(saved), saved)
            while state.step < total and not stop.requested(device):
                rng = generator_for(device, seed, "step", state.step)
                try:
                    for update in range(recipe.schedule.d_steps):
                        reals_now = _real_batches(reals, recipe, state.step, update, rng)
                        log = discriminator_update(state, recipe, reals_now, rng, replicas)
                    log |= generator_update(state, recipe, _fresh_batches(reals, recipe, state.step, rng), rng, replicas)
                except RuntimeError as error:
                    if not is_out_of_memory(error):
                        raise
                    raise explained(recipe, shape, len(images.classes), engine, _what_is_kept(out, saved)) from error
                except NonFiniteLoss as error:
                    if processes.first:
                        write_text(out / NAN_REPORT, canonical_json(error.report))
                    raise UserError(f"training diverged: {error}; {_what_is_kept(out, saved)}") from error
                state.step += 1
                if state.ema:
                    state.ema.update(state.generator, state.step)

                at_end = state.step == total
                if state.step % habits.log_every == 0 or at_end:
                    progress.update(state.step, journal.write(state, log))
                else:
                    progress.update(state.step)
                evaluate = evaluations.due(state.step, at_end)
                if state.step % habits.every(habits.checkpoint_every, recipe.schedule.steps) == 0 or at_end or evaluate:
                    checkpoint = run.save(state, versions)
                    saved = state.step
                    if evaluate:
                        evaluations.score(checkpoint, state.step)
                shown = state.step % habits.every(habits.snapshot_every, recipe.schedule.steps) == 0 or at_end
                if shown and processes.first:
                    grid = out / "grids" / f"step-{state.step:08d}.png"
                    save_sample_grid(state, recipe, images, grid)
                    journal.picture(state.step, grid)

        if saved != state.step:
            run.save(state, versions)
        return Outcome(out, state.step, stop.exit_status)


def _what_is_kept(out: Path, saved: int) -> str:
    """Of a run that ends by a mistake, whose last checkpoint is of the step ``saved``, -1 where there is none."""
    return f"the checkpoint of step {saved} is kept in {out}" if saved >= 0 else "no checkpoint was written yet"


def identity_of(dataset: Dataset, images: ImageSet, whole: ImageSet, seed: int) -> dict[str, object]:
    """What a run is, beside its recipe: the data it saw, by content, and its seed; where they were limited, the whole as well."""
    described: dict[str, object] = {
        "name": dataset.name,
        "split": "train",
        "count": len(images),
        "channels": images.channels,
        "classes": list(images.classes),
        "sha256": images.fingerprint,
    }
    if images is not whole:
        described["whole"] = {"count": len(whole), "classes": len(whole.classes), "sha256": whole.fingerprint}
    return {"dataset": described, "seed": seed}


def _real_batches(reals: RealImages, recipe: Recipe, step: int, update: int, rng: torch.Generator) -> Iterator[Batch]:
    """The batches of discriminator update number ``update`` of ``step``: a place in the stream that depends on nothing else."""
    size = recipe.schedule.batch_size
    first = step * recipe.schedule.images_per_step + update * size * recipe.schedule.accumulation
    for index in range(recipe.schedule.accumulation):
        yield reals.batch(size, first + index * size, rng)


def _fresh_batches(reals: RealImages, recipe: Recipe, step: int, rng: torch.Generator) -> Iterator[Batch]:
    """Further batches for regularisers of the generator, from a stream of their own."""
    size = recipe.schedule.batch_size
    position = step * size * recipe.schedule.accumulation
    while True:
        yield reals.batch(size, position, rng, stream=1)
        position += size
