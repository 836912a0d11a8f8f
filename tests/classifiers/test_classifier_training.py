from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from ganeval.checkpoints import load_folder
from ganeval.classifiers.augmentations import Distort
from ganeval.classifiers.evaluate import accuracy, run_in_blocks
from ganeval.classifiers.record import ClassifierRecord, load_classifier
from ganeval.classifiers.small import SMALL, SmallCNN
from ganeval.classifiers.training import Progress, train_classifier
from ganeval.data.folder import FolderDataset
from ganeval.data.pixels import to_float
from ganeval.errors import UserError


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Networks this small only lose time to more threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def trained(shapes: FolderDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "shapes-cnn"
    train_classifier(shapes, out=out, seed=5, epochs=12)
    return out


def test_it_learns_three_shapes_and_says_how_well(shapes: FolderDataset, trained: Path) -> None:
    net, record, _ = load_classifier(trained)
    test = shapes.load("test")
    assert record.test_accuracy == accuracy(net, test, torch.device("cpu"))
    assert record.test_accuracy >= 0.9
    assert (record.classes, record.channels, record.resolution) == (("bar", "post", "square"), 3, 12)
    assert (record.train_count, record.test_count) == (180, 60)
    assert record.train_fingerprint == shapes.load("train").fingerprint
    assert record.test_fingerprint == test.fingerprint


def test_accuracy_counts_largest_logits(shapes: FolderDataset, trained: Path) -> None:
    net, _, _ = load_classifier(trained)
    test = shapes.load("test")
    predicted = run_in_blocks(net, to_float(test.images))[1].argmax(dim=1)
    wrong = type(test)(test.images, (predicted + 1) % 3, test.classes)
    wrong.labels[:15] = predicted[:15]
    assert accuracy(net, wrong, torch.device("cpu")) == 0.25


def test_the_same_seed_gives_the_same_bits_and_another_does_not(shapes: FolderDataset, tmp_path: Path) -> None:
    before = torch.random.get_rng_state()
    for name, seed in (("one", 1), ("two", 1), ("other", 2)):
        train_classifier(shapes, out=tmp_path / name, seed=seed, epochs=2, flip=True)
    assert torch.equal(torch.random.get_rng_state(), before)
    one, two, other = (load_folder(tmp_path / name).tensors["classifier"] for name in ("one", "two", "other"))
    assert all(torch.equal(one[key], two[key]) for key in one)
    assert not torch.equal(one["head.weight"], other["head.weight"])
    assert load_folder(tmp_path / "one").sha256 == load_folder(tmp_path / "two").sha256


def test_without_a_held_out_split_there_is_no_accuracy(unheld: FolderDataset, tmp_path: Path) -> None:
    record = train_classifier(unheld, out=tmp_path / "out", epochs=1)
    assert (record.test_accuracy, record.test_count, record.test_fingerprint) == (None, None, None)
    assert load_classifier(tmp_path / "out")[1] == record


def test_progress_is_told_after_every_step(shapes: FolderDataset, tmp_path: Path) -> None:
    told: list[Progress] = []
    train_classifier(shapes, out=tmp_path / "out", epochs=2, talk=told.append)
    assert [(p.step, p.steps, p.steps_per_epoch) for p in told] == [(step, 6, 3) for step in range(1, 7)]
    assert all(math.isfinite(p.loss) for p in told)


@pytest.mark.parametrize("resolution", [8, 32, 40])
def test_it_takes_the_resolution_asked_for(shapes: FolderDataset, tmp_path: Path, resolution: int) -> None:
    record = train_classifier(shapes, out=tmp_path / "out", resolution=resolution, epochs=1)
    assert record.resolution == resolution
    net = load_classifier(tmp_path / "out")[0]
    features, logits = run_in_blocks(net, torch.zeros(3, 3, resolution, resolution))
    assert (features.shape, logits.shape) == ((3, 64), (3, 3))


def test_a_record_survives_json(trained: Path) -> None:
    record = load_classifier(trained)[1]
    assert ClassifierRecord.from_json(json.loads(json.dumps(record.to_json())), trained) == record


def test_mistakes_are_told_before_training(shapes: FolderDataset, trained: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="shapes-cnn exists"):
        train_classifier(shapes, out=trained)
    with pytest.raises(UserError, match="needs images of 8 pixels or more, not 4"):
        train_classifier(shapes, out=tmp_path / "x", resolution=4)
    with pytest.raises(UserError, match="epochs=0"):
        train_classifier(shapes, out=tmp_path / "x", epochs=0)


def test_the_network_for_small_images_stays_small() -> None:
    assert 60_000 < sum(p.numel() for p in SmallCNN(1, SMALL, 10).parameters()) < 90_000


def test_distortion_is_small_and_a_function_of_the_generator() -> None:
    ramp = torch.linspace(-1, 1, 32).view(1, 1, 1, 32).expand(64, 1, 32, 32)
    made = Distort()(ramp, False, torch.zeros(1), torch.Generator().manual_seed(0))
    assert torch.equal(made, Distort()(ramp, False, torch.zeros(1), torch.Generator().manual_seed(0)))
    assert made.shape == ramp.shape
    error = (made - ramp)[:, 0, 8:24, 8:24].abs()
    assert 0.01 < float(error.mean()) < float(error.max()) < 0.2 + 0.1 * 0.5 + math.sin(math.radians(10)) * 0.5 + 0.05
    assert float((made - ramp).mean().abs()) < 0.03


def test_only_flip_mirrors() -> None:
    ramp = torch.linspace(-1, 1, 32).view(1, 1, 1, 32).expand(400, 1, 32, 32)
    plain, flipped = (Distort()(ramp, flip, torch.zeros(1), torch.Generator().manual_seed(1))[:, 0, 16] for flip in (False, True))
    assert bool((plain[:, 24] > plain[:, 8]).all())
    mirrored = int((flipped[:, 24] < flipped[:, 8]).sum())
    assert abs(mirrored - 200) < 5 * 10
