"""What is found out about a reference serves later scores, which are the same to the bit."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import Result

from ganeval import code, features, floor
from ganeval.cache import Shelf, home
from ganeval.code import code_hash
from ganeval.features import FeatureBank, Moments
from ganeval.floor import floor_of
from ganeval.metrics import am_score, intra_frechet, kernel, neighbours
from ganeval.metrics.base import Metric, Need, Value
from ganeval.metrics.intra_frechet import IntraFrechet
from ganeval.metrics.memorisation import Memorisation
from ganeval.metrics.prdc import PrecisionRecallDensityCoverage
from ganeval.scorecard import ScoreCard
from ganeval.scoring import score

KEYS = ["fid", "ifid", "kid", "am", "recall", "memorised"]
REFERENCE, HELD_OUT = 1297, 500


@pytest.fixture(autouse=True)
def cold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANEVAL_HOME", str(tmp_path / "cold"))


def bank(seed: int, count: int, dimensions: int = 4, keeper: str | None = None) -> FeatureBank:
    rng = np.random.default_rng(seed)
    shelf = Shelf({"source": {"images": keeper}, "extractor": "e"}) if keeper else None
    labels = np.arange(count) % 2
    return FeatureBank(rng.standard_normal((count, dimensions)).astype(np.float32), labels=labels, keeper=shelf)


class Sizes:
    """Stands before a function and notes how many samples it is asked about."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> None:
        self.seen: list[int] = []
        self.function = getattr(module, name)
        monkeypatch.setattr(module, name, self)

    def __call__(self, samples: Any, *rest: Any) -> Any:
        self.seen.append(len(samples))
        return self.function(samples, *rest)

    def clear(self) -> list[int]:
        seen, self.seen = self.seen, []
        return seen


def digits_card(source: Path, seed: int = 0) -> ScoreCard:
    return score(source, num=1100, metrics=KEYS, seed=seed, per_class=True, device="cpu")


def same(one: ScoreCard, other: ScoreCard) -> bool:
    return dataclasses.replace(one, seconds=0, environment={}) == dataclasses.replace(other, seconds=0, environment={})


def test_a_second_score_finds_nothing_out_about_the_reference(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sought = Sizes(monkeypatch, neighbours, "nearest")
    formed = Sizes(monkeypatch, features, "moments_of")
    summed = Sizes(monkeypatch, kernel, "sums_within")
    predicted = Sizes(monkeypatch, am_score, "mean_prediction")
    digits_card(tiny_run)
    assert {REFERENCE, HELD_OUT} <= {*sought.clear()}
    assert {REFERENCE, HELD_OUT} <= {*formed.clear()}
    assert summed.clear() == [REFERENCE] * 2, "beside the generated and beside the held-out images"
    assert predicted.clear() == [REFERENCE]
    second = digits_card(tiny_run, seed=1)
    per_class = {entry.fakes for entry in second.per_class}
    assert {*sought.clear()} == {1100, *per_class}
    assert {*formed.seen} <= {1100, *per_class}
    assert summed.seen == predicted.seen == []
    monkeypatch.setenv("GANEVAL_HOME", str(tmp_path / "other"))
    assert same(digits_card(tiny_run, seed=1), second)
    assert REFERENCE in sought.seen


def test_damaged_findings_are_found_anew(ganeval: Callable[..., Result], tiny_run: Path) -> None:
    words = ("score", tiny_run, "--num", 1100, "--metrics", "fid,kid,am,precision,memorised", "--device", "cpu", "--json")
    first = json.loads(ganeval(*words).stdout)["scores"]
    kept = sorted(path for kind in home().iterdir() for path in kind.glob("*/found.safetensors"))
    assert {path.parents[1].name for path in kept} == {"moments", "neighbours", "kernel_sums", "mean_prediction", "floors"}
    before = {path: path.read_bytes() for path in kept}
    for path, content in before.items():
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert json.loads(ganeval(*words).stdout)["scores"] == first
    assert {path: path.read_bytes() for path in kept} == before


def test_fewer_neighbours_are_served_by_the_same_search_and_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    sought = Sizes(monkeypatch, neighbours, "nearest")
    fake, plain = bank(1, 150), bank(0, 200)
    for metric in (PrecisionRecallDensityCoverage(k=5), Memorisation(), PrecisionRecallDensityCoverage(k=3)):
        assert metric.compute(fake, bank(0, 200, keeper="a")) == metric.compute(fake, plain)
    assert sought.clear() == [200, 150, 200], "with the keeper, without it, and the generated ones once"
    PrecisionRecallDensityCoverage(k=6).compute(fake, bank(0, 200, keeper="a"))
    PrecisionRecallDensityCoverage(k=5).compute(fake, bank(2, 200, keeper="b"))
    assert sought.clear() == [200, 150, 200], "more neighbours of both, another reference"
    found = neighbours.neighbours_of(bank(0, 4, keeper="few"), 1, "test")
    assert found.squared.shape == (4, 3)


def test_a_part_of_the_reference_keeps_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    sought = Sizes(monkeypatch, neighbours, "nearest")
    fake, metric = bank(1, 150), PrecisionRecallDensityCoverage(reals=80)
    for rules in (metric, metric, dataclasses.replace(metric, reals_seed=1), PrecisionRecallDensityCoverage()):
        known = rules.compute(fake, bank(0, 200, keeper="a"))
        assert known == rules.compute(bank(1, 150), bank(0, 200))
    assert sought.seen.count(80) == 2 + 3
    assert sought.seen.count(200) == 1 + 1


def test_moments_of_classes_are_formed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    formed = Sizes(monkeypatch, features, "moments_of")
    fake, group = bank(1, 60), np.arange(60) % 3
    expected = Metric.without_groups(IntraFrechet(), fake, bank(0, 200), group)
    assert formed.clear() == [100, 100]
    for _ in range(2):
        assert IntraFrechet().without_groups(fake, bank(0, 200, keeper="a"), group) == expected
    assert formed.clear() == [100, 100]
    by_hand = [features.moments_of(bank(0, 200).features[label::2]) for label in (0, 1)]
    for label, moments in enumerate(by_hand):
        kept = intra_frechet.class_of(bank(0, 200, keeper="a"), label).moments
        assert np.array_equal(kept.cov, moments.cov)
        assert kept.count == 100


class Counted(Metric):
    """The number of times it was computed."""

    name = "counted"
    values = (Value("times", "T", "T", "lower", "1"),)
    needs: frozenset[Need] = frozenset()
    times = 0

    def compute(self, fake: FeatureBank, reference: FeatureBank | None) -> Mapping[str, float]:
        type(self).times += 1
        return {"times": float(self.times)}


def test_a_floor_belongs_to_its_images_its_reference_its_metric_and_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(floor, "plain", lambda metric: {})
    monkeypatch.setattr(Counted, "times", 0)
    held_out, reference, metric = bank(0, 10, keeper="held out"), bank(1, 10, keeper="train"), Counted()
    assert [floor_of(metric, held_out, reference)["times"] for _ in range(2)] == [1, 1]
    assert floor_of(metric, bank(2, 10, keeper="others"), reference)["times"] == 2
    assert floor_of(metric, held_out, bank(3, 10, keeper="other train"))["times"] == 3
    monkeypatch.setattr(floor, "plain", lambda metric: {"k": 3})
    assert floor_of(metric, held_out, reference)["times"] == 4
    monkeypatch.setattr(floor, "plain", lambda metric: {})
    assert floor_of(metric, held_out, reference)["times"] == 1
    monkeypatch.setattr(code, "version", lambda name: "0")
    code_hash.cache_clear()
    assert floor_of(metric, held_out, reference)["times"] == 5
    monkeypatch.undo()
    code_hash.cache_clear()


def test_without_anything_to_know_it_by_a_floor_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    Counted.times, reference = 0, bank(1, 10, keeper="train")
    monkeypatch.setattr(floor, "plain", lambda metric: {})
    pairs = ((bank(0, 10), reference), (reference, bank(1, 10)), (reference, None))
    told = [floor_of(Counted(), *pair)["times"] for pair in pairs]
    assert told == [1, 2, 3]
    monkeypatch.setattr(floor, "code_of", lambda metric: None)
    assert floor_of(Counted(), reference, reference)["times"] == 4
    assert not home().exists()


def test_what_is_kept_under_the_name_of_an_older_form_is_found_anew() -> None:
    from ganeval.checkpoints import save_folder, sha256_of

    shelf = Shelf({"source": {"images": "a"}, "extractor": "e"})
    save_folder(home() / "moments" / sha256_of(shelf.key), {"moments": {"mean": torch.zeros(2)}}, {"kind": "moments"})
    assert shelf.known("moments") is None
    found: Moments = dataclasses.replace(bank(0, 30), keeper=shelf).moments
    assert found.count == 30
    assert int(shelf.known("moments")["count"]) == 30
