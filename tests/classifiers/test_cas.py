"""The classification accuracy score in closed situations: the training images as a source, and again with wrong labels."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import Result
from torch.nn.functional import interpolate

from ganeval import cas as module
from ganeval.cas import CasProtocol, classification_accuracy_score, shrunk
from ganeval.classifiers.evaluate import accuracy
from ganeval.classifiers.recipe import find_classifier_recipe
from ganeval.classifiers.record import load_classifier
from ganeval.classifiers.training import Stopped, train_classifier
from ganeval.data.folder import FolderDataset
from ganeval.errors import UserError
from ganeval.leaderboard.table import open_table, ranked
from ganeval.scorecard import ScoreCard

SMALL = find_classifier_recipe("small", epochs=8)
QUICK = find_classifier_recipe("small", epochs=1)


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def own_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One cache for this file: the classifiers of the real images are trained once."""
    monkeypatch.setenv("GANEVAL_HOME", str(home))


def card_of(source: Path, dataset: FolderDataset, trainings: int = 1) -> ScoreCard:
    return classification_accuracy_score(source, dataset=str(dataset.root), recipe=SMALL, trainings=trainings, device="cpu")


@pytest.fixture
def permuted(shapes: FolderDataset, tmp_path: Path) -> Path:
    """The training images, every class called by the name of the next."""
    for old, new in (("bar", "post"), ("post", "square"), ("square", "bar")):
        shutil.copytree(shapes.root / "train" / old, tmp_path / "permuted" / new)
    return tmp_path / "permuted"


def test_the_training_images_themselves_score_what_real_images_do(shapes: FolderDataset, tmp_path: Path) -> None:
    card = card_of(shapes.root / "train", shapes, trainings=2)
    train_classifier(shapes, out=tmp_path / "cnn", recipe=SMALL)
    net, record, _ = load_classifier(tmp_path / "cnn")
    first = card.extractor["record"]["trainings"][0]
    assert first["real"] == record.test_accuracy
    assert first["gan_test"] == accuracy(net, shapes.load("train"), torch.device("cpu"))
    # The same images in the same order and the same seeds: not close, but the same.
    assert card["cas"].value == card["cas"].floor == card["gan_test"].floor
    assert card["cas"].floor > 0.8
    assert card["gan_test"].value > 0.85
    assert "cas_top5" not in [score.key for score in card.scores]
    assert [score.column for score in card.scores] == ["CAS-small", "GAN-test-small"]


def test_wrong_labels_are_worth_nothing(shapes: FolderDataset, permuted: Path) -> None:
    card = card_of(permuted, shapes)
    assert card["cas"].floor > 0.8
    assert card["cas"].value < 0.1
    assert card["gan_test"].value < 0.1


def test_means_and_errors_are_those_of_the_trainings(shapes: FolderDataset) -> None:
    card = card_of(shapes.root / "train", shapes, trainings=2)
    for key, floor in (("cas", "real"), ("gan_test", "real")):
        values = [training[key] for training in card.extractor["record"]["trainings"]]
        assert card[key].value == pytest.approx(np.mean(values), rel=1e-12)
        spread, p = abs(values[0] - values[1]) / 2, np.mean(values)
        images = p * (1 - p) / card.counts["fake"] if key == "gan_test" else 0.0
        assert card[key].std_error == pytest.approx(np.sqrt(spread**2 + images), rel=1e-12)
        assert card[key].interval.method == ("trainings and images" if key == "gan_test" else "trainings")
        assert card[key].interval.low <= p <= card[key].interval.high
        floors = [training[floor] for training in card.extractor["record"]["trainings"]]
        assert card[key].floor == pytest.approx(np.mean(floors), rel=1e-12)
    one = card_of(shapes.root / "train", shapes, trainings=1)
    assert [(score.std_error, score.interval) for score in one.scores] == [(None, None)] * 2
    assert one.protocol_sha256 != card.protocol_sha256
    assert one.extractor["sha256"] == card.extractor["sha256"]


def test_the_classifier_of_the_real_images_is_trained_once(
    shapes: FolderDataset, permuted: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GANEVAL_HOME", str(tmp_path / "home"))
    trained: list[int] = []
    train_on = module.train_on
    monkeypatch.setattr(
        module, "train_on", lambda training, *rest: trained.append(len(training.train)) or train_on(training, *rest)
    )
    words = {"dataset": str(shapes.root), "recipe": QUICK, "device": "cpu"}
    one = classification_accuracy_score(shapes.root / "train", **words)
    assert trained == [180, 180]
    two = classification_accuracy_score(permuted, **words)
    assert trained == [180, 180, 180]
    assert two["cas"].floor == one["cas"].floor
    again = classification_accuracy_score(permuted, **words)
    assert (again.scores, trained) == (two.scores, [180, 180, 180])
    for weights in (tmp_path / "home" / "classifiers").glob("*/classifier.safetensors"):
        weights.write_bytes(weights.read_bytes()[:-1])
    assert classification_accuracy_score(permuted, **words).scores == two.scores
    assert len(trained) == 5, "damaged classifiers are trained anew"


def test_a_checkpoint_by_the_command_line(ganeval: Callable[..., Result], tiny_run: Path, tmp_path: Path) -> None:
    words = ("cas", tiny_run, "--recipe", "small", "--epochs", "1", "--device", "cpu")
    done = ganeval(*words, "--json", "--out", tmp_path / "card.json", "--leaderboard", tmp_path)
    assert done.exit_code == 0, done.output
    assert (tmp_path / "card.json").read_text() == done.stdout
    card = ScoreCard.from_json(json.loads(done.stdout))
    assert (card.protocol, card.deviations, card.seed) == ("cas-v1", (), 0)
    assert card.counts == {"fake": 1297, "reference": 1297, "floor": 500}
    assert [score.key for score in card.scores] == ["cas", "cas_top5", "gan_test", "gan_test_top5"]
    assert 0.3 < card["cas_top5"].value < 0.7, "two steps of training teach nothing"
    few = ganeval(*words, "--num", "60", "--leaderboard", tmp_path)
    assert (few.exit_code, "not ranked: 60 images instead of 1,297" in few.stdout) == (0, True)
    assert "CAS-small" in few.stdout
    ((title, part),) = ranked(open_table(tmp_path, "digits"))
    assert title.startswith(f"cas-v1 ({card.protocol_sha256[:8]}) on small")
    assert part[["fakes", "rank"]].to_numpy().tolist() == [["1297", "1"], ["60", ""]]


def test_the_best_accuracy_is_ranked_first(shapes: FolderDataset, permuted: Path, tmp_path: Path) -> None:
    from ganeval.leaderboard.table import add

    for source in (permuted, shapes.root / "train"):
        add(tmp_path, card_of(source, shapes))
    ((_, part),) = ranked(open_table(tmp_path, "shapes"))
    assert part[["method", "rank"]].to_numpy().tolist() == [["train", "1"], ["permuted", "2"]]


def test_another_recipe_is_another_protocol() -> None:
    hashes = {
        CasProtocol(find_classifier_recipe("small", epochs=epochs), count).sha256() for epochs in (1, 2) for count in (1, 2)
    }
    assert len(hashes) == 4


def test_images_are_shrunk_as_torch_does_it() -> None:
    images = torch.randint(0, 256, (3, 2, 20, 20), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    expected = interpolate(images.double(), size=(8, 8), mode="bilinear", antialias=True)
    assert (shrunk(images, 8).double() - expected).abs().max() <= 0.5001
    assert shrunk(images, 20) is images


def test_a_source_larger_than_the_classifier(shapes: FolderDataset) -> None:
    recipe = find_classifier_recipe("small", "resolution=8", epochs=1)
    card = classification_accuracy_score(shapes.root / "train", dataset=str(shapes.root), recipe=recipe, device="cpu")
    assert (card.resolution, card.extractor["record"]["recipe"]["resolution"]) == (12, 8)
    assert card["cas"].value == card["cas"].floor


def test_what_cannot_be_scored(
    ganeval: Callable[..., Result], shapes: FolderDataset, unheld: FolderDataset, tiny_run: Path, stranger: Path, tmp_path: Path
) -> None:
    def refusal(*words: str | Path) -> str:
        done = ganeval("cas", *words, "--recipe", "small", "--epochs", "1")
        assert (done.exit_code, done.stdout) == (2, ""), done.output
        (line,) = done.stderr.splitlines()
        return line.removeprefix("ganeval: ")

    assert refusal(stranger).startswith("stranger does not say what it was trained on: give --dataset NAME")
    unlabelled = tmp_path / "unlabelled"
    shutil.copytree(shapes.root / "train" / "bar", unlabelled)
    assert unlabelled.name in refusal(unlabelled, "--dataset", shapes.root)
    line = refusal(unheld.root, "--dataset", unheld.root)
    assert line == "dataset 'unheld' holds nothing out: a classification accuracy score needs a test split of reals"
    shutil.copytree(shapes.root / "train", tmp_path / "two")
    shutil.rmtree(tmp_path / "two" / "bar")
    assert "missing bar" in refusal(tmp_path / "two", "--dataset", shapes.root)
    line = refusal(tiny_run, "--num", "7")
    assert line == "none of the 7 images is of class '7' and 2 more classes: every class has to be learned"
    assert refusal(tiny_run, "--dataset", shapes.root).startswith("dataset 'shapes' is not the one the checkpoint was trained on")
    assert refusal(tiny_run, "network.depth=3").startswith("unknown key 'network.depth'")
    assert refusal(tiny_run, "--out", tmp_path).endswith("it is a folder, give the name of a file")


def test_a_source_without_labels(shapes: FolderDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    open_source = module.open_source

    def unlabelled(*words: object, **options: object) -> object:
        source, dataset = open_source(*words, **options)
        source.labelled = False
        return source, dataset

    monkeypatch.setattr(module, "open_source", unlabelled)
    with pytest.raises(
        UserError, match="has no labelled images: a classification accuracy score needs images with their classes"
    ):
        card_of(shapes.root / "train", shapes)


def test_a_killed_score_goes_on(
    ganeval: Callable[..., Result], shapes: FolderDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    words = ["cas", str(shapes.root / "train"), "--dataset", str(shapes.root), "--json"]
    words += ["--recipe", "small", "--epochs", "30", "--device", "cpu"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GANEVAL_HOME": str(home)}
    deadline = time.monotonic() + 120
    with subprocess.Popen([sys.executable, "-m", "ganeval", *words], env=environment, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and not list(home.glob("classifiers/*.training/step-*")) and time.monotonic() < deadline:
            time.sleep(0.01)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    (left,) = home.glob("classifiers/*.training")
    scores = []
    for folder in (home, tmp_path / "whole"):
        monkeypatch.setenv("GANEVAL_HOME", str(folder))
        done = ganeval(*words)
        assert done.exit_code == 0, done.output
        scores.append(ScoreCard.from_json(json.loads(done.stdout)).scores)
    assert scores[0] == scores[1]
    assert not left.exists()


def test_a_signal_ends_it_with_the_status_shells_expect(
    ganeval: Callable[..., Result], shapes: FolderDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*words: object) -> None:
        raise Stopped(143)

    monkeypatch.setattr(module, "train_on", stop)
    done = ganeval("cas", shapes.root / "train", "--dataset", shapes.root, "--recipe", "small", "--epochs", "3")
    assert (done.exit_code, done.stdout, done.stderr) == (143, "", "stopped; the same command goes on\n")
