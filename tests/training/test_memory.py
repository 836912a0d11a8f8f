"""What a dry run says of memory, against what real passes keep; and what a run says that has not enough."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import repeat
from pathlib import Path

import pytest
import torch
from click.testing import Result

from ganeval.augment.ada import ADA
from ganeval.checkpoints import load_folder
from ganeval.data.base import Dataset
from ganeval.losses.regularizers.gradient_penalty import GradientPenalty
from ganeval.networks.base import ImageShape
from ganeval.processes import Processes
from ganeval.recipes.recipe import Recipe
from ganeval.training import loop
from ganeval.training.engine import Engine
from ganeval.training.loop import Habits, train
from ganeval.training.memory import OutOfMemory, is_out_of_memory, memory_of, saved_bytes
from ganeval.training.state import TrainState, initial_state
from ganeval.training.step import discriminator_pass, generator_pass

SHAPE = ImageShape(1, 16)


def variants(recipe: Recipe) -> dict[str, Recipe]:
    return {
        "reacgan": recipe,
        "penalty": replace(recipe, regularizers=(GradientPenalty(),)),
        "ada": replace(recipe, augmentation=ADA(initial_p=0.5)),
    }


@pytest.mark.parametrize("name", ["reacgan", "penalty", "ada"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_count_is_what_real_passes_keep(name: str, precision: str, recipe: Recipe) -> None:
    chosen = variants(recipe)[name]
    engine = Engine(precision=precision)  # type: ignore[arg-type]
    counted = memory_of(chosen, SHAPE, 2, engine)
    state = initial_state(chosen, SHAPE, 2, 0, torch.device("cpu"))
    engine.apply_to(state, chosen)
    rng = torch.Generator().manual_seed(0)
    real = torch.randn(chosen.schedule.batch_size, 1, 16, 16), torch.zeros(chosen.schedule.batch_size, dtype=torch.int64)
    with saved_bytes(state.generator, state.discriminator) as in_d:
        d_loss, _ = discriminator_pass(state, chosen, Processes(), real, rng)
    with saved_bytes(state.generator, state.discriminator) as in_g:
        g_loss, _ = generator_pass(state, chosen, Processes(), repeat(real), rng)
    assert counted.d_activations == pytest.approx(sum(in_d), rel=0.02)
    assert counted.g_activations == pytest.approx(sum(in_g), rel=0.02)
    for loss, optimizer in ((d_loss, state.d_optimizer), (g_loss, state.g_optimizer)):
        loss.backward()
        optimizer.step()
    assert held(state) == {name: getattr(counted, name) for name in ("parameters", "gradients", "optimizers", "ema")}


def held(state: TrainState) -> dict[str, int]:
    """The bytes that are really there; Adam's counters of steps left out."""
    parameters = [*state.generator.parameters(), *state.discriminator.parameters()]
    moments = [m for o in (state.g_optimizer, state.d_optimizer) for s in o.state.values() for m in s.values() if m.dim()]
    return {
        "parameters": sum(p.nbytes for p in parameters),
        "gradients": sum(p.grad.nbytes for p in parameters if p.grad is not None),
        "optimizers": sum(moment.nbytes for moment in moments),
        "ema": sum(t.nbytes for t in state.ema.module.state_dict().values()) if state.ema else 0,
    }


def test_activations_follow_the_share_of_the_batch_and_the_precision(recipe: Recipe) -> None:
    whole, half = (memory_of(recipe, SHAPE, 2, Engine(processes=Processes(0, count))) for count in (1, 2))
    assert 0.5 <= half.d_activations / whole.d_activations < 0.6
    assert half.parameters == whole.parameters
    assert memory_of(recipe, SHAPE, 2, Engine(precision="bf16")).g_activations < 0.9 * whole.g_activations
    assert whole.total == 2 * whole.parameters + whole.optimizers + whole.ema + max(whole.d_activations, whole.g_activations)


def test_a_dry_run_shows_it_and_computes_as_before_afterwards(ganeval: Callable[..., Result]) -> None:
    shown = json.loads(ganeval("train", "reacgan-ada", "digits", "-n").stdout)["memory"]
    assert shown.keys() == {"parameters", "gradients", "optimizers", "ema", "d_activations", "g_activations", "total"}
    assert all(type(size) is int and size > 0 for size in shown.values())
    ada = ADA(initial_p=1.0)
    images = ada.apply(torch.zeros(2, 1, 16, 16), ada.initial_state(), torch.Generator().manual_seed(0))
    assert type(images) is torch.Tensor


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory."), RuntimeError("DefaultCPUAllocator: can't allocate memory")]
)
def test_running_out_of_memory_is_said_in_one_line(
    error: RuntimeError, recipe: Recipe, stripes: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    train(recipe, stripes, out, steps=2, habits=Habits(checkpoint_every=2))

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(loop, "generator_update", fail)
    with pytest.raises(OutOfMemory) as raised:
        train(recipe, stripes, out, steps=4, habits=Habits(checkpoint_every=2))
    said = str(raised.value)
    assert raised.value.exit_status == 4
    assert "\n" not in said
    for part in ("out of memory on cpu", "d activations", "total", "schedule.accumulation=4", "the checkpoint of step 2 is kept"):
        assert part in said
    assert load_folder(out / "checkpoints" / "step-00000002").record["step"] == 2


def test_the_command_line_exits_with_4(ganeval: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(loop, "discriminator_update", fail)
    result = ganeval("train", "reacgan", "digits", "--out", tmp_path / "run")
    assert result.exit_code == 4
    assert result.stderr.count("\n") == 1
    assert "no checkpoint was written yet" in result.stderr


def test_other_errors_are_no_lack_of_memory() -> None:
    assert not is_out_of_memory(RuntimeError("shapes cannot be multiplied"))
