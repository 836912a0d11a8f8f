"""Runs are a function of recipe, data and seed: not of when they were stopped, and not of what a killed one left."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ganeval.augment.base import Augmentation
from ganeval.checkpoints import Folder, load_folder
from ganeval.conditioning.acgan import ACGAN
from ganeval.data.base import Dataset
from ganeval.errors import UserError
from ganeval.losses.regularizers.freeze_d import FreezeD
from ganeval.losses.regularizers.lecam import LeCam
from ganeval.processes import Processes
from ganeval.recipes.recipe import Recipe, Schedule
from ganeval.sampling import resolve_checkpoint
from ganeval.training.loop import Habits, train
from ganeval.training.stop import StopOnSignal

QUIET = Habits(log_every=4, snapshot_every=1000, checkpoint_every=1000)


def final(out: Path) -> Folder:
    return load_folder(resolve_checkpoint(out))


def assert_same(a: Folder, b: Folder) -> None:
    assert a.tensors.keys() == b.tensors.keys()
    for file, content in a.tensors.items():
        assert content.keys() == b.tensors[file].keys()
        for name, value in content.items():
            assert torch.equal(value, b.tensors[file][name]), f"{file}: {name}"


def variants(recipe: Recipe) -> dict[str, Recipe]:
    return {
        "reacgan": recipe,
        "acgan": replace(recipe, conditioning=ACGAN(), ema=None),
        "lecam": replace(recipe, regularizers=(LeCam(start=2),), prior="uniform"),
    }


@pytest.mark.parametrize("name", ["reacgan", "acgan", "lecam"])
def test_stopped_at_random_steps_and_resumed_the_weights_are_bit_identical(
    name: str, recipe: Recipe, stripes: Dataset, tmp_path: Path
) -> None:
    chosen = variants(recipe)[name]
    train(chosen, stripes, tmp_path / "whole", seed=3, habits=QUIET)
    stops = sorted(random.sample(range(1, 12), 3))
    for stop in [*stops, None]:
        train(chosen, stripes, tmp_path / "parts", seed=3, steps=stop, habits=QUIET)
    whole, parts = final(tmp_path / "whole"), final(tmp_path / "parts")
    assert_same(whole, parts)
    assert whole.record["step"] == parts.record["step"] == 12


def test_the_same_seed_twice_is_bit_identical_and_another_seed_is_not(recipe: Recipe, stripes: Dataset, tmp_path: Path) -> None:
    for out, seed in (("first", 1), ("second", 1), ("other", 2)):
        train(recipe, stripes, tmp_path / out, seed=seed, steps=4, habits=QUIET)
    assert_same(final(tmp_path / "first"), final(tmp_path / "second"))
    ours, other = (final(tmp_path / out).tensors["generator"]["linear.weight"] for out in ("first", "other"))
    assert not torch.equal(ours, other)


def test_training_changes_every_parameter(recipe: Recipe, stripes: Dataset, tmp_path: Path) -> None:
    train(recipe, stripes, tmp_path / "one", steps=1, habits=QUIET)
    train(recipe, stripes, tmp_path / "five", steps=5, habits=QUIET)
    before, after = final(tmp_path / "one"), final(tmp_path / "five")
    for file in ("generator", "discriminator", "ema"):
        parameters = {name: value for name, value in before.tensors[file].items() if not name.endswith((".u", ".v"))}
        assert [name for name, value in parameters.items() if torch.equal(value, after.tensors[file][name])] == [], file


def test_a_finished_run_is_left_alone(recipe: Recipe, stripes: Dataset, tmp_path: Path) -> None:
    train(recipe, stripes, tmp_path / "run", steps=2, habits=QUIET)
    before = {path: path.read_bytes() for path in (tmp_path / "run" / "checkpoints").rglob("*") if path.is_file()}
    outcome = train(recipe, stripes, tmp_path / "run", steps=2, habits=QUIET)
    assert outcome.step == 2
    assert {path: path.read_bytes() for path in (tmp_path / "run" / "checkpoints").rglob("*") if path.is_file()} == before


def test_the_run_folder_has_what_it_should(recipe: Recipe, stripes: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "run"
    train(recipe, stripes, out, habits=Habits(log_every=3, snapshot_every=6, checkpoint_every=2, keep=2))
    names = {path.relative_to(out).as_posix() for path in out.rglob("*")}
    assert {"recipe.json", "run.json", "environment.json", "log.jsonl", "latest"} <= names
    assert {name for name in names if name.startswith("grids/")} == {
        "grids/real.png", "grids/step-00000006.png", "grids/step-00000012.png"
    }  # fmt: skip
    assert sorted(path.name for path in (out / "checkpoints").iterdir()) == ["step-00000010", "step-00000012"]
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [3, 6, 9, 12]
    assert all({"d_loss", "g_loss", "real_logit", "fake_logit", "images_per_second"} <= line.keys() for line in lines)


def test_the_log_of_a_resumed_run_has_each_step_once(recipe: Recipe, stripes: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "run"
    train(recipe, stripes, out, steps=4, habits=Habits(log_every=1))
    with (out / "log.jsonl").open("a") as log:  # what a killed process logged after its last checkpoint
        log.write('{"step": 5, "d_loss": 9}\n{"step": 6, "d_lo')
    train(recipe, stripes, out, steps=6, habits=Habits(log_every=1))
    assert [json.loads(line)["step"] for line in (out / "log.jsonl").read_text().splitlines()] == [1, 2, 3, 4, 5, 6]


def test_another_recipe_seed_or_dataset_in_the_same_folder_is_refused(recipe: Recipe, stripes: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "run"
    train(recipe, stripes, out, steps=1, habits=QUIET)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    with pytest.raises(UserError, match=r"schedule\.batch_size: 8 -> 4"):
        train(replace(recipe, schedule=Schedule(12, 4, 2, 2)), stripes, out, habits=QUIET)
    with pytest.raises(UserError, match="seed: 0 -> 1"):
        train(recipe, stripes, out, seed=1, habits=QUIET)
    stripes.classes = ("a", "b")
    with pytest.raises(UserError, match=r"dataset\.classes"):
        train(recipe, stripes, out, habits=QUIET)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("name", ["run.json", "recipe.json"])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[1]", "is damaged: it holds no JSON object"),
        ("null", "is damaged: it holds no JSON object"),
        ('"text"', "is damaged: it holds no JSON object"),
        ("{", "cannot be read as JSON: "),
        ("[" * 100_000, "cannot be read as JSON: "),
    ],
)
def test_a_damaged_identity_is_refused_in_one_line(
    name: str, content: str, said: str, recipe: Recipe, stripes: Dataset, tmp_path: Path
) -> None:
    for file in ("run.json", "recipe.json"):
        (tmp_path / file).write_text(content if file == name else "{}")
    with pytest.raises(UserError) as caught:
        train(recipe, stripes, tmp_path, steps=1, habits=QUIET)
    assert str(caught.value).startswith(f"{tmp_path / name} {said}")
    assert "\n" not in str(caught.value)


def test_a_recipe_that_lacks_a_field_of_today_still_resumes(recipe: Recipe, stripes: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "run"
    train(recipe, stripes, out, steps=1, habits=QUIET)
    earlier = json.loads((out / "recipe.json").read_text())
    del earlier["prior"], earlier["backbone"]["d_spectral_norm"]
    (out / "recipe.json").write_text(json.dumps(earlier))
    assert train(recipe, stripes, out, steps=2, habits=QUIET).step == 2


def test_a_run_may_begin_with_the_weights_of_another_and_freeze_some(recipe: Recipe, stripes: Dataset, tmp_path: Path) -> None:
    train(recipe, stripes, tmp_path / "first", steps=2, habits=QUIET)
    tuned = replace(recipe, regularizers=(FreezeD(blocks=2),))
    for steps in (1, 3):
        train(tuned, stripes, tmp_path / "tuned", steps=steps, habits=QUIET, init=tmp_path / "first")
    first, last = final(tmp_path / "first").tensors["discriminator"], final(tmp_path / "tuned").tensors["discriminator"]
    assert {name for name in first if name.startswith(("body.blocks.0", "body.blocks.1"))} > {"body.blocks.0.conv1.weight"}
    for name, value in first.items():
        if name.endswith(("weight", "bias")):
            frozen = name.startswith(("body.blocks.0.", "body.blocks.1.", "body.attention.0.", "body.attention.1."))
            assert torch.equal(value, last[name]) == frozen, name
    train(recipe, stripes, tmp_path / "first", steps=3, habits=Habits(keep=1))
    with pytest.raises(UserError, match=r"init_sha256: .* choose another --out, or go on with it without --init"):
        train(tuned, stripes, tmp_path / "tuned", steps=4, habits=QUIET, init=tmp_path / "first")
    shutil.rmtree(tmp_path / "first")
    began = json.loads((tmp_path / "tuned" / "run.json").read_text())["init_sha256"]
    for steps, init in ((4, None), (5, tmp_path / "first")):  # what it began with is needed no more
        assert train(tuned, stripes, tmp_path / "tuned", steps=steps, habits=QUIET, init=init).step == steps
    assert final(tmp_path / "tuned").record["init_sha256"] == began


def test_before_its_first_checkpoint_a_run_needs_what_it_begins_with(recipe: Recipe, stripes: Dataset, tmp_path: Path) -> None:
    train(recipe, stripes, tmp_path / "first", steps=1, habits=QUIET)
    train(recipe, stripes, tmp_path / "tuned", steps=1, habits=QUIET, init=tmp_path / "first")
    shutil.rmtree(tmp_path / "tuned" / "checkpoints")
    (tmp_path / "tuned" / "latest").unlink()
    with pytest.raises(UserError, match=r"init_sha256: .*: choose another --out$"):
        train(recipe, stripes, tmp_path / "tuned", steps=2, habits=QUIET)
    assert train(recipe, stripes, tmp_path / "tuned", steps=2, habits=QUIET, init=tmp_path / "first").step == 2


def test_a_run_whose_pointer_is_lost_goes_on_from_its_newest_checkpoint(recipe: Recipe, stripes: Dataset, tmp_path: Path) -> None:
    for out in ("run", "whole"):
        train(recipe, stripes, tmp_path / out, steps=4, habits=Habits(log_every=1, checkpoint_every=2))
    (tmp_path / "run" / "latest").unlink()
    assert resolve_checkpoint(tmp_path / "run") == tmp_path / "run" / "checkpoints" / "step-00000004"
    for out in ("run", "whole"):
        train(recipe, stripes, tmp_path / out, steps=5, habits=Habits(log_every=1, checkpoint_every=9))
    assert_same(final(tmp_path / "run"), final(tmp_path / "whole"))
    log = (tmp_path / "run" / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in log] == list(range(1, 6))


def test_a_run_that_goes_on_no_longer_says_why_it_stopped(recipe: Recipe, stripes: Dataset, tmp_path: Path) -> None:
    diverging = replace(recipe, optimizer=replace(recipe.optimizer, g_lr=1e38, beta1=0.0))
    report = tmp_path / "run" / "nan-report.json"
    with pytest.raises(UserError, match=r"training diverged: .*; no checkpoint was written yet"):
        train(diverging, stripes, tmp_path / "run", steps=6, habits=QUIET)
    assert report.exists()
    train(diverging, stripes, tmp_path / "run", steps=0, habits=QUIET)
    assert not report.exists()


def test_weights_out_of_range_are_never_saved(recipe: Recipe, stripes: Dataset, tmp_path: Path) -> None:
    diverging = replace(recipe, optimizer=replace(recipe.optimizer, g_lr=1e38, beta1=0.0))
    with pytest.raises(UserError, match="training diverged: step"):
        train(diverging, stripes, tmp_path / "run", steps=6, habits=Habits(snapshot_every=1, checkpoint_every=1))
    assert (tmp_path / "run" / "nan-report.json").exists()
    for checkpoint in (tmp_path / "run" / "checkpoints").glob("step-*"):
        assert all(torch.isfinite(value).all() for value in load_folder(checkpoint).tensors["generator"].values())


def test_a_folder_with_other_files_is_refused(recipe: Recipe, stripes: Dataset, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(UserError, match="is not a run"):
        train(recipe, stripes, tmp_path, habits=QUIET)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_damaged_latest_checkpoint_names_the_one_before(recipe: Recipe, stripes: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "run"
    train(recipe, stripes, out, steps=4, habits=Habits(checkpoint_every=2))
    (out / "checkpoints" / "step-00000004" / "ema.safetensors").write_bytes(b"")
    with pytest.raises(UserError, match=r"damaged.*'checkpoints/step-00000002'"):
        train(recipe, stripes, out, habits=QUIET)
    (out / "latest").write_text("checkpoints/step-00000002\n")
    assert train(recipe, stripes, out, steps=5, habits=QUIET).step == 5


def test_a_lost_only_checkpoint_is_said_in_one_line(recipe: Recipe, stripes: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "run"
    train(recipe, stripes, out, steps=2, habits=Habits(checkpoint_every=2))
    shutil.rmtree(out / "checkpoints" / "step-00000002")
    with pytest.raises(UserError, match=r"no checkpoint at .*step-00000002; there is no other in this run: choose another --out"):
        train(recipe, stripes, out, habits=QUIET)


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_checkpoint(
    recipe: Recipe, stripes: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    train(recipe, stripes, out, steps=3, habits=QUIET)
    before = final(out)
    monkeypatch.setattr(ACGAN, "g_loss", lambda self, fake, y: fake.adv.sum() * float("nan"))
    broken = replace(recipe, conditioning=ACGAN())
    with pytest.raises(UserError, match=r"step 0, network generator"):
        train(broken, stripes, tmp_path / "broken", habits=QUIET)
    assert json.loads((tmp_path / "broken" / "nan-report.json").read_text())["network"] == "generator"
    assert_same(before, final(out))


def test_two_processes_cannot_train_in_one_folder(recipe: Recipe, stripes: Dataset, tmp_path: Path) -> None:
    from filelock import FileLock

    out = tmp_path / "run"
    train(recipe, stripes, out, steps=1, habits=QUIET)
    with FileLock(out / ".lock"), pytest.raises(UserError, match="another process is training"):
        train(recipe, stripes, out, steps=2, habits=QUIET)


TINY = (
    "backbone.g_channels=2", "backbone.d_channels=2", "conditioning.embed_dim=8", "schedule.batch_size=4", "schedule.d_steps=1"
)  # fmt: skip


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_and_the_same_command_goes_on(number: signal.Signals, status: int, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ganeval", "train", "reacgan", "digits", *TINY, "--log-every", "1"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    log = tmp_path / "run" / "log.jsonl"
    with subprocess.Popen(
        [*command, "--out", "run"], cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        while process.poll() is None and not (log.exists() and log.read_text().count("\n") > 2):
            time.sleep(0.01)
        process.send_signal(number)
        talk = process.communicate(timeout=120)[1]
    assert process.returncode == status, talk
    step = final(tmp_path / "run").record["step"]
    assert step >= 3
    for out in ("run", "whole"):
        more = [*command, "--out", out, "--steps", str(step + 2)]
        assert subprocess.run(more, cwd=tmp_path, env=environment, check=False).returncode == 0
    assert_same(final(tmp_path / "run"), final(tmp_path / "whole"))


def test_every_augmentation_state_is_a_tensor_that_can_be_saved() -> None:
    for member in Augmentation.members().values():
        assert all(isinstance(value, torch.Tensor) for value in member().initial_state().values())


@pytest.mark.parametrize("keep", [1, 2])
def test_going_back_keeps_what_is_written_anew_and_drops_what_was_left_behind(
    recipe: Recipe, stripes: Dataset, tmp_path: Path, keep: int
) -> None:
    out = tmp_path / "run"
    train(recipe, stripes, out, steps=6, habits=Habits(checkpoint_every=2, keep=5))
    (out / "latest").write_text("checkpoints/step-00000002\n")
    train(recipe, stripes, out, steps=3, habits=Habits(checkpoint_every=12, keep=keep))
    assert final(out).record["step"] == 3
    kept = sorted(path.name for path in (out / "checkpoints").iterdir())
    assert kept == ["step-00000002", "step-00000003"][-keep:]


def test_what_a_kill_left_in_a_new_folder_is_no_other_file(recipe: Recipe, stripes: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "run"
    out.mkdir()
    (out / ".unfinished-recipe.json-0badcafe").write_text("{")
    assert train(recipe, stripes, out, steps=1, habits=QUIET).step == 1
    assert not list(out.glob(".unfinished-*"))


def test_a_signal_while_processes_meet_is_heard_in_the_next_step() -> None:
    class Meeting(Processes):
        def largest(self, number: int, device: torch.device) -> int:
            if not stop.signal:
                os.kill(os.getpid(), signal.SIGINT)
            return number

    with StopOnSignal(Meeting(0, 2)) as stop:
        assert not stop.requested(torch.device("cpu"))
        assert stop.requested(torch.device("cpu"))
        assert stop.exit_status == 130
        assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL  # a second one ends the process at once


def test_the_first_signal_decides_the_status() -> None:
    with StopOnSignal() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.exit_status == 130


def test_doing_nothing_leaves_the_record_of_what_was_done(recipe: Recipe, stripes: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "run"
    train(recipe, stripes, out, steps=2, habits=QUIET)
    record = (out / "environment.json").read_text().replace("torch", "torch of yesterday")
    (out / "environment.json").write_text(record)
    train(recipe, stripes, out, steps=2, habits=QUIET)
    assert (out / "environment.json").read_text() == record
