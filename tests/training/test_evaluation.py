"""Scores during training: the same numbers as afterwards, the best checkpoint, and that training does not notice."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import Result

from ganeval.cas import CasProtocol
from ganeval.cas import _open as open_cas
from ganeval.checkpoints import is_folder, load_folder, read_record
from ganeval.classifiers.recipe import find_classifier_recipe
from ganeval.data.base import Dataset
from ganeval.errors import UserError
from ganeval.leaderboard.table import read
from ganeval.recipes.recipe import Recipe
from ganeval.sampling import load_generator, resolve_checkpoint
from ganeval.scorecard import ScoreCard
from ganeval.scoring import score
from ganeval.training import evaluation
from ganeval.training.evaluation import Evaluation, best_step
from ganeval.training.loop import Habits, train
from ganeval.training.plan import resolve

TINY = (
    "backbone.g_channels=2", "backbone.d_channels=2", "conditioning.embed_dim=8", "schedule.batch_size=4", "schedule.d_steps=1"
)  # fmt: skip
PLAN = Evaluation(every=2, metrics=("is",), num=60)
HABITS = Habits(log_every=1, snapshot_every=100, checkpoint_every=100, keep=1, evaluation=PLAN)


@pytest.fixture(scope="module")
def digits() -> tuple[Recipe, Dataset]:
    return resolve("reacgan", "digits", TINY)


@pytest.fixture(scope="module")
def run(digits: tuple[Recipe, Dataset], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven steps, evaluated at 2, 4, 6 and at the end. Not to be written to."""
    return train(*digits, tmp_path_factory.mktemp("evaluated") / "run", steps=7, habits=HABITS).folder


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def with_distances(monkeypatch: pytest.MonkeyPatch, distances: dict[int, float | None]) -> None:
    """Scoring gives these Fréchet distances by step, ``None`` for one that fails; everything else is computed."""

    def scripted(source: Path, **arguments: Any) -> ScoreCard:
        card = score(source, **arguments)
        value = distances[read_record(source)["step"]]
        status = "ok" if value is not None else "failed: for a test"
        return replace(card, scores=tuple(replace(s, value=value, status=status) for s in card.scores if s.key == "fid"))

    monkeypatch.setattr(evaluation, "score", scripted)


def test_the_numbers_are_those_of_scoring_afterwards(run: Path) -> None:
    (last,) = (line for line in lines(run / "evals.jsonl") if line["step"] == 7)
    card = score(run, metrics=["fid", "is"], num=60)
    assert last["values"] == {one.column: one.value for one in card.scores}
    assert set(last["values"]) == {"FD-digits-cnn", "IS-digits-cnn"}
    assert (last["protocol"], last["protocol_sha256"]) == (card.protocol, card.protocol_sha256)
    assert (last["fakes"], last["extractor"], last["checkpoint_sha256"]) == (60, "digits-cnn", card.source["sha256"])
    assert last["seconds"] > 0


def test_one_line_per_evaluation_and_the_best_is_kept_beside_the_latest(run: Path) -> None:
    evaluated = lines(run / "evals.jsonl")
    assert [line["step"] for line in evaluated] == [2, 4, 6, 7]
    best = min(evaluated, key=lambda line: line["values"]["FD-digits-cnn"])["step"]
    assert (run / "best").read_text() == f"checkpoints/step-{best:08d}\n"
    assert {path.name for path in (run / "checkpoints").iterdir()} == {f"step-{best:08d}", "step-00000007"}


def test_training_does_not_notice(run: Path, digits: tuple[Recipe, Dataset], tmp_path: Path) -> None:
    blind = train(*digits, tmp_path / "blind", steps=7, habits=replace(HABITS, evaluation=None)).folder
    ours, theirs = (load_folder(resolve_checkpoint(folder)).file_sha256 for folder in (run, blind))
    assert ours == theirs
    assert not (blind / "evals.jsonl").exists()
    assert not (blind / "best").exists()


def test_the_best_checkpoint_survives_any_number_of_worse_ones(
    digits: tuple[Recipe, Dataset], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_distances(monkeypatch, {2: 9.0, 4: 3.0, 6: 4.0, 8: None, 10: 6.5, 12: 7.0})
    out = train(*digits, tmp_path / "run", steps=12, habits=HABITS).folder
    assert resolve_checkpoint(out, "best").name == "step-00000004"
    assert load_folder(resolve_checkpoint(out, "best")).record["step"] == 4
    assert {path.name for path in (out / "checkpoints").iterdir()} == {"step-00000004", "step-00000012"}
    failed = [line.get("failed") for line in lines(out / "evals.jsonl")]
    assert failed == [None, None, None, {"FD-digits-cnn": "failed: for a test"}, None, None]
    warned = [line.get("warnings", []) for line in lines(out / "evals.jsonl")]
    assert [len(warnings) for warnings in warned] == [0, 0, 0, 0, 1, 0]  # 6.5 > 2 x 3; said once
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning: ")]
    assert said == [f"warning: step 10: {warned[4][0]}"]


def test_resumed_evaluations_go_on_and_those_beyond_the_checkpoint_are_cut(
    run: Path, digits: tuple[Recipe, Dataset], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    for steps in (3, 4):
        train(*digits, out, steps=steps, habits=HABITS)
    with (out / "evals.jsonl").open("a") as file:  # what a killed process evaluated after the checkpoint that is left
        file.write(
            json.dumps({**lines(out / "evals.jsonl")[-1], "step": 6, "values": {"FD-digits-cnn": 0.0}}) + '\n{"step": 8, "va'
        )
    (out / "best").write_text("checkpoints/step-00000006\n")
    train(*digits, out, steps=7, habits=HABITS)
    ours = [(line["step"], line["values"]) for line in lines(out / "evals.jsonl") if line["step"] != 3]
    assert ours == [(line["step"], line["values"]) for line in lines(run / "evals.jsonl")]
    assert is_folder(resolve_checkpoint(out, "best"))


def test_an_interrupted_evaluation_is_redone_first(
    run: Path, digits: tuple[Recipe, Dataset], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(*anything: Any, **more: Any) -> ScoreCard:
        raise Killed

    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(evaluation, "score", die)
        with pytest.raises(Killed):
            train(*digits, out, steps=7, habits=HABITS)
    assert (out / "latest").read_text().endswith("step-00000002\n")
    train(*digits, out, steps=7, habits=HABITS)
    assert [(e["step"], e["values"]) for e in lines(out / "evals.jsonl")] == [
        (e["step"], e["values"]) for e in lines(run / "evals.jsonl")
    ]


def test_a_signal_cuts_an_evaluation_short_and_it_is_redone(
    digits: tuple[Recipe, Dataset], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def signalled(source: Path, **arguments: Any) -> ScoreCard:
        signal.raise_signal(signal.SIGTERM)
        return score(source, **arguments)

    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(evaluation, "score", signalled)
        outcome = train(*digits, out, steps=3, habits=HABITS)
    assert (outcome.step, outcome.exit_status) == (2, 143)
    assert not (out / "evals.jsonl").exists()
    assert load_folder(resolve_checkpoint(out)).record["step"] == 2
    assert train(*digits, out, steps=3, habits=HABITS).exit_status == 0
    assert [line["step"] for line in lines(out / "evals.jsonl")] == [2, 3]


def test_a_finished_run_is_not_evaluated_twice(run: Path, digits: tuple[Recipe, Dataset], tmp_path: Path) -> None:
    before = (run / "evals.jsonl").read_bytes()
    train(*digits, run, steps=7, habits=HABITS)
    assert (run / "evals.jsonl").read_bytes() == before


def test_an_evaluation_that_cannot_be_done_now_is_said_and_the_run_goes_on(
    digits: tuple[Recipe, Dataset], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*anything: Any, **more: Any) -> ScoreCard:
        raise UserError("cannot write /home/banks: no space left on device")

    monkeypatch.setattr(evaluation, "score", full)
    assert train(*digits, tmp_path / "run", steps=3, habits=HABITS).step == 3
    assert "warning: step 2: not evaluated: cannot write /home/banks: no space left on device" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (Evaluation(2, extractor="classifier:nowhere"), "nowhere"),
        (Evaluation(2, num=1), "at least .* images are needed, got 1: raise the number of images"),
    ],
)
def test_what_cannot_be_evaluated_is_refused_before_anything_is_written(
    plan: Evaluation, message: str, digits: tuple[Recipe, Dataset], tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=message):
        train(*digits, tmp_path / "run", steps=2, habits=replace(HABITS, evaluation=plan))
    assert not (tmp_path / "run").exists()


def test_a_dataset_without_an_extractor_is_refused_before_step_1(
    ganeval: Callable[..., Result], real_folder: Path, tmp_path: Path
) -> None:
    done = ganeval("train", "reacgan", real_folder, *TINY, "--steps", 2, "--eval-every", 1, "--out", tmp_path / "run")
    assert done.exit_code == 2
    assert "or train one with 'ganeval classifier train" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_settings_of_evaluations_without_evaluations_are_refused(ganeval: Callable[..., Result], tmp_path: Path) -> None:
    done = ganeval("train", "reacgan", "digits", *TINY, "--eval-num", 50, "--out", tmp_path / "run")
    assert done.exit_code == 2
    assert done.stderr.startswith("ganeval: --eval-num says how to evaluate, but not when: add --eval-every STEPS")


def test_the_row_says_which_checkpoint_was_selected(ganeval: Callable[..., Result], run: Path, tmp_path: Path) -> None:
    common = ("score", run, "--metrics", "fid", "--num", 60, "--leaderboard", tmp_path)
    for which in ("best", "latest", "best"):
        done = ganeval(*common, "--checkpoint", which, "--json")
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout)["source"]["selection"] == {"best": "best", "latest": "last"}[which]
    assert ganeval("score", run / "checkpoints" / "step-00000007", *common[2:]).exit_code == 0
    table = read(tmp_path / "measured" / "digits.csv")
    best = int(resolve_checkpoint(run, "best").name[-8:])
    found = sorted(zip(table["selection"], table["steps"], strict=True))
    assert found == [("best", str(best)), ("last", "7")]  # the checkpoint by its name is the last one: no third row


def test_sample_export_and_cas_take_the_best_one_too(ganeval: Callable[..., Result], run: Path, tmp_path: Path) -> None:
    assert resolve_checkpoint(run, "best") != resolve_checkpoint(run)
    rules, device = CasProtocol(find_classifier_recipe("small"), 1), torch.device("cpu")
    for which in ("best", "latest"):
        options, itself = ("--checkpoint", which), resolve_checkpoint(run, which)
        grids = [tmp_path / f"{which}-{name}.png" for name in ("of-run", "of-checkpoint")]
        for words in ((run, "--out", grids[0], *options), (itself, "--out", grids[1])):
            assert ganeval("sample", *words, "--grid", "2x2").exit_code == 0
        assert grids[0].read_bytes() == grids[1].read_bytes()
        assert ganeval("export", run, tmp_path / which, *options).exit_code == 0
        assert load_generator(tmp_path / which).sha256 == load_generator(itself).sha256
        source, _ = open_cas(run, rules, None, num=40, seed=0, device=device, hints=None, which=which)
        assert source.origin["sha256"] == load_generator(itself).sha256
        assert source.origin["selection"] == {"best": "best", "latest": "last"}[which]
    assert (tmp_path / "best-of-run.png").read_bytes() != (tmp_path / "latest-of-run.png").read_bytes()


@pytest.mark.parametrize("verb", ["sample", "export", "cas"])
def test_every_verb_says_that_there_is_no_best(verb: str, ganeval: Callable[..., Result], tiny_run: Path, tmp_path: Path) -> None:
    out = {"sample": ("--out", tmp_path / "grid.png"), "export": (tmp_path / "out",), "cas": ()}[verb]
    done = ganeval(verb, tiny_run, *out, "--checkpoint", "best")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"ganeval: {tiny_run} has no best checkpoint, no checkpoint of the run was scored")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--eval-metrics", "is,fdi"), "unknown metric 'fdi': did you mean fid?"),
        (("--protocol", "small-v3"), "unknown protocol 'small-v3': did you mean small-v2 or small-v1?"),
    ],
)
def test_an_unknown_metric_or_protocol_is_said_before_anything_is_looked_for(
    options: tuple[str, ...], said: str, ganeval: Callable[..., Result], tmp_path: Path
) -> None:
    for dry in ((), ("-n",)):
        done = ganeval("train", "nothing", "nowhere", "--eval-every", 5, *options, "--out", tmp_path / "run", *dry)
        assert (done.exit_code, done.stdout) == (2, "")
        assert done.stderr.startswith(f"ganeval: {said}")


def test_a_run_without_evaluations_has_no_best(ganeval: Callable[..., Result], tiny_run: Path) -> None:
    done = ganeval("score", tiny_run, "--checkpoint", "best")
    assert done.exit_code == 2
    assert done.stderr == (
        f"ganeval: {tiny_run} has no best checkpoint, no checkpoint of the run was scored: train it with --eval-every N\n"
    )
    done = ganeval("score", resolve_checkpoint(tiny_run), "--checkpoint", "best")
    assert (done.exit_code, "it is not a run" in done.stderr) == (2, True)


def evaluated(step: int, distance: float | None, protocol: str = "p") -> dict[str, Any]:
    values = {} if distance is None else {"FD-x": distance}
    return {"step": step, "values": values, "distance": "FD-x", "protocol_sha256": protocol}


def test_the_best_is_the_smallest_of_what_is_comparable_with_the_last() -> None:
    assert best_step([]) is None
    assert best_step([evaluated(1, None)]) is None
    assert best_step([evaluated(1, 5.0), evaluated(2, 3.0), evaluated(3, 3.0), evaluated(4, 8.0)]) == 2
    assert best_step([evaluated(1, 1.0, "old"), evaluated(2, 9.0), evaluated(3, 7.0), evaluated(4, None)]) == 3


def test_a_folder_of_images_is_evaluated_with_an_extractor_of_its_own(
    ganeval: Callable[..., Result], real_folder: Path, tmp_path: Path
) -> None:
    options = ("--eval-every", 1, "--eval-num", 40, "--eval-metrics", "is", "--eval-extractor", "digits-cnn", "--no-tensorboard")
    done = ganeval("train", "reacgan", real_folder, *TINY, "--steps", 1, *options, "--out", tmp_path / "run")
    assert done.exit_code == 0, done.stderr
    (line,) = lines(tmp_path / "run" / "evals.jsonl")
    assert set(line["values"]) == {"FD-digits-cnn", "IS-digits-cnn"}
    assert not (tmp_path / "run" / "tensorboard").exists()
