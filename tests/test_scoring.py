"""From a source to a score card: what is in it, what it depends on, and what it does not depend on."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from PIL import Image

from ganeval.banks import reference_size
from ganeval.checkpoints import save_folder
from ganeval.classifiers.recipe import RECIPES
from ganeval.classifiers.record import ClassifierRecord
from ganeval.classifiers.small import SMALL, SmallCNN
from ganeval.data.base import ImageSet
from ganeval.data.folder import FolderDataset
from ganeval.data.registry import find_dataset
from ganeval.errors import UserError
from ganeval.features import FeatureBank
from ganeval.metrics.base import Metric, Need, Value
from ganeval.metrics.frechet_infinity import FrechetInfinity
from ganeval.protocols import PROTOCOLS, Protocol
from ganeval.sampling import generate, load_generator
from ganeval.scorecard import OK, ScoreCard
from ganeval.scoring import score

KEYS = ["fid", "kid", "is", "am", "am_entropy", "am_kl", "precision", "recall", "density", "coverage", "top1", "top5"]
COUNT = 300


@pytest.fixture(scope="module")
def card(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> ScoreCard:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANEVAL_HOME", str(tmp_path_factory.getbasetemp() / "home"))
        return score(tiny_run, num=COUNT)


@pytest.fixture
def small_protocol(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Protocol]:
    """Registers, for one test, small-v2 with other fields."""

    def register(**fields: object) -> Protocol:
        protocol = dataclasses.replace(PROTOCOLS.get("small-v2"), name="for-a-test", **fields)
        monkeypatch.setitem(PROTOCOLS._items, "for-a-test", protocol)
        return protocol

    return register


def values(card: ScoreCard) -> dict[str, float | None]:
    return {score.key: score.value for score in card.scores}


def save_classifier(path: Path, classes: tuple[str, ...]) -> Path:
    """A classifier of random weights that says it knows ``classes``."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        net = SmallCNN(1, SMALL, len(classes)).eval()
    record = ClassifierRecord("made up", classes, 1, 16, RECIPES.get("small"), 0, 100, "0" * 64)
    save_folder(path, {"classifier": net.state_dict()}, record.to_json())
    return path


def test_every_value_of_the_protocol_with_its_error_and_its_floor(card: ScoreCard) -> None:
    assert [score.key for score in card.scores] == KEYS
    assert card.failed == []
    for each in card.scores:
        assert each.status == OK
        assert each.value is not None
        assert each.std_error is not None
        assert each.std_error >= 0
        assert each.floor is not None
        assert each.column.endswith("-digits-cnn")
    assert {each.column for each in card.scores}.isdisjoint({"FID", "KID", "FID-digits-cnn"})
    assert [card[key].column for key in ("fid", "kid", "is")] == ["FD-digits-cnn", "KD-digits-cnn", "IS-digits-cnn"]


def test_every_value_lies_in_its_interval(card: ScoreCard) -> None:
    for each in card.scores:
        assert each.interval is not None
        assert each.interval.low <= each.value <= each.interval.high
        assert each.interval.level == 0.95
        assert each.extra is None
    methods = {each.key: each.interval.method for each in card.scores}
    assert {key for key, method in methods.items() if method == "wilson"} == {"precision", "top1", "top5"}
    assert methods["kid"] == "jackknife"


def test_metrics_beside_the_protocol_are_marked_and_change_nothing(card: ScoreCard, tiny_run: Path) -> None:
    extra = score(tiny_run, num=COUNT, metrics=["fid_inf", "ifid", "fid"])
    assert [each.key for each in extra.scores] == ["fid", "fid_inf", "ifid"]
    assert extra["fid"] == card["fid"]
    assert extra.protocol_sha256 == card.protocol_sha256
    assert extra["fid_inf"].extra == {"metric": "frechet_infinity", "points": 15, "seed": 2020}
    assert extra["ifid"].extra == {"metric": "intra_frechet"}
    assert extra["fid_inf"].column == "FD-inf-digits-cnn"
    assert extra["ifid"].value > extra["fid"].value
    assert all(each.floor is not None and each.interval is not None for each in extra.scores)


def test_a_protocols_own_parameters_come_before_the_default_ones(tiny_run: Path, small_protocol: Callable[..., Protocol]) -> None:
    small_protocol(fakes=60, metrics=(FrechetInfinity(points=5),))
    card = score(tiny_run, protocol="for-a-test", metrics=["fid_inf", "fid"])
    assert [(each.key, each.extra) for each in card.scores] == [("fid_inf", None), ("fid", {"metric": "frechet"})]
    assert score(tiny_run, protocol="for-a-test").scores == (card["fid_inf"],)


def test_an_untrained_generator_is_far_from_the_floor(card: ScoreCard) -> None:
    for each in card.scores:
        worse = each.value > each.floor if each.better == "lower" else each.value < each.floor
        assert worse, each.key


def test_what_a_card_says_of_its_origin(card: ScoreCard, tiny_run: Path) -> None:
    generator = load_generator(tiny_run)
    assert card.dataset == "digits"
    assert card.resolution == 16
    assert card.counts == {"fake": COUNT, "reference": 1297, "floor": 500}
    assert card.protocol_sha256 == PROTOCOLS.get("small-v2").sha256()
    assert card.reference_sha256 == find_dataset("digits").load("train").fingerprint
    assert card.source["sha256"] == generator.sha256
    assert card.source["step"] == 2
    assert card.source["recipe"] == generator.record["recipe"]
    assert card.source["generator_parameters"] == sum(p.numel() for p in generator.module.parameters())
    assert card.extractor["record"]["test_accuracy"] > 0.9
    assert {"ganeval", "torch", "device", "date"} <= card.environment.keys()
    assert card.deviations == (f"{COUNT} images instead of 5,000",)


def test_the_same_seed_twice_is_the_same_without_the_cache(
    card: ScoreCard, tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GANEVAL_HOME", str(tmp_path))
    again = score(tiny_run, num=COUNT)
    assert again.scores == card.scores
    assert again.source == card.source


def test_another_seed_is_another_sample(card: ScoreCard, tiny_run: Path) -> None:
    other = score(tiny_run, num=COUNT, seed=1, metrics=["fid", "am"])
    assert (card.seed, other.seed) == (0, 1)
    assert other["fid"].value != card["fid"].value
    assert other["am"].value != card["am"].value
    assert other["fid"].floor == card["fid"].floor


def test_a_choice_of_metrics_gives_the_same_values(card: ScoreCard, tiny_run: Path) -> None:
    chosen = score(tiny_run, num=COUNT, metrics=["top1", "precision", "fid"])
    assert [each.key for each in chosen.scores] == ["fid", "precision", "top1"]
    assert all(each == card[each.key] for each in chosen.scores)


def test_a_run_is_its_latest_checkpoint(card: ScoreCard, tiny_run: Path) -> None:
    direct = score(tiny_run / "checkpoints" / "step-00000002", num=COUNT, metrics=["fid"])
    before = score(tiny_run / "checkpoints" / "step-00000001", num=COUNT, metrics=["fid"])
    assert direct["fid"] == card["fid"]
    assert before["fid"].value != card["fid"].value


def test_the_number_of_images_is_a_deviation_unless_it_is_the_protocols(
    tiny_run: Path, small_protocol: Callable[..., Protocol]
) -> None:
    small_protocol(fakes=20)
    assert score(tiny_run, protocol="for-a-test", metrics=["fid"]).deviations == ()
    assert score(tiny_run, protocol="for-a-test", metrics=["fid"], num=20).deviations == ()
    assert score(tiny_run, protocol="for-a-test", metrics=["fid"], num=21).deviations == ("21 images instead of 20",)


def test_real_images_score_exactly_as_the_floor_does(real_folder: Path) -> None:
    card = score(real_folder, dataset="digits", protocol="small-v1")  # whose order is the given one, for both
    assert [each.key for each in card.scores] == KEYS
    assert all(each.value == each.floor for each in card.scores)
    assert card.source == {"kind": "folder", "name": "real", "sha256": card.source["sha256"]}
    assert card.seed is None
    assert card.deviations == ("500 images instead of 5,000",)


def test_the_held_out_folder_scores_as_the_floor_does(tmp_path: Path, save_images: Callable[[ImageSet, Path], Path]) -> None:
    """A dataset has its images class by class, a source in the order of names: sums round, subsets are drawn otherwise."""
    digits = find_dataset("digits")
    for split in ("train", "test"):
        images = digits.load(split)
        save_images(ImageSet(images.images[:270], images.labels[:270], images.classes), tmp_path / "own" / split)
    card = score(tmp_path / "own" / "test", dataset=str(tmp_path / "own"), extractor="digits-cnn")
    assert (card.dataset, card.counts) == ("own", {"fake": 270, "reference": 270, "floor": 270})
    assert [each.key for each in card.scores] == KEYS
    for each in card.scores:
        assert each.value == pytest.approx(each.floor, rel=0.1 if each.key == "kid" else 1e-9)
    assert card["precision"].value == card["precision"].floor
    assert card["top1"].value == card["top1"].floor


def test_saved_samples_score_exactly_as_their_checkpoint_does(
    card: ScoreCard, tiny_run: Path, tmp_path: Path, save_images: Callable[[ImageSet, Path], Path]
) -> None:
    images, labels = (torch.cat(parts) for parts in zip(*generate(load_generator(tiny_run), COUNT), strict=True))
    folder = save_images(ImageSet(images, labels, find_dataset("digits").classes), tmp_path / "samples")
    saved = score(folder, dataset="digits")
    assert saved.scores == card.scores


def test_unequally_many_images_per_class_are_a_deviation(tmp_path: Path, save_images: Callable[[ImageSet, Path], Path]) -> None:
    test = find_dataset("digits").load("test")
    kept = torch.cat([torch.nonzero(test.labels == label)[: 5 + 2 * (label == 3), 0] for label in range(10)])
    folder = save_images(ImageSet(test.images[kept], test.labels[kept], test.classes), tmp_path / "few")
    said = ("52 images instead of 5,000", "5 to 7 images per class instead of equally many")
    assert score(folder, dataset="digits", metrics=["fid"]).deviations == said


def test_other_classes_fail_what_counts_them_and_nothing_else(tiny_run: Path, tmp_path: Path) -> None:
    letters = save_classifier(tmp_path / "letters-cnn", tuple("abcdefghij"))
    card = score(tiny_run, num=COUNT, extractor=f"classifier:{letters}", metrics=KEYS)
    assert [each.key for each in card.scores] == KEYS
    assert [each.key for each in card.failed] == ["am", "am_entropy", "am_kl", "top1", "top5"]
    for each in card.failed:
        assert (each.value, each.std_error, each.floor) == (None, None, None)
        assert each.status == "failed: the classes of letters-cnn are not those of digits"
    assert all(each.value is not None for each in card.scores if each.status == OK)
    unnamed = score(tiny_run, num=COUNT, extractor=f"classifier:{letters}")
    assert unnamed.failed == []
    assert unnamed.left_out == ("am, am_entropy, am_kl, top1, top5: letters-cnn counts other classes than the dataset",)


def test_a_reference_too_small_for_a_metric_fails_it_with_the_numbers(
    tmp_path: Path, save_images: Callable[[ImageSet, Path], Path]
) -> None:
    test = find_dataset("digits").load("test")
    root = save_images(ImageSet(test.images[:200], test.labels[:200], test.classes), tmp_path / "small")
    source = save_images(test, tmp_path / "source")
    card = score(source, dataset=str(root), extractor="digits-cnn", metrics=["fid", "kid"])
    assert card["fid"].status == OK
    assert card["kid"].value is None
    assert card["kid"].status.startswith("failed: ")
    assert "250" in card["kid"].status
    assert "200" in card["kid"].status
    assert card["fid"].floor is None  # The folder holds no images out.


@dataclasses.dataclass(frozen=True)
class NotANumber(Metric):
    """What a metric must not do."""

    name: ClassVar[str] = "not_a_number"
    values: ClassVar[tuple[Value, ...]] = (Value("nan", "NaN", "NaN", "lower", "none"),)
    needs: ClassVar[frozenset[Need]] = frozenset()

    def compute(self, fake: FeatureBank, reference: FeatureBank | None) -> Mapping[str, float]:
        return {"nan": float(np.log(0.0)) if len(fake) else 0.0}


@pytest.mark.filterwarnings("ignore:divide by zero")
def test_what_is_not_a_number_is_a_failure_not_a_number(tiny_run: Path, small_protocol: Callable[..., Protocol]) -> None:
    metrics = PROTOCOLS.get("small-v2").metrics
    small_protocol(fakes=20, metrics=(NotANumber(), metrics[0]))
    card = score(tiny_run, protocol="for-a-test")
    assert (card["nan"].value, card["nan"].status) == (None, "failed: nan or its standard error came out as -inf")
    assert card["fid"].status == OK
    json.dumps(card.to_json(), allow_nan=False)


def test_a_dataset_without_an_extractor_says_how_to_make_one(
    tmp_path: Path, save_images: Callable[[ImageSet, Path], Path]
) -> None:
    folder = save_images(find_dataset("digits").load("test"), tmp_path / "own")
    with pytest.raises(UserError, match=r"dataset 'own' has no extractor of its own: .*--extractor classifier:DIR"):
        score(folder, dataset=str(folder))


def test_progress_counts_to_the_end_once_per_set_of_images(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GANEVAL_HOME", str(tmp_path))
    heard: dict[str, list[tuple[int, int]]] = {}
    score(tiny_run, num=100, metrics=["fid"], talk=lambda what, done, total: heard.setdefault(what, []).append((done, total)))
    assert {what: calls[-1] for what, calls in heard.items()} == {
        "images to score": (100, 100), "real images (train)": (1297, 1297), "real images (test)": (500, 500),
        "Fréchet distance without each group": (10, 10),
    }  # fmt: skip
    assert all(done < total for calls in heard.values() for done, total in calls[:-1])


def squares(root: Path, count: int, *sizes: tuple[int, int]) -> Path:
    """``count`` noisy images in each of ten class folders, of the ``sizes`` (width, height) in turn."""
    rng = np.random.default_rng(7)
    for label in range(10):
        (root / str(label)).mkdir(parents=True)
        for index in range(count):
            width, height = sizes[index % len(sizes)]
            Image.fromarray(rng.integers(0, 256, (height, width), dtype=np.uint8)).save(root / str(label) / f"{index}.png")
    return root


def test_real_images_keep_their_own_size_only_where_a_protocol_has_it_so(tmp_path: Path) -> None:
    even, oblong, mixed = (
        FolderDataset(squares(tmp_path / name, 2, *sizes))
        for name, sizes in (("even", [(20, 20)]), ("oblong", [(20, 24)]), ("mixed", [(20, 20), (24, 24)]))
    )
    for name in ("torch-fidelity", "clean-fid", "ttur"):
        assert [reference_size(each, "train", PROTOCOLS.get(name), 16) for each in (even, oblong, mixed)] == [20, 16, 16]
    for name in ("small-v2", "ganeval-v1", "studiogan-v0.4"):
        assert {reference_size(each, "train", PROTOCOLS.get(name), 16) for each in (even, oblong, mixed)} == {16}
    assert reference_size(find_dataset("digits"), "train", PROTOCOLS.get("clean-fid"), 16) == 16


def test_images_that_are_altered_are_said_so(tmp_path: Path, small_protocol: Callable[..., Protocol]) -> None:
    protocol = small_protocol(reference_size="own", extractor=None)
    fakes = squares(tmp_path / "fakes", 6, (16, 18))
    said = {}
    for name, sizes in (("even", [(20, 20)]), ("mixed", [(20, 20), (24, 24)])):
        reals = squares(tmp_path / name, 6, *sizes)
        card = score(fakes, dataset=str(reals), extractor="digits-cnn", protocol=protocol.name, metrics=["fid"])
        said[name] = [each for each in card.deviations if "images of" in each or "reference" in each]
    cut = "images of 16x18 cut to the square in their middle"
    assert said == {"even": [cut], "mixed": [cut, "reference images cut and resampled to 16x16"]}


def test_an_array_of_images_that_are_cut_is_said_so_as_a_folder_of_them_is(tmp_path: Path) -> None:
    for name, shape, said in (("even", (6, 8, 8, 1), []), ("oblong", (6, 10, 8, 1), ["images of 8x10 cut"])):
        np.savez(tmp_path / name, arr_0=np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))
        card = score(tmp_path / f"{name}.npz", dataset="digits", metrics=["fid"])
        assert [each.partition(" to ")[0] for each in card.deviations if "cut" in each] == said


def test_no_images_are_not_the_protocols_number_of_images(tiny_run: Path) -> None:
    with pytest.raises(UserError, match="num is 0: give a number of images from 1 on"):
        score(tiny_run, num=0, metrics=["fid"])


def test_a_text_is_no_list_of_metrics(tiny_run: Path) -> None:
    with pytest.raises(UserError, match=r"metrics is the text 'fid': give a list of keys"):
        score(tiny_run, metrics="fid")


def test_no_metrics_are_not_all_of_them(tiny_run: Path) -> None:
    with pytest.raises(UserError, match=r"metrics is an empty list: give keys"):
        score(tiny_run, metrics=[])
