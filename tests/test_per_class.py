"""The per-class table: what each class has, what cannot be had, and the file."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from ganeval.errors import MetricError
from ganeval.features import FeatureBank
from ganeval.metrics.accuracy import Accuracy
from ganeval.metrics.intra_frechet import intra_class_distances
from ganeval.metrics.prdc import PrecisionRecallDensityCoverage, prdc
from ganeval.per_class import per_class, to_csv, worst
from ganeval.scorecard import ScoreCard

CLASSES = ("ant", "bee, wasp", "cat", "dog", "elk", "fox")
BALLS = PrecisionRecallDensityCoverage(k=3)


def bank(seed: int, counts: list[int], swapped: float = 0.0) -> FeatureBank:
    """Classes apart by 3 in every direction; of class 2 the fraction ``swapped`` lies where class 4 does."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(counts)), counts)
    places = np.where((labels == 2) & (rng.random(len(labels)) < swapped), 4, labels)
    features = rng.standard_normal((len(labels), 5)) + 3 * places[:, None]
    logits = -np.square(features.mean(axis=1, keepdims=True) - 3 * np.arange(len(CLASSES)))
    order = rng.permutation(len(labels))
    return FeatureBank(features[order].astype(np.float32), logits[order].astype(np.float32), labels[order])


REAL = bank(0, [40, 50, 60, 40, 40, 40])
FAKE = bank(1, [30, 30, 40, 30, 30, 30], swapped=0.4)


def test_each_class_by_itself() -> None:
    entries = per_class(FAKE, REAL, CLASSES, same_classes=True, balls=BALLS)
    assert [(entry.index, entry.name) for entry in entries] == list(enumerate(CLASSES))
    assert [(entry.fakes, entry.reals) for entry in entries[:3]] == [(30, 40), (30, 50), (40, 60)]
    assert {entry.index: entry.ifid for entry in entries} == pytest.approx(intra_class_distances(FAKE, REAL), rel=1e-9)
    for entry in entries:
        own = FAKE.take(FAKE.labels == entry.index)
        near = prdc(REAL.features[REAL.labels == entry.index], own.features, 3, "less")
        assert (entry.precision, entry.recall) == (near.precision, near.recall)
        assert {"top1": entry.top1, "top5": entry.top5} == Accuracy().compute(own, None)
    assert np.average([entry.top1 for entry in entries], weights=[entry.fakes for entry in entries]) == pytest.approx(
        Accuracy().compute(FAKE, None)["top1"], rel=1e-12
    )


def test_the_class_it_is_taken_for() -> None:
    entries = per_class(FAKE, REAL, CLASSES, same_classes=True, balls=BALLS)
    assert entries[2].confused_with == "elk"
    seen = FAKE.logits[FAKE.labels == 2].argmax(axis=1)
    assert entries[2].confused == (seen == 4).mean()
    assert 0.2 < entries[2].confused < 0.6
    right = per_class(bank(2, [4] * 6), REAL, CLASSES, same_classes=True, balls=BALLS)[0]
    assert (right.top1, right.confused_with, right.confused) == (1.0, None, 0.0)


def test_what_cannot_be_had_is_empty_and_the_rest_stays() -> None:
    few = bank(3, [1, 0, 3, 4, 30, 30])
    entries = per_class(few, REAL, CLASSES, same_classes=True, balls=BALLS)
    assert [entry.fakes for entry in entries] == [1, 0, 3, 4, 30, 30]
    assert [entry.ifid is None for entry in entries] == [True, True, False, False, False, False]
    assert [entry.precision is None for entry in entries] == [True, True, True, False, False, False]
    assert [entry.top1 is None for entry in entries] == [False, True, False, False, False, False]
    assert (entries[1].confused_with, entries[1].confused) == (None, None)
    others = per_class(few, REAL, CLASSES, same_classes=False, balls=BALLS)
    assert {(entry.top1, entry.top5, entry.confused_with, entry.confused) for entry in others} == {(None,) * 4}
    assert [entry.ifid for entry in others] == [entry.ifid for entry in entries]


def test_labels_are_needed() -> None:
    with pytest.raises(MetricError, match="the images carry no class labels"):
        per_class(FeatureBank(FAKE.features), REAL, CLASSES, same_classes=False, balls=BALLS)
    with pytest.raises(MetricError, match="the reference images carry no class labels"):
        per_class(FAKE, FeatureBank(REAL.features), CLASSES, same_classes=False, balls=BALLS)


def test_the_file_and_the_worst() -> None:
    few = bank(3, [1, 0, 30, 30, 30, 30], swapped=0.4)
    entries = per_class(few, REAL, CLASSES, same_classes=True, balls=BALLS)
    rows = list(csv.DictReader(io.StringIO(to_csv(entries, "digits-cnn"))))
    assert list(rows[0]) == [
        "class", "name", "fakes", "references", "iFD-digits-cnn", "Top-1-digits-cnn", "Top-5-digits-cnn", "Precision-digits-cnn",
        "Recall-digits-cnn", "confused with", "confused",
    ]  # fmt: skip
    assert "iFID" in to_csv(entries, "inception")
    assert rows[1] == dict(zip(rows[0], ["1", "bee, wasp", "0", "50", *[""] * 7], strict=True))
    assert (rows[2]["confused with"], float(rows[2]["iFD-digits-cnn"])) == ("elk", pytest.approx(entries[2].ifid, rel=1e-5))
    assert len(rows) == 6
    named = worst(entries)
    assert [name.split(" (")[0] for name in named] == sorted(
        CLASSES[2:], key=lambda name: -entries[CLASSES.index(name)].ifid
    )  # fmt: skip
    assert named[0].startswith("cat (")
    assert worst(entries, 1) == named[:1]


def test_the_command_writes_it_and_the_card_holds_it(ganeval: Callable[..., Result], tiny_run: Path, tmp_path: Path) -> None:
    table, card = tmp_path / "new" / "classes.csv", tmp_path / "card.json"
    done = ganeval("score", tiny_run, "--num", "60", "--metrics", "ifid", "--per-class", table, "--out", card)
    assert done.exit_code == 0, done.stderr
    entries = ScoreCard.from_json(json.loads(card.read_text())).per_class
    assert table.read_text() == to_csv(entries, "digits-cnn")
    assert [entry.fakes for entry in entries] == [6] * 10
    assert sum(entry.reals for entry in entries) == 1297
    mean = ScoreCard.from_json(json.loads(card.read_text()))["ifid"].value
    assert mean == pytest.approx(np.mean([entry.ifid for entry in entries]), rel=1e-12)
    assert "iFD-digits-cnn" in done.stdout
    assert done.stderr == f"farthest from the real images of their class: {', '.join(worst(entries))}\n"


def test_a_dash_prints_it_alone(ganeval: Callable[..., Result], tiny_run: Path) -> None:
    done = ganeval("score", tiny_run, "--num", "60", "--metrics", "fid", "--per-class", "-")
    assert done.exit_code == 0, done.stderr
    rows = list(csv.reader(io.StringIO(done.stdout)))
    assert [row[0] for row in rows] == ["class", *map(str, range(10))]
    without = ganeval("score", tiny_run, "--num", "60", "--metrics", "fid", "--json")
    assert json.loads(without.stdout)["per_class"] == []


def test_two_things_on_stdout_and_a_folder_for_a_file_are_refused(
    ganeval: Callable[..., Result], tiny_run: Path, tmp_path: Path
) -> None:
    both = ganeval("score", tiny_run, "--json", "--per-class", "-")
    assert (both.exit_code, both.stdout) == (2, "")
    assert "--json and --per-class - both print to stdout" in both.stderr
    folder = ganeval("score", tiny_run, "--per-class", tmp_path)
    assert (folder.exit_code, folder.stdout) == (2, "")
    assert "it is a folder, give the name of a file" in folder.stderr
