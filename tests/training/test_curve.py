"""Curves: the table behind them holds what was written, and the picture shows it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import Result
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from ganeval.pictures import save_side_by_side, tile
from ganeval.training.curve import LINEAR, LOGARITHMIC, RunHistory, _panel, read_histories, read_history, table
from ganeval.training.evaluation import COMPARABLE, best_step


def a_run(out: Path, log: list[dict[str, Any]], evals: list[dict[str, Any]] | None = None) -> Path:
    out.mkdir(parents=True)
    (out / "run.json").write_text("{}")
    (out / "log.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in log))
    if evals is not None:
        (out / "evals.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in evals))
    return out


LOG = [
    {"step": 2, "d_loss": 2.0, "g_loss": 1.0, "real_logit": 0.5, "fake_logit": -0.5, "d_grad_norm": 3.0, "g_grad_norm": 0.01},
    {"step": 4, "d_loss": 1.5, "g_loss": 1.25, "real_logit": 1.5, "fake_logit": -1.0, "d_grad_norm": 9.0, "g_grad_norm": 0.1,
     "warnings": ["zero-loss: for a test"]},
]  # fmt: skip
EVALS = [
    {"step": 4, "values": {"FD-x": 30.0, "IS-x": 2.0}, "distance": "FD-x"},
    {"step": 5, "values": {"FD-x": 20.0}, "distance": "FD-x", "failed": {"IS-x": "failed: for a test"}},
]


def test_the_csv_is_what_was_written(ganeval: Callable[..., Result], tmp_path: Path) -> None:
    a, b = a_run(tmp_path / "a", LOG, EVALS), a_run(tmp_path / "b", LOG[:1])
    done = ganeval("curve", a, b, "--out", tmp_path / "c.png", "--csv", tmp_path / "c.csv")
    assert (done.exit_code, done.stdout) == (0, f"{tmp_path / 'c.png'}\n{tmp_path / 'c.csv'}\n")
    found = pd.read_csv(tmp_path / "c.csv")
    assert list(zip(found["run"], found["step"], strict=True)) == [("a", 2), ("a", 4), ("a", 5), ("b", 2)]
    assert found["d_loss"].tolist()[:2] == [2.0, 1.5]
    assert found["FD-x"].tolist()[1:3] == [30.0, 20.0]
    assert found[["d_loss", "FD-x"]].isna().to_numpy().tolist() == [[False, True], [False, False], [True, False], [False, True]]
    assert "warnings" not in found
    with Image.open(tmp_path / "c.png") as picture:
        assert picture.format == "PNG"
        assert min(picture.size) > 300


def colours_in(path: Path) -> set[tuple[int, int, int]]:
    pixels = np.asarray(Image.open(path).convert("RGB")).reshape(-1, 3)
    return {(int(r), int(g), int(b)) for r, g, b in np.unique(pixels, axis=0)}


def test_every_run_has_its_colour_and_more_panels_make_a_larger_picture(ganeval: Callable[..., Result], tmp_path: Path) -> None:
    runs = [a_run(tmp_path / name, LOG, EVALS) for name in ("a", "b", "c")]
    ganeval("curve", *runs, "--out", tmp_path / "three.png")
    ganeval(
        "curve", a_run(tmp_path / "d", [{"step": 1, "d_loss": 1.0}, {"step": 9, "d_loss": 2.0}]), "--out", tmp_path / "one.png"
    )
    blue, green = (0x00, 0x72, 0xB2), (0x00, 0x9E, 0x73)
    assert {blue, green} <= colours_in(tmp_path / "three.png")  # the last one drawn lies on top
    assert blue in colours_in(tmp_path / "one.png")
    assert green not in colours_in(tmp_path / "one.png")
    sizes = [Image.open(tmp_path / name).size for name in ("three.png", "one.png")]
    assert sizes[0][0] > 2 * sizes[1][0]


def panel(field: str, scale: str, *runs: RunHistory) -> Axes:
    axis = Figure(figsize=(4.6, 3.1), layout="constrained").subplots()
    _panel(axis, runs, field, (field,), scale)
    return axis


def evaluated(step: int, distance: float, **how: Any) -> dict[str, Any]:
    return {"step": step, "values": {"FD-x": distance}, "distance": "FD-x", **dict.fromkeys(COMPARABLE, "same"), **how}


@pytest.mark.parametrize("what", COMPARABLE)
def test_only_comparable_evaluations_are_joined_and_the_star_is_at_the_best_of_them(what: str) -> None:
    other = {what: "other"}
    evals = (evaluated(1, 9.0), evaluated(2, 1.0, **other), evaluated(3, 7.0), evaluated(4, 2.0, **other), evaluated(5, 8.0))
    axis = panel("FD-x", LINEAR, RunHistory("a", (), evals))
    drawn = [(line.get_linestyle(), line.get_marker(), *map(list, line.get_data())) for line in axis.lines]
    assert drawn == [(":", ".", [2, 4], [1, 2]), ("-", ".", [1, 3, 5], [9, 7, 8]), ("None", "*", [3], [7])]
    assert best_step(evals) == 3


def test_the_star_is_where_the_best_is_of_two_equals_and_nowhere_without_a_distance() -> None:
    lines = (evaluated(1, 5.0), evaluated(2, 3.0), evaluated(3, 3.0), {**evaluated(4, 0.0), "values": {}})
    stars = [line for line in panel("FD-x", LINEAR, RunHistory("a", (), lines)).lines if line.get_marker() == "*"]
    assert [list(star.get_xdata()) for star in stars] == [[2]]
    without = RunHistory("a", (), ({"step": 1, "values": {"FD-x": 3.0}}, {**evaluated(2, 0.0), "values": {}}))
    assert [line.get_marker() for line in panel("FD-x", LINEAR, without).lines] == [".", "."]


@pytest.mark.parametrize("base", [1e-7, 0.02, 1.0, 37.0, 4e6])
@pytest.mark.parametrize("spread", [0.0, 1e-12, 1e-6, 1e-3, 0.04, 0.9, 5.0, 8.9, 9.5, 40.0, 1e4, 1e9])
def test_the_labels_of_a_logarithmic_axis_are_distinct_and_short(base: float, spread: float) -> None:
    runs = [RunHistory(name, ({"step": 1, "sigma": value},), ()) for name, value in (("a", base), ("b", base * (1 + spread)))]
    for chosen in (runs, [replace(runs[0], log=runs[0].log + runs[1].log)]):
        axis = panel("sigma", LOGARITHMIC, *chosen)
        axis.figure.draw_without_rendering()
        low, high = axis.get_ylim()
        assert low < base <= base * (1 + spread) < high
        shown = [label.get_text() for label in axis.get_yticklabels() if low <= label.get_position()[1] <= high]
        assert len(shown) == len(set(shown)), shown
        assert 2 < len(shown) < 12, shown
        assert all(0 < len(label) < 9 for label in shown), shown
        assert not [label.get_text() for label in axis.get_yticklabels(minor=True) if label.get_text()]


@pytest.mark.filterwarnings("error")
def test_norms_that_are_all_zero_are_drawn_without_a_warning() -> None:
    axis = panel("sigma", LOGARITHMIC, RunHistory("a", ({"step": 1, "sigma": 0.0}, {"step": 2, "sigma": 0.0}), ()))
    axis.figure.draw_without_rendering()
    assert axis.get_yscale() == LINEAR


def test_a_long_log_is_smoothed(ganeval: Callable[..., Result], tmp_path: Path) -> None:
    noisy = [{"step": step, "d_loss": (-1.0) ** step} for step in range(1, 1001)]
    assert ganeval("curve", a_run(tmp_path / "long", noisy), "--out", tmp_path / "c.png").exit_code == 0
    from ganeval.training.curve import _smoothed

    steps, values = _smoothed(*read_history(tmp_path / "long").points("d_loss"))
    assert np.abs(values).max() < 0.05
    assert (len(values), steps[0]) == (1000 - 25 + 1, 13)  # windows of 25; the first one's middle is step 13


def test_runs_of_one_name_are_told_apart_by_their_paths(tmp_path: Path) -> None:
    runs = [a_run(tmp_path / name / "run", LOG) for name in ("a", "b")]
    assert set(table(read_histories(runs))["run"]) == {str(run) for run in runs}


@pytest.mark.parametrize("what", ["nothing", "a folder", "no log"])
def test_what_has_no_curve_is_said_in_one_line(what: str, ganeval: Callable[..., Result], tmp_path: Path) -> None:
    path = tmp_path / "run"
    if what == "a folder":
        path.mkdir()
    if what == "no log":
        a_run(path, [])
    done = ganeval("curve", path, "--out", tmp_path / "c.png")
    assert done.exit_code == 2
    assert done.stderr == (
        f"ganeval: {path} has no log yet: there is nothing to draw\n"
        if what == "no log"
        else f"ganeval: {path} is not a run: give a folder that 'ganeval train' made\n"
    )
    assert not (tmp_path / "c.png").exists()


def test_a_picture_that_cannot_be_written_is_said_first(ganeval: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = ganeval("curve", a_run(tmp_path / "run", LOG), "--out", tmp_path / "file" / "c.png")
    assert done.exit_code == 2
    assert "not a directory" in done.stderr


@pytest.mark.parametrize("name", ["c.jpg", "c.pdf", "c", "c.png.csv"])
def test_a_picture_under_a_name_of_another_kind_is_refused(name: str, ganeval: Callable[..., Result], tmp_path: Path) -> None:
    done = ganeval("curve", a_run(tmp_path / "run", LOG), "--out", tmp_path / name)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == f"ganeval: --out {tmp_path / name}: the picture is a PNG, give a name that ends in .png\n"
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize("csv", ["c.png", "run/../c.png", "link.csv"])
def test_the_picture_and_the_table_in_one_file_are_refused(csv: str, ganeval: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "link.csv").symlink_to(tmp_path / "c.png")
    done = ganeval("curve", a_run(tmp_path / "run", LOG), "--out", tmp_path / "c.png", "--csv", tmp_path / csv)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == (f"ganeval: --out {tmp_path / 'c.png'} and --csv {tmp_path / csv} are the same file: give two names\n")
    assert not (tmp_path / "c.png").exists()


def test_the_case_of_the_suffix_does_not_matter(ganeval: Callable[..., Result], tmp_path: Path) -> None:
    assert ganeval("curve", a_run(tmp_path / "run", LOG), "--out", tmp_path / "c.PNG").exit_code == 0


def test_samples_left_reals_right_and_a_thin_line_between(tmp_path: Path) -> None:
    left = torch.full((6, 1, 4, 4), 10, dtype=torch.uint8)
    right = torch.full((6, 3, 4, 4), 200, dtype=torch.uint8)
    save_side_by_side(left, right, 3, tmp_path / "both.png", smallest=1)
    pixels = np.asarray(Image.open(io.BytesIO((tmp_path / "both.png").read_bytes())))
    width = tile(left, 3).width
    assert pixels.shape == (2 * 6 + 2, 2 * width + 2, 3)
    assert np.array_equal(pixels[:, :width], np.asarray(tile(left, 3)))
    assert np.array_equal(pixels[:, width + 2 :], np.asarray(tile(right, 3)))
    assert (pixels[:, width : width + 2] == 64).all()


def test_the_grid_of_a_run_shows_its_real_images(tiny_run: Path) -> None:
    """The right half of every grid is the picture of the real ones, at the same size."""
    grid = np.asarray(Image.open(tiny_run / "grids" / "step-00000002.png").convert("RGB"))
    real = np.asarray(Image.open(tiny_run / "grids" / "real.png").convert("RGB"))
    assert grid.shape[0] == real.shape[0]
    assert np.array_equal(grid[:, -real.shape[1] :], real)
