"""A generator of unknown origin and nothing else: what it can be told, and what would tell more."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from ganeval.checkpoints import canonical_json
from ganeval.data.base import ImageSet
from ganeval.data.registry import find_dataset
from ganeval.errors import UserError
from ganeval.extractors.classifier import ClassifierExtractor
from ganeval.leaderboard.table import add
from ganeval.protocols import PROTOCOLS
from ganeval.scorecard import ScoreCard
from ganeval.scoring import score
from ganeval.terminal import show_card

COUNT = 60
ORACLES = Path(__file__).resolve().parents[2] / "shared" / "oracle" / "checkpoints"


def test_what_needs_no_reference_is_scored(stranger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    card = score(stranger, extractor="digits-cnn", num=COUNT)
    known = score(stranger, extractor="digits-cnn", num=COUNT, dataset="digits", metrics=["is"])
    assert [each.key for each in card.scores] == ["is"]
    assert card["is"].value == known["is"].value
    assert card["is"].std_error == known["is"].std_error
    assert card["is"].floor is None
    assert (card.dataset, card.reference_sha256) == ("", "")
    assert card.counts == {"fake": COUNT, "reference": 0, "floor": 0}
    assert card.deviations == ("no reference", f"{COUNT} images instead of 5,000")
    (left_out,) = card.left_out
    named, _, why = left_out.partition(": ")
    metrics = PROTOCOLS.get("small-v2").metrics
    assert set(named.split(", ")) == {value.key for metric in metrics for value in metric.values} - {"is"}
    assert why == "stranger does not say what it was trained on: give --dataset NAME (with 10 classes, 16 px: digits)"
    text = canonical_json(card.to_json())
    assert canonical_json(ScoreCard.from_json(json.loads(text)).to_json()) == text
    show_card(card)
    shown = capsys.readouterr().out
    assert shown.startswith("model=G.pth without a reference\n")
    assert f"left out: {left_out}\n" in shown
    assert "real;" not in shown


def test_what_is_asked_for_and_cannot_be_had_is_an_error(stranger: Path) -> None:
    ask = r"does not say what it was trained on: give --dataset NAME \(with 10 classes, 16 px: digits\)"
    with pytest.raises(UserError, match=f"fid: stranger {ask}"):
        score(stranger, extractor="digits-cnn", metrics=["is", "fid"])
    with pytest.raises(UserError, match=f"fid: stranger {ask}"):
        score(stranger, protocol="ttur")


def test_it_belongs_to_no_leaderboard(stranger: Path, tmp_path: Path) -> None:
    card = score(stranger, extractor="digits-cnn", num=COUNT)
    with pytest.raises(UserError, match="a score without a reference belongs to no leaderboard"):
        add(tmp_path, card)
    assert list(tmp_path.iterdir()) == []


def test_without_an_extractor_it_is_inception(
    ganeval: Callable[..., Result], stranger: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def offline(*_: object, **__: object) -> None:
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr("urllib.request.urlopen", offline)
    monkeypatch.setenv("GANEVAL_HOME", str(tmp_path))
    done = ganeval("score", stranger)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("ganeval: the weights of 'inception' are not here and could not be downloaded")
    assert done.stderr.endswith(", or choose another network with --extractor NAME (see 'ganeval ls extractors')\n")


def test_a_dataset_and_an_extractor_that_are_both_missing_are_said_together(
    ganeval: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GANEVAL_HOME", str(tmp_path / "home"))
    np.savez(tmp_path / "images.npz", arr_0=np.zeros((60, 32, 32, 3), np.uint8), arr_1=np.arange(60) % 10)
    words = ("score", tmp_path / "images.npz", "--dataset", "cifar10", "--metrics", "fid", "--extractor")
    prepare, lacking = "dataset 'cifar10' is not prepared at 32 pixels: run", f"no file at {tmp_path}/none.pth"
    for extractor, said in ((f"inception:{tmp_path}/none.pth", [prepare, lacking]), ("digits-cnn", [prepare])):
        done = ganeval(*words, extractor)
        assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert [text in done.stderr for text in (prepare, lacking)] == [text in said for text in (prepare, lacking)]
    done = ganeval(*words, "inceptoin")
    assert done.stderr.startswith("ganeval: unknown extractor 'inceptoin'")


@pytest.mark.parametrize("name", ["cifar10-reacgan", "cifar10-biggan-deep"])
def test_a_studiogan_file_with_nothing_else(ganeval: Callable[..., Result], name: str) -> None:
    file = next(iter(sorted(ORACLES.glob(f"{name}/model=G_ema*"))), None)
    if file is None:
        pytest.skip("no StudioGAN checkpoint at ../shared/oracle/checkpoints")
    done = ganeval("score", file, "--extractor", "digits-cnn", "--num", 30)
    assert (done.exit_code, done.stderr) == (0, "")
    assert re.search(r"^IS-digits-cnn ↑ +[0-9.]+ +[0-9.]+", done.stdout, flags=re.MULTILINE)
    assert re.search(r"left out: fid, .* \(with 10 classes, 32 px: cifar10 or", done.stdout)


def test_weights_go_to_the_extractor_that_is_named(ganeval: Callable[..., Result], stranger: Path, tmp_path: Path) -> None:
    file = tmp_path / "none.pth"
    for words in (("--extractor", "inception"), ("--protocol", "torch-fidelity")):
        assert str(file) in ganeval("score", stranger, "--weights", file, *words).stderr
    for words in ((), ("--extractor", "inception:other.pth")):
        assert "say whose weights they are with --extractor NAME" in ganeval("score", stranger, "--weights", file, *words).stderr


def test_what_means_nothing_on_the_extractor_is_left_out_unless_it_is_asked_for(
    tiny_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Inception: class logits, but not of the dataset's classes."""
    small = PROTOCOLS.get("small-v2")
    few = dataclasses.replace(small, metrics=(small.metrics[0], *small.metrics[2:4], small.metrics[5]))
    monkeypatch.setitem(PROTOCOLS._items, "for-a-test", few)
    monkeypatch.setattr(ClassifierExtractor, "__init__", _nameless(ClassifierExtractor.__init__))
    card = score(tiny_run, num=COUNT, protocol="for-a-test")
    assert card.failed == []
    assert [each.key for each in card.scores] == ["fid", "is"]
    assert card.left_out == ("am, am_entropy, am_kl, top1, top5: digits-cnn is no classifier of a dataset's classes",)
    asked = score(tiny_run, num=COUNT, protocol="for-a-test", metrics=["top1"])
    assert [(each.key, each.value) for each in asked.failed] == [("top1", None)]
    assert asked.left_out == ()


def test_what_needs_more_real_images_is_left_out_unless_it_is_asked_for(
    real_folder: Path, save_images: Callable[[ImageSet, Path], Path], tmp_path: Path
) -> None:
    whole = find_dataset("digits").load("train")
    few = save_images(ImageSet(whole.images[:120], whole.labels[:120], whole.classes), tmp_path / "few")
    card = score(real_folder, dataset=str(few), extractor="digits-cnn")
    assert card.failed == []
    assert "kid" not in [each.key for each in card.scores]
    real = card.counts["reference"]
    assert 0 < real < 250
    assert f"kid: at least 250 reference images are needed, there are {real}" in card.left_out
    (asked,) = score(real_folder, dataset=str(few), extractor="digits-cnn", metrics=["kid"]).scores
    assert "subsets of 250 cannot be drawn" in asked.status


def _nameless(init: Callable[..., None]) -> Callable[..., None]:
    def made(self: ClassifierExtractor, *args: object, **more: object) -> None:
        init(self, *args, **more)
        self.classes = None  # type: ignore[assignment]

    return made
