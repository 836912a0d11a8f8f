"""What is saved of one score and given to the next: nothing that was done otherwise is forgotten on the way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from ganeval.errors import UserError
from ganeval.scoring import score
from ganeval.sources.saving import Keep

STUDIOGAN = {"protocol": "studiogan-v0.4", "extractor": "digits-cnn", "metrics": ["fid"]}


def test_saved_features_remember_how_they_were_sampled(tiny_run: Path, tmp_path: Path) -> None:
    first = score(tiny_run, num=60, truncation=0.3, metrics=["fid"], keep=Keep(features=tmp_path / "features"))
    again = score(tmp_path / "features", dataset="digits", metrics=["fid"])
    assert "truncation 0.3 instead of none" in first.deviations
    assert again.deviations == first.deviations
    assert again["fid"].value == first["fid"].value


def test_saved_features_of_a_protocol_that_asks_the_dataset_are_of_that_protocol(tiny_run: Path, tmp_path: Path) -> None:
    first = score(tiny_run, num=60, **STUDIOGAN, keep=Keep(features=tmp_path / "features"))  # type: ignore[arg-type]
    again = score(tmp_path / "features", dataset="digits", **STUDIOGAN)  # type: ignore[arg-type]
    assert again.deviations == first.deviations


@pytest.mark.parametrize("protocol", ["small-v2", "studiogan-v0.3", "studiogan-v0.4", "stylegan-50k"])
def test_a_reference_of_every_protocol_is_taken_by_it(
    ganeval: Callable[..., Result], tiny_run: Path, tmp_path: Path, protocol: str
) -> None:
    how = ("--protocol", protocol, "--extractor", "digits-cnn")
    made = ganeval("ref", "digits", *how, "--out", tmp_path / "digits.npz")
    assert made.exit_code == 0, made.stderr
    for more in ((), ("--dataset", "digits")):
        done = ganeval("score", tiny_run, *how, "--num", 60, "--metrics", "fid", "--reference", tmp_path / "digits.npz", *more)
        assert done.exit_code == 0, done.stderr


def test_a_table_of_the_classes_that_cannot_be_is_refused_before_the_work(
    ganeval: Callable[..., Result], tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ganeval("ref", "digits", "--out", tmp_path / "digits.npz").exit_code == 0
    score(tiny_run, num=20, metrics=["fid"], keep=Keep(images=tmp_path / "images"))
    flat = tmp_path / "flat"
    flat.mkdir()
    for file in sorted((tmp_path / "images").rglob("*.png")):
        file.rename(flat / file.name)

    def never(*_: object, **__: object) -> None:
        raise AssertionError("something was computed")

    monkeypatch.setattr("ganeval.scoring.banks_of", never)
    with pytest.raises(UserError, match=r"no table of the classes: .*digits.npz has no images"):
        score(tiny_run, num=60, reference=tmp_path / "digits.npz", per_class=True)
    with pytest.raises(UserError, match="no table of the classes: flat has no labels"):
        score(flat, dataset="digits", metrics=["fid"], per_class=True)
