"""The real photographs of CIFAR-10 as JPEG files: a few of each class always, all of them with ``-m slow``."""

from __future__ import annotations

import json
import shutil
import tarfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from click.testing import Result
from PIL import Image

from ganeval.classifiers.training import train_classifier
from ganeval.data.cifar import CIFAR10_CLASSES
from ganeval.data.prepare import prepare, verify
from ganeval.data.prepared import PreparedDataset
from ganeval.data.registry import find_dataset
from ganeval.extractors.registry import find_extractor
from ganeval.scorecard import ScoreCard

ARCHIVE = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "cifar10-jpeg.tar.xz"
FINGERPRINTS = {
    "train": "eae3feae4e4b8580bea74a0352f06ca06411727d16a5cdef5554ad4fdf9b6520",
    "test": "c2f7e8f587f0a3572d97d6ea4d6c83273124647005b7dd92949d279a38caf616",
}
"""With libjpeg-turbo's integer decoder, which Pillow's wheels bring along."""

pytestmark = pytest.mark.skipif(not ARCHIVE.is_file(), reason="the real images are not here: shared/data/cifar10-jpeg.tar.xz")


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of the same layout: the first 6 training and 3 test images of every class."""
    path = tmp_path_factory.mktemp("few") / "cifar10-jpeg.tar.xz"
    seen: Counter[str] = Counter()
    with tarfile.open(ARCHIVE, "r|xz") as archive, tarfile.open(path, "w:xz", preset=0) as out:
        for member in archive:
            split, _, rest = member.name.partition("/")
            label = f"{split}/{rest.partition('/')[0]}"
            if member.isreg() and seen[label] < {"train": 6, "test": 3}[split]:
                out.addfile(member, archive.extractfile(member))
                seen[label] += 1
    return path


def test_a_few_real_images_prepare_train_and_score(
    few: Path,
    tmp_path: Path,
    ganeval: Callable[..., Result],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GANEVAL_HOME", str(tmp_path / "home"))
    dataset = find_dataset("cifar10-jpeg")
    monkeypatch.setattr(dataset, "expected", {"train": 60, "test": 30})
    assert isinstance(dataset, PreparedDataset)
    prepare(dataset, few)
    train = dataset.load("train")
    assert train.classes == CIFAR10_CLASSES
    assert train.labels.tolist() == [label for label in range(10) for _ in range(6)]
    with tarfile.open(few) as archive, Image.open(archive.extractfile("train/ship/0003.jpg")) as image:  # type: ignore[arg-type]
        pixels = torch.tensor(list(image.convert("RGB").tobytes()), dtype=torch.uint8).view(32, 32, 3).permute(2, 0, 1)
    assert torch.equal(train.images[8 * 6 + 3], pixels)
    words = ("backbone.g_channels=2", "backbone.d_channels=2", "conditioning.embed_dim=8", "schedule.batch_size=4")
    run = ganeval("train", "reacgan", "cifar10-jpeg", *words, "--steps", 1, "--out", tmp_path / "run")
    assert run.exit_code == 0, run.stderr
    train_classifier(dataset, out=tmp_path / "cnn", epochs=1)
    scored = ganeval(
        "score", tmp_path / "run", "--num", 60, "--metrics", "fid,top1", "--extractor", f"classifier:{tmp_path / 'cnn'}"
    )
    assert scored.exit_code == 0, scored.stderr
    assert "reacgan, step 1 on cifar10-jpeg" in scored.stdout


def test_its_own_extractor_is_the_public_classifier(
    few: Path, tmp_path: Path, ganeval: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = ARCHIVE.parents[1] / "weights" / "resnet56-4bfd9763.th"
    if not weights.is_file():
        pytest.skip("no public weights resnet56-4bfd9763.th in the folder shared beside the repository")
    monkeypatch.setenv("GANEVAL_HOME", str(tmp_path / "home"))
    (tmp_path / "home" / "weights").mkdir(parents=True)
    shutil.copyfile(weights, tmp_path / "home" / "weights" / weights.name)
    dataset = find_dataset("cifar10-jpeg")
    monkeypatch.setattr(dataset, "expected", {"train": 60, "test": 30})
    assert isinstance(dataset, PreparedDataset)
    prepare(dataset, few)
    words = ("backbone.g_channels=2", "backbone.d_channels=2", "conditioning.embed_dim=8", "schedule.batch_size=4")
    assert ganeval("train", "reacgan", "cifar10-jpeg", *words, "--steps", 0, "--out", tmp_path / "run").exit_code == 0
    done = ganeval("score", tmp_path / "run", "--num", 60, "--metrics", "fid,top1,am", "--json")
    card = ScoreCard.from_json(json.loads(done.stdout))
    assert [score.column for score in card.scores] == [f"{name}-resnet56-cifar10" for name in ("FD", "AM", "Top-1")]
    assert (done.exit_code, card.failed) == (0, [])
    assert card["top1"].floor >= 0.6, "it knows 83.2 % of all test images: their classes are counted as it counts them"
    plain = ganeval("score", tmp_path / "run", "--num", 60, "--metrics", "top1", "--extractor", "resnet56-cifar10")
    assert "extractor resnet56-cifar10 (test accuracy 93.4% on cifar10)" in plain.stdout
    for name in ("cifar10", "cifar10-jpeg"):
        assert find_dataset(name).extractor == "resnet56-cifar10"
        assert find_extractor("resnet56-cifar10").classes == find_dataset(name).classes


def test_its_scores_are_said_to_be_incomparable() -> None:
    assert "not comparable with published ones" in find_dataset("cifar10-jpeg").citation


@pytest.mark.slow
def test_all_of_them(tmp_path: Path) -> None:
    dataset = find_dataset("cifar10-jpeg")
    assert isinstance(dataset, PreparedDataset)
    prepared = dataset.at(prepare(dataset, ARCHIVE, out=tmp_path / "out"))
    assert len(verify(prepared)) == 2
    for split, per_class in (("train", 5000), ("test", 1000)):
        images = prepared.load(split)
        assert torch.bincount(images.labels).tolist() == [per_class] * 10
        assert images.fingerprint == FINGERPRINTS[split]
