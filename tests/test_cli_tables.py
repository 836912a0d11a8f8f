"""What a person sees: tables that fit a terminal of 80 columns, and names that appear as they are."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import Result

from ganeval.leaderboard.table import add
from ganeval.scorecard import Interval, Score, ScoreCard
from ganeval.scoring import score
from ganeval.terminal import show_card

METRICS = {
    "fid": ("FD", "lower", "squared feature distance"), "kid": ("KD", "lower", "squared kernel distance"),
    "is": ("IS", "higher", "classes"), "am_entropy": ("AM entropy", "lower", "nats"),
    "precision": ("Precision", "higher", "fraction"), "top1": ("Top-1", "higher", "fraction"),
}  # fmt: skip


@pytest.fixture
def card(tiny_run: Path) -> ScoreCard:
    """A card with values of every length under long names."""
    real = score(tiny_run, num=20, metrics=["fid"])
    numbers = ((143.2, 0.7501, 0.114), (-0.0002236, 0.000384, -0.02331), (9.825, 0.02265, 9.825), (0.0001521, 0.00082, 0.000152))
    scores = []
    for i, (key, (name, better, unit)) in enumerate(METRICS.items()):
        value, error, floor = numbers[i % 4]
        interval = Interval(value - 2.26 * error, value + 2.26 * error, 0.95, "jackknife")
        scores.append(Score(key, f"{name}-digits-cnn", value, error, floor, better, unit, interval=interval))  # type: ignore[arg-type]
    return replace(real, scores=tuple(scores), counts={"fake": 5000, "reference": 1297, "floor": 500}, deviations=())


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard output passes for a terminal of 80 columns."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")


def shown(card: ScoreCard, capsys: pytest.CaptureFixture[str]) -> list[str]:
    capsys.readouterr()
    show_card(card)
    out, err = capsys.readouterr()
    assert err == ""
    return [line.rstrip() for line in click.unstyle(out).splitlines()]


@pytest.mark.usefixtures("terminal")
def test_a_card_fits_80_columns_with_one_line_per_metric(card: ScoreCard, capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(card, capsys)
    assert lines[0] == "reacgan, step 2 on digits"
    assert lines[1].split() == ["held-out"]
    assert lines[2].split() == ["metric", "value", "±", "s.e.", "95", "%", "interval", "real"]
    assert max(map(len, lines[:10])) <= 80
    assert [line.split("  ")[0] for line in lines[4:10]] == [
        "FD-digits-cnn ↓", "KD-digits-cnn ↓", "IS-digits-cnn ↑", "AM entropy-digits-cnn ↓", "Precision-digits-cnn ↑",
        "Top-1-digits-cnn ↑",
    ]  # fmt: skip
    assert lines[4].split() == ["FD-digits-cnn", "↓", "143.2", "0.75", "141.5", "…", "144.9", "0.114"]
    assert lines[5].split()[2:] == ["-0.0002236", "0.00038", "-0.0011", "…", "0.0006", "-0.0233"]
    assert lines[10].startswith("protocol small-v2 ")
    assert ", seed 0; extractor digits-cnn (test accuracy 9" in lines[10]
    assert lines[11].startswith("5,000 images against 1,297 real; held out: 500; ")
    assert len(lines) == 12


@pytest.mark.usefixtures("terminal")
def test_a_failure_is_said_below_the_table_and_nowhere_a_number(card: ScoreCard, capsys: pytest.CaptureFixture[str]) -> None:
    reason = "failed: the classes of [bold]x[/bold] are not those of [digits]"
    failed = replace(card.scores[-1], value=None, std_error=None, floor=None, interval=None, status=reason)
    lines = shown(replace(card, scores=(card.scores[0], failed), deviations=("20 images instead of 5,000",)), capsys)
    assert lines[5].split() == ["Top-1-digits-cnn", "↑", "failed"]
    assert lines[6] == f"Top-1-digits-cnn {reason}"
    assert lines[-1] == "not ranked: 20 images instead of 5,000"


def test_units_stand_where_there_is_room(
    card: ScoreCard, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "106")
    lines = shown(card, capsys)
    assert lines[2].split()[-1] == "unit"
    assert lines[4].split()[-3:] == ["squared", "feature", "distance"]
    assert 80 < max(map(len, lines[:10])) <= 106


def test_what_is_beside_the_protocol_is_said(card: ScoreCard, capsys: pytest.CaptureFixture[str]) -> None:
    extra = replace(card.scores[0], extra={"metric": "frechet"})
    lines = shown(replace(card, scores=(extra, *card.scores[1:])), capsys)
    assert lines[-1] == "beside the protocol, with their own default parameters: FD-digits-cnn"


def test_too_few_images_for_errors_is_said_below_the_table(card: ScoreCard, capsys: pytest.CaptureFixture[str]) -> None:
    why = "no standard errors by the jackknife: it needs 10 images, one per group"
    bare = replace(card, scores=tuple(replace(score, std_error=None, interval=None) for score in card.scores))
    for few, protocol, said in ((7, "small-v2", True), (10, "small-v2", False), (7, "cas-v1", False)):
        lines = shown(replace(bare, counts={**card.counts, "fake": few}, protocol=protocol), capsys)
        assert (why in lines) == said
    assert why not in shown(replace(card, counts={**card.counts, "fake": 7}), capsys)


def test_names_appear_as_they_are(card: ScoreCard, capsys: pytest.CaptureFixture[str]) -> None:
    folder = replace(card, source={"kind": "folder", "name": "[red]:smile:", "sha256": "0"}, seed=None)
    lines = shown(folder, capsys)
    assert lines[0] == "[red]:smile: on digits"
    assert "seed" not in lines[-2]


def test_a_table_in_a_file_has_every_column_on_one_line(ganeval: Callable[..., Result], card: ScoreCard, tmp_path: Path) -> None:
    wide = tuple(replace(each, column=f"{each.column}-{copy}") for copy in range(5) for each in card.scores)
    add(tmp_path, replace(card, scores=card.scores + wide))
    done = ganeval("leaderboard", "show", "digits", "--root", tmp_path)
    lines = done.stdout.splitlines()
    assert len([line for line in lines if line.split()[:1] == ["1"]]) == 1
    assert next(line for line in lines if line.split()[:1] == ["1"]).count("±") == 36


@pytest.mark.usefixtures("terminal")
def test_a_leaderboard_is_cut_into_blocks_of_whole_columns(
    ganeval: Callable[..., Result], card: ScoreCard, tmp_path: Path
) -> None:
    add(tmp_path, card)
    done = ganeval("leaderboard", "show", "digits", "--root", tmp_path)
    lines = [line.rstrip() for line in click.unstyle(done.stdout).splitlines()]
    assert (done.exit_code, done.stderr) == (0, "")
    assert lines[0].startswith("digits: small-v2 (")
    assert max(map(len, lines)) <= 80
    assert not any("…" in line for line in lines)
    blocks = [line for line in lines if line.startswith("rank")]
    assert len(blocks) > 1
    assert all(line.split()[:2] == ["rank", "method"] for line in blocks)
    rows = [line for line in lines if line.split()[:1] == ["1"]]
    assert len(rows) == len(blocks)
    assert sum(row.count("±") for row in rows) == len(METRICS)
    assert any("143.2 ± 0.75" in row for row in rows)


def test_a_score_on_paper_and_in_json_are_the_same_and_land_where_asked(
    ganeval: Callable[..., Result], tiny_run: Path, tmp_path: Path
) -> None:
    words: list[Any] = ["score", tiny_run, "--num", "250", "--metrics", "fid,is,top1"]
    done = ganeval(*words, "--json", "--out", tmp_path / "new" / "card.json", "--leaderboard", tmp_path)
    path = tmp_path / "measured" / "digits.csv"
    assert (done.exit_code, done.stderr) == (0, f"wrote the row to {path}\n")
    assert (tmp_path / "new" / "card.json").read_text() == done.stdout
    card = ScoreCard.from_json(json.loads(done.stdout))
    assert card["fid"] == score(tiny_run, num=250, metrics=["fid"])["fid"]
    before = path.read_bytes()
    again = ganeval(*words, "--leaderboard", tmp_path)
    assert (again.exit_code, again.stderr) == (0, f"the row is already in {path}\n")
    assert path.read_bytes() == before
    assert f"{card['fid'].value:.4g}" in again.stdout
    assert "FD-digits-cnn" in again.stdout
    assert "FID" not in done.stdout + again.stdout


def test_a_failed_metric_is_status_1_with_everything_else_in_place(
    ganeval: Callable[..., Result], tiny_run: Path, tmp_path: Path
) -> None:
    from ganeval.checkpoints import load_folder, save_folder
    from ganeval.extractors.digits_cnn import FOLDER

    whole = load_folder(FOLDER)
    save_folder(tmp_path / "cnn", whole.tensors, {**whole.record, "classes": list("abcdefghij")})
    words = ["score", tiny_run, "--num", "250", "--extractor", f"classifier:{tmp_path / 'cnn'}", "--metrics", "fid,top1"]
    done = ganeval(*words, "--json", "--leaderboard", tmp_path)
    fid, top1 = (ScoreCard.from_json(json.loads(done.stdout))[key] for key in ("fid", "top1"))
    assert done.exit_code == 1
    assert (fid.status, top1.status) == ("ok", "failed: the classes of cnn are not those of digits")
    assert fid.value is not None
    assert top1.value is None
    csv = ganeval("leaderboard", "export", "digits", "--root", tmp_path).stdout
    assert "Top-1-cnn failed: the classes of cnn are not those of digits" in csv
    plain = ganeval(*words)
    assert plain.exit_code == 1
    assert "Top-1-cnn failed: the classes of cnn are not those of digits" in plain.stdout
    classes = ganeval(*words, "--per-class", "-")
    assert (classes.exit_code, classes.stdout[:10]) == (1, "class,name")
    assert "Top-1-cnn failed: the classes of cnn are not those of digits\n" in classes.stderr
