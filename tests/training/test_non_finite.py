"""Injected NaN: what each policy does to weights, statistics and small states, and what it writes down."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from ganeval.augment.ada import ADA
from ganeval.checkpoints import Folder, load_folder, read_record
from ganeval.conditioning.acgan import ACGAN
from ganeval.data.base import Dataset
from ganeval.errors import UserError
from ganeval.losses.adversarial.hinge import Hinge
from ganeval.losses.regularizers.lecam import LeCam
from ganeval.recipes.recipe import Recipe, Schedule
from ganeval.sampling import resolve_checkpoint
from ganeval.training import loop
from ganeval.training.engine import Engine
from ganeval.training.loop import Habits, train
from ganeval.training.non_finite import Guard, Policy, Skip, Stop, Zero, parse_policy
from ganeval.training.state import TrainState
from ganeval.training.step import Replicas, generator_update

FP16 = Engine(precision="fp16")
QUIET = Habits(log_every=1, snapshot_every=1000, checkpoint_every=1000)


def habits(policy: Policy) -> Habits:
    return replace(QUIET, on_nan=policy)


@pytest.fixture
def plain(recipe: Recipe) -> Recipe:
    """With BatchNorm statistics, spectral vectors, an adaptive probability and LeCam's averages: all that NaN can spoil."""
    return replace(
        recipe, conditioning=ACGAN(), schedule=Schedule(steps=8, batch_size=8, d_steps=2),
        regularizers=(LeCam(start=0),), augmentation=ADA(initial_p=0.5, interval=1),
    )  # fmt: skip


@contextmanager
def poisoned(monkeypatch: pytest.MonkeyPatch, network: str, steps: set[int], value: float = float("nan")) -> Iterator[None]:
    """The images that ``network``'s update sees have ``value`` in them at ``steps``: everything behind them is spoiled."""
    original = getattr(loop, f"{network}_update")

    def update(state: TrainState, recipe: Recipe, batches: Any, rng: torch.Generator, replicas: Replicas) -> Any:
        def spoil(module: nn.Module, inputs: Any, output: Any) -> Any:
            return output * value if state.step in steps else output

        handle = state.generator.register_forward_hook(spoil)
        try:
            return original(state, recipe, batches, rng, replicas)
        finally:
            handle.remove()

    with monkeypatch.context() as patch:
        patch.setattr(loop, f"{network}_update", update)
        yield


def final(out: Path) -> Folder:
    return load_folder(resolve_checkpoint(out))


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def all_finite(folder: Folder) -> bool:
    return all(torch.isfinite(value.double()).all() for content in folder.tensors.values() for value in content.values())


@pytest.mark.parametrize("network", ["generator", "discriminator"])
def test_stop_ends_the_run_within_the_step_and_says_where(
    network: str, plain: Recipe, stripes: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    with poisoned(monkeypatch, network, {5}), pytest.raises(UserError) as error:
        train(plain, stripes, out, habits=replace(habits(Stop()), checkpoint_every=2))
    assert str(error.value).startswith(f"training diverged: step 5, network {network}, ")
    assert "\n" not in str(error.value)
    report = json.loads((out / "nan-report.json").read_text())
    assert (report["step"], report["network"], report["gradient_norm"]) == (5, network, "nan")
    assert report["module"] in report["norms"]
    assert report["norms"][report["module"]]["weight.grad"] == "nan"
    assert [line["step"] for line in lines(out / "log.jsonl")] == [1, 2, 3, 4, 5]
    assert final(out).record["step"] == 4
    assert all_finite(final(out))


def test_the_first_module_is_the_first_that_was_built(plain: Recipe, stripes: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "run"
    network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2))
    for number, parameter in enumerate(network.parameters()):
        parameter.grad = torch.full_like(parameter, float("inf") if number == 3 else 2.0)
    guard, log = Guard(Skip(1)), {"d_loss": torch.tensor(1.5)}
    told: list[Any] = []
    guard.tell = told.append
    assert not guard.passes(network, "discriminator", 7, log)
    (line,) = told
    assert line == {
        "step": 7, "network": "discriminator", "d_loss": 1.5, "gradient_norm": "inf", "module": "1", "done": "skipped"
    }  # fmt: skip
    assert "d_grad_norm" not in log
    assert not out.exists()


@pytest.mark.parametrize("network", ["generator", "discriminator"])
def test_a_skipped_update_leaves_no_trace_but_the_count(
    network: str, plain: Recipe, stripes: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the other network is updated in that step, and no statistic, vector or small state has seen the NaN."""
    out = tmp_path / "run"
    with poisoned(monkeypatch, network, {3}):
        train(plain, stripes, out, steps=3, habits=habits(Skip(5)))
        before = final(out)
        train(plain, stripes, out, steps=4, habits=habits(Skip(5)))
    after = final(out)
    assert all_finite(after)
    for name, value in before.tensors[network].items():
        if not name.endswith((".u", ".v", "running_mean", "running_var", "num_batches_tracked")):
            assert torch.equal(value, after.tensors[network][name]), name
    optimizer = f"{network[0]}_optimizer"
    assert all(torch.equal(value, after.tensors[optimizer][name]) for name, value in before.tensors[optimizer].items())
    other = "discriminator" if network == "generator" else "generator"
    assert any(not torch.equal(value, after.tensors[other][name]) for name, value in before.tensors[other].items())
    count = 1 if network == "generator" else plain.schedule.d_steps
    assert after.record["non_finite"] == {"skipped": count}
    assert "non_finite" not in before.record
    assert lines(out / "log.jsonl")[-1]["skipped_updates"] == count
    found = lines(out / "incidents.jsonl")
    assert [(line["step"], line["network"], line["done"]) for line in found] == [(3, network, "skipped")] * count
    assert all("nan" not in json.dumps(line) for line in lines(out / "log.jsonl"))


def test_the_run_ends_where_more_than_k_would_be_skipped_also_when_resumed(
    plain: Recipe, stripes: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    with poisoned(monkeypatch, "generator", {1, 3, 5}):
        train(plain, stripes, out, steps=4, habits=habits(Skip(2)))
        assert final(out).record["non_finite"] == {"skipped": 2}
        with pytest.raises(UserError, match=r"step 5, network generator.*after 2 skipped updates, all that skip:2 allows"):
            train(plain, stripes, out, habits=habits(Skip(2)))
    assert final(out).record["step"] == 4


def test_resumed_among_skips_the_weights_and_the_record_are_those_of_one_go(
    plain: Recipe, stripes: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with poisoned(monkeypatch, "generator", {1, 4}):
        train(plain, stripes, tmp_path / "whole", habits=habits(Skip(9)))
        for steps in (2, 5, None):
            train(plain, stripes, tmp_path / "parts", steps=steps, habits=habits(Skip(9)))
        with (tmp_path / "parts" / "incidents.jsonl").open("a") as file:
            file.write('{"step": 8, "network": "generator"}\n{"st')  # a killed process got further than its checkpoint
        train(plain, stripes, tmp_path / "parts", habits=habits(Skip(9)))
    whole, parts = final(tmp_path / "whole"), final(tmp_path / "parts")
    assert whole.file_sha256 == parts.file_sha256
    assert whole.record["non_finite"] == parts.record["non_finite"] == {"skipped": 2}
    ours, theirs = (lines(tmp_path / out / "incidents.jsonl") for out in ("whole", "parts"))
    assert ours == theirs
    assert [line["step"] for line in ours] == [1, 4]


def test_a_policy_changes_nothing_while_all_is_finite(plain: Recipe, stripes: Dataset, tmp_path: Path) -> None:
    for name, policy in {"stop": Stop(), "skip": Skip(3), "zero": Zero()}.items():
        train(plain, stripes, tmp_path / name, steps=3, habits=habits(policy))
    hashes = [final(tmp_path / name).file_sha256 for name in ("stop", "skip", "zero")]
    assert hashes[0] == hashes[1] == hashes[2]
    assert not (tmp_path / "skip" / "incidents.jsonl").exists()


def test_zero_takes_the_step_with_what_is_finite(plain: Recipe, stripes: Dataset, tmp_path: Path) -> None:
    network = nn.Linear(2, 2, bias=False)
    network.weight.grad = torch.tensor([[1.0, float("nan")], [float("inf"), -4.0]])
    guard = Guard(Zero())
    assert guard.passes(network, "generator", 0, {"g_loss": torch.tensor(1.0)})
    assert network.weight.grad.tolist() == [[1.0, 0.0], [0.0, -4.0]]
    assert guard.record() == {"non_finite": {"zeroed": 1}}


def test_zero_goes_on_and_counts(plain: Recipe, stripes: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with poisoned(monkeypatch, "generator", {2, 3}, float("inf")):
        train(plain, stripes, tmp_path / "run", habits=habits(Zero()))
    assert all_finite(final(tmp_path / "run"))
    assert final(tmp_path / "run").record["non_finite"] == {"zeroed": 2}
    assert lines(tmp_path / "run" / "log.jsonl")[-1]["zeroed_updates"] == 2


def test_weights_out_of_range_end_the_run_whatever_the_policy(recipe: Recipe, stripes: Dataset, tmp_path: Path) -> None:
    diverging = replace(recipe, optimizer=replace(recipe.optimizer, g_lr=1e38, beta1=0.0))
    for name, policy in {"skip": Skip(100), "zero": Zero()}.items():
        with pytest.raises(UserError, match="lower the learning rate"):
            train(diverging, stripes, tmp_path / name, habits=habits(policy))


def test_a_loss_alone_is_enough(recipe: Recipe, stripes: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Hinge, "g_loss", lambda self, fake: -fake.mean() + fake.new_tensor(float("inf")))
    with pytest.raises(UserError, match="module none: only the loss"):
        train(recipe, stripes, tmp_path / "run", habits=QUIET)


@pytest.mark.parametrize("text", ["skip", "skip:0", "skip:-1", "skip:1.5", "Stop", "zero:3", "stop:1", "", "ignore"])
def test_unknown_policies_are_refused(text: str) -> None:
    with pytest.raises(UserError, match=r"choose stop, skip:K with a number K"):
        parse_policy(text)


def test_known_policies() -> None:
    assert [parse_policy(text) for text in ("stop", "skip:12", "zero")] == [Stop(), Skip(12), Zero()]


def test_the_checkpoint_of_a_clean_run_says_nothing_about_it(tiny_run: Path) -> None:
    assert "non_finite" not in read_record(resolve_checkpoint(tiny_run))


def test_the_updates_take_no_second_pass_for_the_norm(recipe: Recipe) -> None:
    """What is logged is the norm of the gradients as the optimiser saw them."""
    from ganeval.networks.base import ImageShape
    from ganeval.training.state import initial_state

    state = initial_state(recipe, ImageShape(1, 16), 2, 0, torch.device("cpu"))
    log = generator_update(state, recipe, iter(()), torch.Generator().manual_seed(0))
    expected = torch.cat([p.grad.flatten().double() for p in state.generator.parameters() if p.grad is not None]).norm()
    assert float(log["g_grad_norm"]) == pytest.approx(float(expected), rel=1e-5)


def test_the_loss_of_every_pass_counts(recipe: Recipe, stripes: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    passes: list[int] = []

    def first_is_infinite(self: Hinge, fake: torch.Tensor) -> torch.Tensor:
        passes.append(1)
        return -fake.mean() + fake.new_tensor(float("inf") if len(passes) == 1 else 0.0)

    monkeypatch.setattr(Hinge, "g_loss", first_is_infinite)
    with pytest.raises(UserError, match="training diverged: step 0, network generator"):
        train(replace(recipe, schedule=replace(recipe.schedule, accumulation=2)), stripes, tmp_path / "run", habits=QUIET)
    assert len(passes) == 2


def test_in_fp16_what_overflows_is_the_scalers_affair_and_survives_stops(
    recipe: Recipe, stripes: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Factors far too large at first, which fall, and rise again after four updates that fitted."""
    monkeypatch.setattr(torch.amp, "GradScaler", partial(torch.amp.GradScaler, init_scale=2.0**18, growth_interval=4))
    factors = []
    for out, stops in (("whole", (10,)), ("parts", (1, 4, 9, 10))):
        for stop in stops:
            train(recipe, stripes, tmp_path / out, steps=stop, engine=FP16, habits=habits(Skip(1)))
            factors.append(factor(final(tmp_path / out), "d"))
    (end, *falling, almost), again = factors[:4], factors[4]
    assert 2.0**18 > falling[0] > falling[1] >= 1
    assert again == end != almost
    whole, parts = final(tmp_path / "whole"), final(tmp_path / "parts")
    assert whole.file_sha256 == parts.file_sha256
    assert "non_finite" not in whole.record
    assert all_finite(whole)
    left_out = ["d_grad_norm" not in line for line in lines(tmp_path / "whole" / "log.jsonl")]
    assert left_out[0]
    assert not all(left_out[5:])


def test_in_fp16_what_is_no_number_is_skipped_and_leaves_the_factor(
    recipe: Recipe, stripes: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.amp, "GradScaler", partial(torch.amp.GradScaler, init_scale=256.0))
    with poisoned(monkeypatch, "discriminator", {2}):
        train(recipe, stripes, tmp_path / "run", steps=4, engine=FP16, habits=habits(Skip(2)))
    run = final(tmp_path / "run")
    assert run.record["non_finite"] == {"skipped": 2}
    assert factor(run, "d") == factor(run, "g") == 256
    assert run.tensors["extras"]["d_scaler._growth_tracker"] == 2 * 4 - 2
    assert all_finite(run)


def factor(run: Folder, network: str) -> float:
    return float(run.tensors["extras"][f"{network}_scaler.scale"])


def test_zero_and_fp16_do_not_go_together(recipe: Recipe, stripes: Dataset, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--on-nan zero does not go with fp16"):
        train(recipe, stripes, tmp_path / "run", engine=Engine(precision="fp16"), habits=habits(Zero()))
    assert not (tmp_path / "run").exists()
