"""Datasets whose archives list their images: Tiny ImageNet, CUB-200, CelebA."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torchvision import datasets

from ganeval.data.celeba import CelebA64
from ganeval.data.images import read_images
from ganeval.data.prepare import prepare
from ganeval.data.prepared import PreparedDataset
from ganeval.errors import UserError

Expecting = Callable[..., PreparedDataset]
Save = Callable[..., Path]


@pytest.fixture
def tiny(tmp_path: Path, save_noise: Save) -> Path:
    """``tiny-imagenet-200`` with two classes: 3 + 2 training images, 3 of validation, 1 without a label."""
    root = tmp_path / "source" / "tiny-imagenet-200"
    for number, (name, count) in enumerate({"n02124075": 3, "n01443537": 2}.items()):
        for i in range(count):
            save_noise(root / "train" / name / "images" / f"{name}_{i}.JPEG", 10 * number + i, 8, 8, "L" if i == 1 else "RGB")
        (root / "train" / name / f"{name}_boxes.txt").write_text(f"{name}_0.JPEG\t0\t0\t7\t7\n")
    for i in range(3):
        save_noise(root / "val" / "images" / f"val_{i}.JPEG", 50 + i, 8, 8)
    rows = [("val_2.JPEG", "n01443537"), ("val_0.JPEG", "n02124075"), ("val_1.JPEG", "n02124075")]
    (root / "val" / "val_annotations.txt").write_text("".join(f"{file}\t{name}\t0\t32\t44\t62\n" for file, name in rows))
    save_noise(root / "test" / "images" / "test_0.JPEG", 99, 8, 8)
    (root / "wnids.txt").write_text("n02124075\nn01443537\n")
    (root / "words.txt").write_text("n02124075\tEgyptian cat\n")
    return root


def tiny_dataset(expecting: Expecting) -> PreparedDataset:
    return expecting("tiny-imagenet", class_count=2, expected={"train": 5, "test": 3})


@pytest.mark.parametrize("form", ["folder", "zip"])
def test_tiny_imagenet_has_sorted_classes_and_annotated_validation_images(
    form: str, tiny: Path, tmp_path: Path, expecting: Expecting, pack: Callable[..., Path]
) -> None:
    source = tiny if form == "folder" else pack(tiny.parent, tmp_path / "tiny-imagenet-200.zip")
    dataset = tiny_dataset(expecting)
    prepared = dataset.at(prepare(dataset, source, resolution=8, out=tmp_path / "out"))
    train, test = prepared.load("train", 8), prepared.load("test", 8)
    assert train.classes == ("n01443537", "n02124075")
    assert train.labels.tolist() == [0, 0, 1, 1, 1]
    files = [
        tiny / "train" / name / "images" / f"{name}_{i}.JPEG"
        for name, n in (("n01443537", 2), ("n02124075", 3))
        for i in range(n)
    ]
    assert torch.equal(train.images, read_images(files, 8, 3))
    assert test.labels.tolist() == [0, 1, 1]
    assert torch.equal(test.images, read_images([tiny / "val" / "images" / f"val_{i}.JPEG" for i in (2, 0, 1)], 8, 3))


def _drop(name: str) -> Callable[[Path], object]:
    return lambda root: (root / name).unlink()


def _write(name: str, text: str) -> Callable[[Path], object]:
    return lambda root: (root / name).write_text(text)


def _append(name: str, text: str) -> Callable[[Path], object]:
    return lambda root: (root / name).write_text((root / name).read_text() + text)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (_drop("wnids.txt"), "has no wnids.txt"),
        (_drop("val/val_annotations.txt"), "val_annotations.txt is missing"),
        (_drop("val/images/val_1.JPEG"), "val_1.JPEG is missing"),
        (_drop("train/n02124075/images/n02124075_2.JPEG"), "split 'train' has 4 images, expected 5"),
        (_append("wnids.txt", "n09999999\n"), "n09999999/images is missing"),
        (_append("val/val_annotations.txt", "val_0.JPEG\tn00000001\t0\t1\t2\t3\n"), "'n00000001', which wnids.txt has not"),
        (_append("val/val_annotations.txt", "val_0.JPEG\tn02124075\t0\t1\t2\t3\n"), "split 'test' has 4 images, expected 3"),
        (_append("val/val_annotations.txt", "val_0.JPEG\n"), "line 4 has 1 fields instead of 3"),
        (_write("train/n02124075/images/n02124075_0.JPEG", "no"), "n02124075_0.JPEG is damaged or no image"),
    ],
)  # fmt: skip
def test_a_tiny_imagenet_that_is_not_the_official_is_refused(
    damage: Callable[[Path], object], said: str, tiny: Path, tmp_path: Path, expecting: Expecting
) -> None:
    damage(tiny)
    with pytest.raises(UserError, match=said) as caught:
        prepare(tiny_dataset(expecting), tiny, out=tmp_path / "out")
    assert str(caught.value).endswith("(expected: tiny-imagenet-200.zip)")
    assert not (tmp_path / "out").exists()


@pytest.fixture
def cub(tmp_path: Path, save_noise: Save) -> Path:
    """``CUB_200_2011`` with three classes and five images, of which two are for testing."""
    root = tmp_path / "source" / "CUB_200_2011"
    names = ["001.Black_footed_Albatross", "002.Laysan_Albatross", "003.Sooty_Albatross"]
    images = [(names[k], f"{names[k]}_{i}.jpg") for i, k in enumerate((0, 0, 1, 2, 2))]
    for i, (folder, file) in enumerate(images):
        save_noise(root / "images" / folder / file, i, 20 + i, 30 - 2 * i, "L" if i == 3 else "RGB")
    (root / "classes.txt").write_text("".join(f"{i} {name}\n" for i, name in enumerate(names, 1)))
    (root / "images.txt").write_text("".join(f"{i} {folder}/{file}\n" for i, (folder, file) in enumerate(images, 1)))
    (root / "image_class_labels.txt").write_text("1 1\n2 1\n3 2\n4 3\n5 3\n")
    (root / "train_test_split.txt").write_text("1 0\n2 1\n3 1\n4 1\n5 0\n")
    (root.parent / "attributes.txt").write_text("1 has_bill_shape::curved_(up_or_down)\n")
    return root


def cub_dataset(expecting: Expecting) -> PreparedDataset:
    return expecting("cub200", class_count=3, expected={"train": 3, "test": 2})


@pytest.mark.parametrize("form", ["folder", "tgz"])
def test_cub200_follows_its_own_lists(
    form: str, cub: Path, tmp_path: Path, expecting: Expecting, pack: Callable[..., Path]
) -> None:
    source = cub if form == "folder" else pack(cub.parent, tmp_path / "CUB_200_2011.tgz")
    dataset = cub_dataset(expecting)
    prepared = dataset.at(prepare(dataset, source, resolution=16, out=tmp_path / "out"))
    train, test = prepared.load("train", 16), prepared.load("test", 16)
    paths = [cub / "images" / line.split()[1] for line in (cub / "images.txt").read_text().splitlines()]
    assert (train.labels.tolist(), test.labels.tolist()) == ([0, 1, 2], [0, 2])
    assert train.classes == ("001.Black_footed_Albatross", "002.Laysan_Albatross", "003.Sooty_Albatross")
    assert torch.equal(train.images, read_images([paths[i] for i in (1, 2, 3)], 16, 3))
    assert torch.equal(test.images, read_images([paths[i] for i in (0, 4)], 16, 3))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (_drop("train_test_split.txt"), "has no train_test_split.txt"),
        (_drop("classes.txt"), "classes.txt is missing"),
        (_append("image_class_labels.txt", "6 3\n"), "do not speak of the same images"),
        (_append("classes.txt", "4 004.Groove_billed_Ani\n"), "there are 4 classes, expected 3"),
        (_write("image_class_labels.txt", "1 1\n2 1\n3 2\n4 3\n5 7\n"), "has a class that classes.txt has not"),
        (_write("train_test_split.txt", "1 1\n2 1\n3 1\n4 1\n5 0\n"), "'train' has 4 images, expected 3"),
        (_drop("images/002.Laysan_Albatross/002.Laysan_Albatross_2.jpg"), "002.Laysan_Albatross_2.jpg is missing"),
    ],
)  # fmt: skip
def test_a_cub200_that_is_not_the_official_is_refused(
    damage: Callable[[Path], object], said: str, cub: Path, tmp_path: Path, expecting: Expecting
) -> None:
    damage(cub)
    with pytest.raises(UserError, match=said):
        prepare(cub_dataset(expecting), cub, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.fixture
def celeba(tmp_path: Path, save_noise: Save) -> Path:
    """``img_align_celeba/`` with five images of 178 x 218 and the partition file."""
    root = tmp_path / "source"
    for i in range(1, 6):
        save_noise(root / "img_align_celeba" / f"{i:06}.jpg", i, 218, 178)
    (root / "list_eval_partition.txt").write_text("000001.jpg 0\n000002.jpg 2\n000003.jpg 0\n000004.jpg 1\n000005.jpg 0\n")
    return root


@pytest.mark.parametrize("form", ["folder", "zip"])
def test_celeba_follows_the_partition(
    form: str, celeba: Path, tmp_path: Path, expecting: Expecting, pack: Callable[..., Path]
) -> None:
    kept = [celeba / "img_align_celeba" / f"{i:06}.jpg" for i in (1, 3, 5)]
    expected = read_images(kept, 64, 3)
    if form == "zip":
        inside = tmp_path / "inside"
        inside.mkdir()
        (celeba / "img_align_celeba").rename(inside / "img_align_celeba")
        pack(inside, celeba / "img_align_celeba.zip")
    dataset = expecting("celeba-64", expected={"train": 3, "valid": 1, "test": 1})
    prepared = dataset.at(prepare(dataset, celeba, out=tmp_path / "out"))
    train = prepared.load("train")
    assert torch.equal(train.images, expected)
    assert train.classes == ("face",)
    assert {split: len(prepared.load(split)) for split in prepared.splits} == {"train": 3, "valid": 1, "test": 1}
    assert prepared.load("test").labels.tolist() == [0]


def test_a_celeba_with_another_partition_or_another_zip_is_refused(
    celeba: Path, tmp_path: Path, expecting: Expecting, md5_of: Callable[..., dict[str, str]], pack: Callable[..., Path]
) -> None:
    counts = {"train": 3, "valid": 1, "test": 1}
    table, md5 = celeba / "list_eval_partition.txt", md5_of(celeba / "list_eval_partition.txt")
    prepare(expecting("celeba-64", md5, expected=counts), celeba, out=tmp_path / "intact")
    table.write_text(table.read_text().replace("000002.jpg 2", "000002.jpg 3"))
    with pytest.raises(UserError, match=r"list_eval_partition\.txt is not the official file"):
        prepare(expecting("celeba-64", md5, expected=counts), celeba, out=tmp_path / "out")
    with pytest.raises(UserError, match=r"puts 000002\.jpg into part '3' instead of 0, 1 or 2"):
        prepare(expecting("celeba-64", expected=counts), celeba, out=tmp_path / "out")
    table.write_text(table.read_text().replace("000002.jpg 3", "000009.jpg 2"))
    with pytest.raises(UserError, match=r"000009\.jpg is missing"):
        prepare(expecting("celeba-64", expected=counts), celeba, out=tmp_path / "out")
    pack(celeba, celeba / "img_align_celeba.zip")
    with pytest.raises(UserError, match=r"img_align_celeba\.zip is not the official file"):
        prepare(expecting("celeba-64", {"img_align_celeba.zip": "f" * 32}, expected=counts), celeba, out=tmp_path / "out")


def test_celeba_is_downloaded_by_torchvision(
    celeba: Path, tmp_path: Path, expecting: Expecting, monkeypatch: pytest.MonkeyPatch
) -> None:
    official = datasets.CelebA

    class Downloader:
        file_list = official.file_list

        def __init__(self, root: str, split: str, download: bool) -> None:
            assert (split, download) == ("all", True)
            celeba.rename(Path(root) / "celeba")

    monkeypatch.setattr(datasets, "CelebA", Downloader)
    monkeypatch.setattr(CelebA64, "checksums", lambda self: {})
    dataset = expecting("celeba-64", expected={"train": 3, "valid": 1, "test": 1})
    assert len(dataset.at(prepare(dataset, out=tmp_path / "out")).load("train")) == 3


def test_a_download_of_celeba_that_fails_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Refused(Exception):
        """As gdown's, which is neither an OSError nor a RuntimeError."""

    def refused(root: str, split: str, download: bool) -> None:
        raise Refused("too many users have viewed the file")

    monkeypatch.setattr(datasets, "CelebA", refused)
    with pytest.raises(
        UserError, match=r"'celeba-64' cannot be downloaded \(too many users have viewed the file\): get it yourself"
    ):
        prepare(CelebA64(), out=tmp_path / "out")
