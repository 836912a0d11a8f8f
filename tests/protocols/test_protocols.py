"""Protocols: their hashes stay what was published, and each field is a thing that is done."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ganeval.batch_statistics import Batch, Running, Standing
from ganeval.canonical import later, plain
from ganeval.checkpoints import canonical_json
from ganeval.data.base import ImageSet
from ganeval.data.registry import find_dataset
from ganeval.errors import UserError
from ganeval.extractors.registry import EXTRACTORS
from ganeval.features import FeatureBank, moments_of
from ganeval.metrics.frechet import Frechet, frechet_distance
from ganeval.metrics.inception_score import InceptionScore, score_of_split
from ganeval.metrics.prdc import PrecisionRecallDensityCoverage, prdc
from ganeval.protocols import HELD_OUT, PROTOCOLS, Protocol
from ganeval.protocols.ganeval_v1 import METRICS
from ganeval.scoring import score
from ganeval.sources import Samples, open_source

SMALL_V1 = "8b0aa5ee8ad13b7ab39bda97418c50acad97d66349b764c49e39d336ce98a13d"
SMALL_V2 = "6cbbff8fc9b5e3facf3171db9f3d12c66f1b0dcb5528987005b8c06cace42093"
"""In rows of leaderboards/measured: it never changes."""

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Protocol]:
    """Registers, for one test, small-v1 or another protocol with other fields as ``for-a-test``."""

    def register(base: str = "small-v1", **fields: object) -> Protocol:
        protocol = dataclasses.replace(PROTOCOLS.get(base), name="for-a-test", **fields)
        monkeypatch.setitem(PROTOCOLS._items, "for-a-test", protocol)
        return protocol

    return register


def test_the_hash_that_is_in_published_rows() -> None:
    assert PROTOCOLS.get("small-v1").sha256() == SMALL_V1
    assert PROTOCOLS.get("small-v2").sha256() == SMALL_V2
    assert SMALL_V2 in (ROOT / "leaderboards" / "measured" / "digits.csv").read_text(encoding="utf-8")


def test_the_protocols_that_there_are() -> None:
    assert set(PROTOCOLS.names()) >= {
        "small-v2", "small-v1", "ganeval-v1", "studiogan-v0.3", "studiogan-v0.4", "torch-fidelity", "clean-fid", "ttur", "am-gan",
        "stylegan-50k",
    }  # fmt: skip
    assert all(protocol.name == name for name, protocol in PROTOCOLS)
    hashes = [protocol.sha256() for _, protocol in PROTOCOLS]
    assert len(set(hashes)) == len(hashes)
    assert all(protocol.extractor is None or protocol.extractor in EXTRACTORS for _, protocol in PROTOCOLS)
    for _, protocol in PROTOCOLS:
        canonical_json(protocol.to_json())
        keys = [value.key for metric in protocol.metrics for value in metric.values]
        assert len(set(keys)) == len(keys)


def test_no_precision_of_another_network_under_the_name_of_vgg16() -> None:
    for name in ("torch-fidelity", "stylegan-50k"):
        protocol = PROTOCOLS.get(name)
        assert {"prdc"}.isdisjoint(metric.name for metric in protocol.metrics)
        assert "VGG16" in protocol.description


def test_every_field_enters_the_hash_but_the_description() -> None:
    small = PROTOCOLS.get("small-v1")
    others: dict[str, Any] = {
        "name": "other", "reference_split": "test", "fakes": 4999, "labels": "uniform", "weights": "raw",
        "extractor": "inception", "metrics": small.metrics[:-1], "jackknife_groups": 9,
        "fakes_follow_reference": True, "reference_count": 9,
        "reference_seed": 1, "statistics": Standing(4, 4), "truncation": 0.5, "sample_order": "own", "reference_size": "own",
    }  # fmt: skip
    assert others.keys() | {"description", "published"} == {field.name for field in dataclasses.fields(Protocol)}
    changed = {dataclasses.replace(small, **{name: value}).sha256() for name, value in others.items()}
    parameters = [Frechet(ddof=0), InceptionScore(splits=1, shuffle=False), PrecisionRecallDensityCoverage(reals=9)]
    parameters += [PrecisionRecallDensityCoverage(reals_seed=9)]
    changed |= {dataclasses.replace(small, metrics=(metric,)).sha256() for metric in parameters}
    changed |= {dataclasses.replace(small, metrics=(Frechet(),)).sha256()}
    changed |= {dataclasses.replace(small, statistics=each).sha256() for each in (Standing(4, 5), Standing(5, 4), Batch(4))}
    assert len(changed | {SMALL_V1}) == len(others) + len(parameters) + 1 + 3 + 1
    assert dataclasses.replace(small, description="other", statistics=Running()).sha256() == SMALL_V1


def test_a_field_that_came_later_shows_only_where_it_is_used() -> None:
    @dataclasses.dataclass(frozen=True)
    class Thing:
        old: int = 1
        new: int = later(2)

    assert plain(Thing()) == {"old": 1}
    assert plain(Thing(1, 3)) == {"old": 1, "new": 3}


def test_fakes_follow_the_reference_and_its_held_out_split(use: Callable[..., Protocol]) -> None:
    digits = find_dataset("digits")
    resolved = {name: PROTOCOLS.get(name).resolved(digits) for name in ("studiogan-v0.3", "studiogan-v0.4", "torch-fidelity")}
    assert {name: (each.reference_split, each.fakes) for name, each in resolved.items()} == {
        "studiogan-v0.3": ("test", 500), "studiogan-v0.4": ("train", 1297), "torch-fidelity": ("train", 50_000)
    }  # fmt: skip
    assert use("studiogan-v0.3", fakes=20).resolved(digits).fakes == 20


def test_a_dataset_without_held_out_images_cannot_give_them(real_folder: Path) -> None:
    with pytest.raises(UserError, match=r"protocol studiogan-v0\.3 compares with held-out images, and dataset 'real' has none"):
        PROTOCOLS.get("studiogan-v0.3").resolved(find_dataset(str(real_folder)))


def test_a_held_out_reference_has_no_floor(tiny_run: Path, use: Callable[..., Protocol]) -> None:
    small = PROTOCOLS.get("small-v1").metrics
    use("studiogan-v0.3", extractor="digits-cnn", metrics=small[:1], statistics=Batch(50))
    card = score(tiny_run, protocol="for-a-test")
    assert card.counts == {"fake": 500, "reference": 500, "floor": 0}
    assert card.deviations == ()
    assert card.source["sampling"] == {"weights": "ema", "labels": "uniform", "statistics": "batch:50", "truncation": None}
    assert card["fid"].floor is None
    assert card["fid"].value != score(tiny_run, protocol="for-a-test", statistics=Standing(50, 9))["fid"].value


def test_a_part_of_the_reference_is_drawn_with_its_seed(real_folder: Path, use: Callable[..., Protocol]) -> None:
    frechet = PROTOCOLS.get("small-v1").metrics[:1]

    def card_of(**fields: object) -> Any:
        use(metrics=frechet, fakes=500, **fields)
        return score(real_folder, protocol="for-a-test", dataset="digits")

    part, again, other = (card_of(reference_count=400, reference_seed=seed) for seed in (0, 0, 1))
    assert [card.counts["reference"] for card in (part, again, other)] == [400] * 3
    assert part["fid"] == again["fid"]
    assert part["fid"].value != other["fid"].value
    assert len({card.reference_sha256 for card in (part, other, card_of())}) == 3
    assert part.deviations == ()
    assert card_of(reference_count=5000).deviations == ("1,297 reference images instead of 5,000",)


def test_labels_follow_the_references_classes(
    tiny_run: Path, tmp_path: Path, save_images: Callable[[ImageSet, Path], Path], use: Callable[..., Protocol]
) -> None:
    rules = use(labels="reference", fakes=400)
    source, _ = open_source(tiny_run, rules, None, num=None, seed=0, device=torch.device("cpu"))
    assert isinstance(source, Samples)
    counts = torch.bincount(find_dataset("digits").load("train").labels)
    assert source.manner.class_counts == tuple(counts.tolist())
    labels = torch.cat([y for _, y in source.batches()])
    assert (torch.bincount(labels) / 400 - counts / counts.sum()).abs().max() < 0.06


def test_other_sampling_is_a_deviation_and_is_another_row(tiny_run: Path, use: Callable[..., Protocol], tmp_path: Path) -> None:
    from ganeval.leaderboard.table import add, read

    use(metrics=PROTOCOLS.get("small-v1").metrics[:1], fakes=60)
    plainly = score(tiny_run, protocol="for-a-test")
    cut = score(tiny_run, protocol="for-a-test", truncation=0.5)
    standing = score(tiny_run, protocol="for-a-test", statistics=Standing(8, 8))
    assert plainly.deviations == ()
    assert cut.deviations == ("truncation 0.5 instead of none",)
    assert standing.deviations == ("BatchNorm statistics standing:8x8 instead of running",)
    assert len({card["fid"].value for card in (plainly, cut, standing)}) == 3
    assert len({card.protocol_sha256 for card in (plainly, cut, standing)}) == 1
    for card in (plainly, cut, standing, cut):
        path, _ = add(tmp_path, card)
    assert sorted(read(path)["deviations"]) == sorted(
        card.deviations[0] if card.deviations else "" for card in (plainly, cut, standing)
    )


def test_images_that_exist_cannot_be_sampled_otherwise(real_folder: Path) -> None:
    with pytest.raises(UserError, match="is given, not generated: --truncation and --statistics are for generators"):
        score(real_folder, dataset="digits", truncation=0.5)


def test_another_network_than_the_protocols_is_a_deviation(tiny_run: Path, use: Callable[..., Protocol]) -> None:
    use("torch-fidelity", metrics=(Frechet(),), fakes=60)
    card = score(tiny_run, protocol="for-a-test", extractor="digits-cnn")
    assert card.deviations == ("extractor digits-cnn instead of inception",)
    assert card["fid"].column == "FD-digits-cnn"


def banks(fakes: int, reals: int, dimensions: int) -> tuple[FeatureBank, FeatureBank]:
    rng = np.random.default_rng(3)
    fake, real = (rng.normal(size=(n, dimensions)).astype(np.float32) for n in (fakes, reals))
    return FeatureBank(fake * 2 + 1, fake[:, :4], None), FeatureBank(real, real[:, :4], None)


@pytest.mark.parametrize("dimensions", [5, 80])
def test_the_normalisation_of_the_covariance(dimensions: int) -> None:
    fake, real = banks(40, 60, dimensions)
    expected = {}
    for ddof in (0, 1):
        scaled = [
            moments._replace(cov=moments.cov * (moments.count - 1) / (moments.count - ddof))
            for moments in (moments_of(fake.features), moments_of(real.features))
        ]
        expected[ddof] = frechet_distance(*scaled)
        assert Frechet(ddof=ddof).compute(fake, real)["fid"] == pytest.approx(expected[ddof], rel=1e-9)
    assert expected[0] != pytest.approx(expected[1], rel=1e-3)


def test_an_inception_score_in_the_given_order() -> None:
    fake, _ = banks(40, 60, 5)
    first, second = (score_of_split(part) for part in (fake.log_probabilities[:20], fake.log_probabilities[20:]))
    assert InceptionScore(splits=2, shuffle=False).compute(fake, None)["is"] == pytest.approx((first + second) / 2, rel=1e-12)
    assert InceptionScore(splits=2).compute(fake, None)["is"] != pytest.approx((first + second) / 2, rel=1e-6)


def test_precision_and_recall_against_a_part_of_the_reference() -> None:
    fake, real = banks(40, 60, 5)
    kept = np.random.RandomState(4).permutation(60)[:50]
    found = PrecisionRecallDensityCoverage(k=3, reals=50, reals_seed=4).compute(fake, real)
    assert found == prdc(real.features[kept], fake.features, 3)._asdict()
    assert found != PrecisionRecallDensityCoverage(k=3).compute(fake, real)
    assert PrecisionRecallDensityCoverage(k=3, reals=60).compute(fake, real) == prdc(real.features, fake.features, 3)._asdict()


def test_ours_has_every_metric_of_the_small_one() -> None:
    ours, small = PROTOCOLS.get("ganeval-v1"), PROTOCOLS.get("small-v2")
    assert ours.metrics == METRICS
    assert {metric.name for metric in small.metrics} <= {metric.name for metric in ours.metrics}
    assert (ours.fakes, ours.reference_split, ours.reference_count, ours.labels) == (50_000, "train", None, "balanced")
    assert HELD_OUT not in (ours.reference_split, small.reference_split)


def test_a_protocol_resolved_for_a_dataset_is_still_the_same(tiny_run: Path) -> None:
    digits = find_dataset("digits")
    for _, protocol in PROTOCOLS:
        assert protocol.resolved(digits).sha256() == protocol.sha256()
        assert protocol.resolved(digits).resolved(digits).sha256() == protocol.sha256()
