"""The log: what a line holds, that its numbers are right, and that no viewer can stop a run."""

from __future__ import annotations

import json
import sys
import types
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from ganeval.augment.ada import ADA
from ganeval.checkpoints import load_folder
from ganeval.data.base import Dataset
from ganeval.errors import UserError
from ganeval.networks.spectral_norm import SNConv2d, SNConvTranspose2d, refresh
from ganeval.recipes.recipe import Recipe
from ganeval.sampling import resolve_checkpoint
from ganeval.training import journal, measure
from ganeval.training.early_warning import WINDOW
from ganeval.training.loop import Habits, train
from ganeval.training.measure import largest_spectral_norm, memory
from ganeval.training.sinks.base import Logged, Sink
from ganeval.training.sinks.tensorboard import TensorBoard
from ganeval.training.sinks.wandb import wandb_of

HABITS = Habits(log_every=2, snapshot_every=4, checkpoint_every=100)


def lines(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def test_a_line_holds_what_one_watches(recipe: Recipe, stripes: Dataset, tmp_path: Path) -> None:
    adaptive = replace(recipe, augmentation=ADA(initial_p=0.25, interval=1000))
    out = train(adaptive, stripes, tmp_path / "run", steps=4, habits=HABITS).folder
    for line in lines(out):
        assert {
            "step", "time", "images_per_second", "d_loss", "g_loss", "d_adversarial", "d_conditional", "g_conditional",
            "real_logit", "fake_logit", "d_grad_norm", "g_grad_norm", "d_sigma", "g_sigma", "d_lr", "g_lr", "augment_p", "rss_mb",
        } == set(line)  # fmt: skip
        assert line["augment_p"] == 0.25
        assert (line["g_lr"], line["d_lr"]) == (recipe.optimizer.g_lr, recipe.optimizer.d_lr)
        assert min(line["d_grad_norm"], line["g_grad_norm"], line["images_per_second"]) > 0
        assert 10 < line["rss_mb"] < 100_000
    without = train(recipe, stripes, tmp_path / "plain", steps=2, habits=HABITS).folder
    assert "augment_p" not in lines(without)[0]


@pytest.mark.parametrize("seed", range(3))
def test_the_spectral_norm_is_the_largest_singular_value(seed: int) -> None:
    torch.manual_seed(seed)
    layers = [nn.Conv2d(3, 5, 3), nn.Linear(7, 4), nn.ConvTranspose2d(4, 2, 3), SNConv2d(2, 6, 3), SNConvTranspose2d(3, 4, 2)]
    for number, layer in enumerate(layers):
        with torch.no_grad():
            layer.weight *= 3 if number == seed else 0.5  # another layer is the largest each time
    network = nn.Sequential(*layers, nn.BatchNorm2d(3))
    refresh(network, 200)
    matrices = [x.weight.transpose(0, 1) if isinstance(x, nn.ConvTranspose2d) else x.weight for x in layers]
    exact = max(float(torch.linalg.matrix_norm(matrix.detach().flatten(1).double(), 2)) for matrix in matrices)
    assert largest_spectral_norm(network) == pytest.approx(exact, rel=0.03)
    assert largest_spectral_norm(network) <= exact * 1.00001


def test_the_spectral_norm_of_a_known_matrix_and_of_nothing() -> None:
    layer = nn.Linear(3, 3, bias=False)
    layer.weight.data = torch.diag(torch.tensor([1.0, -7.0, 2.0]))
    assert largest_spectral_norm(layer) == pytest.approx(7, rel=1e-5)
    assert largest_spectral_norm(nn.BatchNorm2d(4)) == 0


def test_measuring_changes_nothing(recipe: Recipe, stripes: Dataset, tmp_path: Path) -> None:
    outs = [train(recipe, stripes, tmp_path / name, steps=6, habits=Habits(every)).folder for name, every in (("a", 1), ("b", 6))]
    ours, theirs = (load_folder(resolve_checkpoint(out)).file_sha256 for out in outs)
    assert ours == theirs


def test_the_device_is_read_at_log_steps_only(
    recipe: Recipe, stripes: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    monkeypatch.setattr(journal, "measurements", lambda state: calls.append(state.step) or measure.measurements(state))
    train(recipe, stripes, tmp_path / "run", steps=9, habits=Habits(log_every=4))
    assert calls == [4, 8, 9]


def test_memory_where_the_system_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "_resident", lambda: None)
    assert memory(torch.device("cpu")) == {}


def test_a_warning_is_in_the_line_and_on_stderr_and_a_resumed_run_does_not_repeat_it(
    recipe: Recipe, stripes: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    saturated = {"d_loss": 0.5, "d_adversarial": 0.0, "real_logit": 3.0, "fake_logit": -3.0}
    original = journal.measurements
    monkeypatch.setattr(journal, "measurements", lambda state: original(state) | saturated)
    out = tmp_path / "run"
    for steps in (7, 10, 12):
        train(recipe, stripes, out, steps=steps, habits=Habits(log_every=1))
    warned = {line["step"]: line["warnings"] for line in lines(out) if "warnings" in line}
    assert set(warned) == {10}
    assert [text.partition(":")[0] for text in warned[10]] == ["zero-loss", "constant-loss"]
    said = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    assert said == [f"warning: step 10: {text}" for text in warned[10]]


def test_the_log_of_a_run_killed_before_its_first_checkpoint_begins_anew(
    recipe: Recipe, stripes: Dataset, tmp_path: Path
) -> None:
    out = train(recipe, stripes, tmp_path / "run", steps=2, habits=Habits(log_every=1)).folder
    (out / "latest").unlink()
    train(recipe, stripes, out, steps=3, habits=Habits(log_every=1))
    assert [line["step"] for line in lines(out)] == [1, 2, 3]


class Recording(Sink):
    """Remembers what it is told, and fails at a chosen call."""

    def __init__(self, logged: Logged, fails_at: int = 0) -> None:
        self.logged, self.fails_at = logged, fails_at
        self.told: list[tuple[str, int]] = []

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        self.told.append(("scalars", step))
        if len(self.told) == self.fails_at:
            raise OSError("the connection\nis gone")

    def picture(self, step: int, path: Path) -> None:
        assert path.is_file()
        self.told.append(("picture", step))

    def close(self) -> None:
        self.told.append(("close", 0))


def test_a_viewer_that_fails_is_said_once_and_then_left_alone(
    recipe: Recipe, stripes: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    opened: dict[str, Recording] = {}

    def opener(name: str, fails_at: int) -> Any:
        def open_it(logged: Logged) -> Sink:
            opened[name] = Recording(logged, fails_at)
            return opened[name]

        return open_it

    def broken(logged: Logged) -> Sink:
        raise RuntimeError("no network")

    viewers = {"good": opener("good", 0), "bad": opener("bad", 2), "broken": broken}
    out = train(recipe, stripes, tmp_path / "run", steps=8, habits=replace(HABITS, viewers=viewers)).folder
    assert opened["good"].told == [
        ("scalars", 2), ("scalars", 4), ("picture", 4), ("scalars", 6), ("scalars", 8), ("picture", 8), ("close", 0)
    ]  # fmt: skip
    assert opened["bad"].told == [("scalars", 2), ("scalars", 4)]
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning")]
    assert said == [
        "warning: broken is left out from here on: no network; log.jsonl is complete",
        "warning: bad is left out from here on: the connection; log.jsonl is complete",
    ]
    assert [line["step"] for line in lines(out)] == [2, 4, 6, 8]
    assert opened["good"].logged == Logged(out, json.loads((out / "recipe.json").read_text()), 0)


def test_tensorboard_has_every_number_and_the_grids(recipe: Recipe, stripes: Dataset, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="the extra 'tensorboard' is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    out = tmp_path / "run"
    for steps in (4, 8):
        train(recipe, stripes, out, steps=steps, habits=replace(HABITS, viewers={"tensorboard": TensorBoard}))
    events = EventAccumulator(str(out / "tensorboard"))
    events.Reload()
    written = lines(out)
    names = set(written[0]) - {"step", "time"}
    assert set(events.Tags()["scalars"]) == names
    for name in names:
        assert [event.step for event in events.Scalars(name)] == [2, 4, 6, 8]
        assert [event.value for event in events.Scalars(name)] == pytest.approx([line[name] for line in written], rel=1e-6)
    assert [event.step for event in events.Images("samples")] == [4, 8]


class FakeRun:
    def __init__(self) -> None:
        self.logged: list[dict[str, Any]] = []
        self.axis: tuple[Any, ...] = ()
        self.finished = False

    def define_metric(self, name: str, step_metric: str) -> None:
        self.axis = (name, step_metric)

    def log(self, values: dict[str, Any]) -> None:
        self.logged.append(values)

    def finish(self) -> None:
        self.finished = True


def test_wandb_is_told_the_same_and_a_resumed_run_is_the_same_run(
    recipe: Recipe, stripes: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[tuple[dict[str, Any], FakeRun]] = []

    def init(**settings: Any) -> FakeRun:
        runs.append((settings, FakeRun()))
        return runs[-1][1]

    module = types.ModuleType("wandb")
    module.init, module.Image = init, lambda path: ("image", path)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "wandb", module)
    out = tmp_path / "run"
    for steps in (4, 6):
        train(recipe, stripes, out, steps=steps, habits=replace(HABITS, viewers={"wandb": wandb_of("my-project")}))
    (first, run), (second, resumed) = runs
    assert first == second
    assert (first["project"], first["name"], first["resume"], first["dir"]) == ("my-project", "run", "allow", str(out))
    assert first["config"] == json.loads((out / "recipe.json").read_text())
    assert run.axis == ("*", "step")
    numbers = [{name: value for name, value in line.items() if name != "time"} for line in lines(out)]
    assert [told for told in run.logged if "samples" not in told] == numbers[:2]
    assert [told for told in resumed.logged if "samples" not in told] == numbers[2:]
    assert {"samples": ("image", str(out / "grids" / "step-00000004.png")), "step": 4} in run.logged
    assert run.finished
    assert resumed.finished


def test_wandb_that_is_asked_for_and_missing_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(UserError, match=r"--wandb needs the package wandb: pip install 'ganeval\[wandb\]'"):
        wandb_of("my-project")


def test_the_window_of_the_rules_is_read_back_from_the_log(recipe: Recipe, stripes: Dataset, tmp_path: Path) -> None:
    assert WINDOW + 1 > 10  # enough for every rule at the line before the last
    out = train(recipe, stripes, tmp_path / "run", steps=3, habits=Habits(log_every=1)).folder
    (out / "log.jsonl").write_text(
        "".join(json.dumps({"step": 0, "d_loss": 1.0}) + "\n" for _ in range(3)) + "not json\n[1]\n{}\n"
    )
    train(recipe, stripes, out, steps=4, habits=Habits(log_every=1))
    assert [line["step"] for line in lines(out)] == [0, 0, 0, 4]
