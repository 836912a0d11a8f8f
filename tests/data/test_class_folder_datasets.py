"""Datasets that are folders of classes, and those of one class in folders of any depth."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torchvision.datasets import ImageFolder

from ganeval.data.images import read_images
from ganeval.data.prepare import prepare
from ganeval.data.prepared import PreparedDataset
from ganeval.errors import UserError

Expecting = Callable[..., PreparedDataset]
WNIDS = ("n01440764", "n01443537", "n03888257")
ART = (
    "art_nouveau", "baroque", "expressionism", "impressionism", "post_impressionism", "realism", "renaissance", "romanticism",
    "surrealism", "ukiyo_e",
)  # fmt: skip
CIFAR = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
ANIMALS = ("cat", "dog", "wild")

LAYOUTS = {
    # name: classes, suffix, the folder of the held-out split, the folder around both, archive
    "imagenet": (WNIDS, ".JPEG", "val", "", None),
    "imagenet-32": (WNIDS, ".JPEG", "val", "ILSVRC2012", None),
    "papa-imagenet": (WNIDS, ".png", "valid", "Papa_ImageNet", None),
    "artbench10": (ART, ".jpg", "test", "artbench-10-imagefolder-split", "artbench-10-imagefolder-split.tar"),
    "afhq": (ANIMALS, ".jpg", "val", "afhq", "afhq.zip"),
    "afhqv2": (ANIMALS, ".png", "test", "", "afhq_v2.zip"),
    "cifar10-jpeg": (CIFAR, ".jpg", "test", "", "cifar10-jpeg.tar.xz"),
}


def fill(root: Path, name: str, save_noise: Callable[..., Path]) -> Path:
    """The layout of ``name`` under ``root``: two training images and one held-out image of every class; its inner folder."""
    classes, suffix, held_out, around, _ = LAYOUTS[name]
    for number, label in enumerate(reversed(classes)):
        for i in range(3):
            folder = root / around / (held_out if i == 2 else "train") / label
            save_noise(folder / f"{label}_{i}{suffix}", 10 * number + i, 9 + i, 14, "L" if number == 1 else "RGB")
    return root / around


@pytest.mark.parametrize("name", LAYOUTS)
def test_classes_and_files_are_in_the_order_of_their_names_as_in_torchvision(
    name: str, tmp_path: Path, save_noise: Callable[..., Path], pack: Callable[..., Path], expecting: Expecting
) -> None:
    classes, _, held_out, _, archive = LAYOUTS[name]
    inner = fill(tmp_path / "source", name, save_noise)
    counts = {"train": 2 * len(classes), "test": len(classes)}
    dataset = expecting(name, expected=counts, class_count=len(classes))
    source = pack(tmp_path / "source", tmp_path / archive) if archive else tmp_path / "source"
    prepared = dataset.at(prepare(dataset, source, resolution=8, out=tmp_path / "out"))
    assert prepared.splits == counts
    for split, folder in (("train", "train"), ("test", held_out)):
        found, peer = prepared.load(split, 8), ImageFolder(str(inner / folder))
        assert list(found.classes) == peer.classes == list(classes)
        assert found.labels.tolist() == peer.targets
        assert torch.equal(found.images, read_images([Path(path) for path, _ in peer.samples], 8, 3))


@pytest.mark.parametrize("name", ["baby-imagenet", "papa-imagenet", "grandpa-imagenet"])
def test_the_counts_of_the_subsets_are_the_archives(
    name: str, tmp_path: Path, save_noise: Callable[..., Path], expecting: Expecting
) -> None:
    source = fill(tmp_path / "source", "papa-imagenet", save_noise)
    with pytest.raises(UserError, match="there are 3 classes, expected 100"):
        prepare(expecting(name), source, out=tmp_path / "out")
    dataset = expecting(name, class_count=3)
    assert dataset.splits == {}
    assert dataset.at(prepare(dataset, source, out=tmp_path / "out")).splits == {"train": 6, "test": 3}


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda root: (root / "val").rename(root / "validation"), "there is no split 'test'"),
        (lambda root: (root / "val" / WNIDS[0]).rename(root / "val" / "n09"), "class 'n01440764' is in only one of"),
        (lambda root: (root / "val" / WNIDS[1] / f"{WNIDS[1]}_2.JPEG").unlink(), "has no images"),
        (lambda root: (root / "train" / WNIDS[1] / f"{WNIDS[1]}_1.JPEG").unlink(), "'train' has 5 images, expected 6"),
        (lambda root: (root / "train").rename(root / "training"), "has no train"),
        (lambda root: (root / "train" / WNIDS[1] / "more").mkdir(), "has a subfolder 'more'"),
    ],
)
def test_an_imagenet_that_is_not_the_official_is_refused(
    damage: Callable[[Path], object], said: str, tmp_path: Path, save_noise: Callable[..., Path], expecting: Expecting
) -> None:
    root = fill(tmp_path / "source", "imagenet", save_noise)
    damage(root)
    with pytest.raises(UserError, match=said):
        prepare(expecting("imagenet", class_count=3, expected={"train": 6, "test": 3}), root, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_classes_of_cifar10_jpeg_must_be_cifars(
    tmp_path: Path, save_noise: Callable[..., Path], expecting: Expecting
) -> None:
    root = fill(tmp_path / "source", "cifar10-jpeg", save_noise)
    for split in ("train", "test"):
        (root / split / "automobile").rename(root / split / "car")
    with pytest.raises(UserError, match=r"the classes are airplane, bird, car, .* expected airplane, automobile, bird"):
        prepare(expecting("cifar10-jpeg", expected={"train": 20, "test": 10}), root, out=tmp_path / "out")


@pytest.mark.parametrize(
    ("name", "around", "archive"),
    [
        ("100-shot-obama", "100-shot-obama", "100-shot-obama.zip"),
        ("100-shot-panda", "", "100-shot-panda.zip"),
        ("ffhq", "", None),
    ],
)
def test_a_set_of_one_class_has_its_images_in_the_order_of_their_paths(
    name: str, around: str, archive: str | None, tmp_path: Path, save_noise: Callable[..., Path], pack: Callable[..., Path],
    expecting: Expecting,
) -> None:  # fmt: skip
    root = tmp_path / "source"
    files = ["0.jpg", "1.jpg", "10.jpg", "2.jpg"] if archive else ["00000/00000.png", "00000/00007.png", "01000/01000.png"]
    inside = root / around / ("images1024x1024" if name == "ffhq" else "")
    paths = [save_noise(inside / file, i, 30, 30) for i, file in enumerate(files)]
    save_noise(root / "__MACOSX" / "._0.jpg", 77)
    save_noise(inside / ".hidden.png", 78)
    if name == "ffhq":
        save_noise(root / "thumbnails128x128" / "00000" / "00000.png", 79)
    source = pack(root, tmp_path / archive) if archive else root
    dataset = expecting(name, expected={"train": len(files)})
    train = dataset.at(prepare(dataset, source, resolution=16, out=tmp_path / "out")).load("train", 16)
    assert torch.equal(train.images, read_images(paths, 16, 3))
    assert train.labels.tolist() == [0] * len(files)
    with pytest.raises(UserError, match=f"split 'train' has {len(files)} images, expected 7"):
        prepare(expecting(name, expected={"train": 7}), source, out=tmp_path / "other")
