"""Limited data: fixed, stratified, nested; and runs on them that train, resume and score."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st

from ganeval.checkpoints import read_record
from ganeval.data.base import ImageSet
from ganeval.data.limit import SomeClasses, limit
from ganeval.data.registry import find_dataset
from ganeval.errors import UserError
from ganeval.recipes.recipe import Data
from ganeval.sampling import resolve_checkpoint
from ganeval.scoring import score

TINY = ("backbone.g_channels=2", "backbone.d_channels=2", "conditioning.embed_dim=8", "schedule.batch_size=8")
Command = Callable[..., Result]


def numbered(counts: list[int]) -> ImageSet:
    """Image i has the pixel value i; the classes are interleaved."""
    labels = torch.cat([torch.full((count,), label) for label, count in enumerate(counts)])
    labels = labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(3))]
    images = torch.arange(len(labels), dtype=torch.int32).view(torch.uint8).view(-1, 1, 2, 2)
    return ImageSet(images, labels, tuple(f"class {label}" for label in range(len(counts))))


def numbers(images: ImageSet) -> list[int]:
    return images.images.reshape(-1, 4).contiguous().view(torch.int32).flatten().tolist()


def test_nothing_limited_is_the_same_object() -> None:
    images = numbered([5, 4])
    assert limit(images) is images


@given(st.lists(st.integers(1, 40), min_size=1, max_size=5), st.floats(0.01, 1), st.floats(0.01, 1))
def test_a_fraction_is_stratified_in_order_and_inside_every_larger_one(counts: list[int], a: float, b: float) -> None:
    images = numbered(counts)
    small, large = (limit(images, fraction) for fraction in sorted((a, b)))
    for part, fraction in ((small, min(a, b)), (large, max(a, b))):
        per_class = torch.bincount(part.labels, minlength=len(counts)).tolist()
        assert per_class == [max(1, int(fraction * count + 0.5)) for count in counts]
        assert numbers(part) == sorted(numbers(part))
        assert part.classes == images.classes
        assert torch.equal(part.labels, images.labels[numbers(part)])
    assert set(numbers(small)) <= set(numbers(large))


def test_the_part_is_not_the_beginning_and_always_the_same() -> None:
    part = limit(numbered([300, 300]), 0.1)
    assert numbers(part) == numbers(limit(numbered([300, 300]), 0.1))
    assert numbers(part)[:6] == [16, 30, 37, 38, 65, 67]
    assert numbers(part)[-1] > 500


def test_classes_are_renumbered_in_the_order_given_and_keep_their_images() -> None:
    images = numbered([20, 20, 20, 20])
    some = limit(images, classes=(3, 1))
    assert some.classes == ("class 3", "class 1")
    assert numbers(some) == [i for i, label in enumerate(images.labels.tolist()) if label in (3, 1)]
    assert some.labels.tolist() == [{3: 0, 1: 1}[label] for label in images.labels.tolist() if label in (3, 1)]
    both = limit(images, 0.25, (3, 1))
    alone = limit(images, 0.25)
    assert set(numbers(both)) == {i for i, label in zip(numbers(alone), alone.labels.tolist(), strict=True) if label in (3, 1)}


def test_a_limited_part_has_a_fingerprint_of_its_own() -> None:
    images = numbered([20, 20])
    mapped = ImageSet(images.images, images.labels, images.classes, recorded="of the whole")
    parts = [images, limit(mapped, 0.5), limit(mapped, 0.25), limit(mapped, classes=(0,)), limit(mapped, classes=(1, 0))]
    assert len({part.fingerprint for part in parts}) == len(parts)
    assert limit(mapped, 0.5).fingerprint == limit(images, 0.5).fingerprint


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"fraction": 0.0}, r"data\.fraction must be above 0 and at most 1, got 0\.0"),
        ({"fraction": 1.5}, r"data\.fraction must be above 0 and at most 1"),
        ({"classes": (1, 2, 1)}, r"data\.classes must be different labels from 0 on, got 1,2,1"),
        ({"classes": (-1,)}, r"data\.classes must be different labels from 0 on"),
    ],
)
def test_a_limit_that_is_none_is_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        Data("digits", 16, **fields)


def test_a_label_that_is_no_class_is_refused() -> None:
    with pytest.raises(UserError, match=r"data\.classes=7: there are 2 classes, 0 to 1"):
        limit(numbered([5, 5]), classes=(1, 7))


def test_some_classes_of_a_dataset_are_a_dataset() -> None:
    digits = find_dataset("digits")
    some = SomeClasses(digits, (7, 2), 16)
    train, test = some.load("train", 16), some.load("test", 16)
    assert (some.name, some.classes, some.held_out) == ("digits-classes-7-2", ("7", "2"), "test")
    assert some.splits == {"train": len(train), "test": 100}
    assert torch.equal(test.images, digits.load("test").images[torch.isin(digits.load("test").labels, torch.tensor([2, 7]))])
    assert test.classes == ("7", "2")
    many = SomeClasses(_wide(), tuple(range(30)), 16)
    assert many.name.startswith("digits-classes-30-")
    assert len(many.name) == len("digits-classes-30-") + 8


def _wide() -> Any:
    """Digits with further classes that have no image."""
    digits = find_dataset("digits")
    return type("Wide", (type(digits),), {"classes": tuple(map(str, range(40)))})()


def test_a_run_on_a_fraction_says_so_and_is_scored_against_the_whole(ganeval: Command, tmp_path: Path) -> None:
    words = ("train", "reacgan", "digits", *TINY, "data.fraction=0.1", "--steps", 1, "--out", tmp_path / "run")
    assert ganeval(*words).exit_code == 0
    recorded = read_record(resolve_checkpoint(tmp_path / "run"))["dataset"]
    whole = find_dataset("digits").load("train")
    part = limit(whole, 0.1)
    assert (recorded["count"], recorded["sha256"]) == (len(part), part.fingerprint)
    assert recorded["whole"] == {"count": 1297, "classes": 10, "sha256": whole.fingerprint}
    card = score(tmp_path / "run", num=40, metrics=["fid"])
    assert (card.dataset, card.reference_sha256, card.counts["reference"]) == ("digits", whole.fingerprint, 1297)
    assert card.source["recipe"]["data"]["fraction"] == 0.1
    other = ganeval(*words[:-4], "--steps", 2, "--out", tmp_path / "run", "data.fraction=0.2")
    assert other.exit_code == 2
    assert "data.fraction: 0.1 -> 0.2" in other.stderr


def test_a_run_on_the_whole_records_what_it_always_did(tiny_run: Path) -> None:
    assert "whole" not in read_record(resolve_checkpoint(tiny_run))["dataset"]


def test_a_run_on_some_classes_is_scored_against_these(ganeval: Command, tmp_path: Path) -> None:
    words = ("train", "reacgan", "digits", *TINY, "data.classes=8,3", "--steps", 1, "--out", tmp_path / "run")
    assert ganeval(*words).exit_code == 0
    digits = find_dataset("digits")
    card = score(tmp_path / "run", num=40, metrics=["fid", "top1"])
    reference = limit(digits.load("train"), classes=(8, 3))
    assert card.dataset == "digits-classes-8-3"
    assert (card.reference_sha256, card.counts) == (
        reference.fingerprint,
        {"fake": 40, "reference": len(reference), "floor": 100},
    )
    assert card["fid"].status == "ok"
    assert card["top1"].status == "failed: the classes of digits-cnn are not those of digits-classes-8-3"


def test_samples_of_some_classes_are_scored_by_the_name_of_these(ganeval: Command, tmp_path: Path) -> None:
    words = ("train", "reacgan", "digits", *TINY, "data.classes=8,3", "--steps", 1, "--out", tmp_path / "run")
    assert ganeval(*words).exit_code == 0
    one = ("score", tmp_path / "run", "--num", 40)
    done = ganeval(*one, "--metrics", "fid", "--save-images", tmp_path / "samples", "--json")
    named = ("--dataset", "digits-classes-8-3")
    for source in ((tmp_path / "run", "--num", 40), (tmp_path / "samples",)):
        again = ganeval("score", *source, *named, "--metrics", "fid", "--json")
        assert (again.exit_code, json.loads(again.stdout)["scores"][0]["value"]) == (
            0,
            json.loads(done.stdout)["scores"][0]["value"],
        )
    assert ganeval("ref", "digits-classes-8-3").stdout.startswith("digits-classes-8-3 train: ")
    refused = ganeval("score", tmp_path / "samples", "--dataset", "digits-classes-8-10")
    assert (refused.exit_code, "there are 10 classes, 0 to 9" in refused.stderr) == (2, True)


def test_a_dry_run_says_what_would_be_seen(ganeval: Command) -> None:
    done = ganeval("train", "reacgan", "digits", "data.fraction=0.2", "data.classes=0,1,2", "-n")
    seen = limit(find_dataset("digits").load("train"), 0.2, (0, 1, 2))
    assert f'"images": {len(seen)},' in done.stdout
    assert f'"sha256": "{seen.fingerprint}"' in done.stdout
    assert '"classes": 3' in done.stdout
