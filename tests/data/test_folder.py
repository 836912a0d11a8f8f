from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganeval.data.folder import FolderDataset, list_splits, read_image_folder
from ganeval.errors import UserError


def fill(root: Path, counts: dict[str, int], size: tuple[int, int] = (6, 6), mode: str = "RGB") -> Path:
    """Images under ``root/<class>/``, all different: grey level 10 x class + image."""
    for label, (name, count) in enumerate(counts.items()):
        (root / name).mkdir(parents=True)
        for i in range(count):
            level = 10 * label + i
            Image.new(mode, size, level if mode == "L" else (level, 0, 0)).save(root / name / f"{i}.png")
    return root


def test_classes_are_the_sorted_subfolders_and_files_are_sorted_by_name(tmp_path: Path) -> None:
    data = FolderDataset(fill(tmp_path / "set", {"cat": 3, "ant": 2}))
    images = data.load("train")
    assert (data.name, data.classes, data.splits, data.held_out) == ("set", ("ant", "cat"), {"train": 5}, None)
    assert images.images.dtype == torch.uint8
    assert images.images[:, 0, 0, 0].tolist() == [10, 11, 0, 1, 2]
    assert images.labels.tolist() == [0, 0, 1, 1, 1]
    assert images.labels.dtype == torch.int64


@pytest.mark.parametrize("held_out", ["test", "valid", "val"])
def test_a_divided_folder_has_two_splits(tmp_path: Path, held_out: str) -> None:
    fill(tmp_path / "train", {"a": 2, "b": 2})
    fill(tmp_path / held_out, {"a": 1, "b": 2})
    data = FolderDataset(tmp_path)
    assert (data.splits, data.held_out) == ({"train": 4, "test": 3}, "test")
    assert data.load("test").labels.tolist() == [0, 1, 1]


def test_test_comes_before_valid(tmp_path: Path) -> None:
    for name, count in (("train", 4), ("valid", 3), ("test", 2)):
        fill(tmp_path / name, {"a": count})
    assert FolderDataset(tmp_path).splits == {"train": 4, "test": 2}


def test_a_divided_folder_may_have_no_test_split(tmp_path: Path) -> None:
    fill(tmp_path / "train", {"a": 2})
    data = FolderDataset(tmp_path)
    assert (data.splits, data.held_out) == ({"train": 2}, None)


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    fill(tmp_path, {"train": 2, "bus": 1})
    assert list_splits(tmp_path)["train"].classes == ("bus", "train")


def test_splits_with_different_classes_are_refused(tmp_path: Path) -> None:
    fill(tmp_path / "train", {"a": 1, "b": 1})
    fill(tmp_path / "val", {"a": 1})
    with pytest.raises(UserError, match="class 'b' is in only one of"):
        FolderDataset(tmp_path)


def test_one_colour_image_in_any_split_makes_three_channels(tmp_path: Path) -> None:
    fill(tmp_path / "train", {"a": 2}, mode="L")
    fill(tmp_path / "test", {"a": 2}, mode="L")
    assert FolderDataset(tmp_path).channels == 1
    assert FolderDataset(tmp_path).load("train").images.shape == (2, 1, 6, 6)
    Image.new("RGB", (6, 6), (9, 9, 9)).save(tmp_path / "test" / "a" / "9.png")
    assert FolderDataset(tmp_path).load("train").images.shape == (2, 3, 6, 6)
    assert FolderDataset(tmp_path).load("train").images[1].unique().tolist() == [1]


def test_the_native_resolution_is_the_short_side(tmp_path: Path) -> None:
    data = FolderDataset(fill(tmp_path, {"a": 2}, size=(12, 5)))
    assert data.resolution == 5
    assert data.load("train").images.shape == (2, 3, 5, 5)
    assert data.load("train", 4).images.shape == (2, 3, 4, 4)


def test_mixed_sizes_need_a_choice_and_then_work(tmp_path: Path) -> None:
    fill(tmp_path, {"a": 2}, size=(6, 6))
    fill(tmp_path, {"b": 1}, size=(8, 7))
    data = FolderDataset(tmp_path)
    with pytest.raises(UserError, match=r"images of 2 sizes \(6x6, 8x7\): choose one, e\.g\. data\.resolution=32"):
        data.load("train")
    assert data.load("train", 6).images.shape == (3, 3, 6, 6)


def test_the_fingerprint_follows_the_content_not_the_place(tmp_path: Path) -> None:
    one = FolderDataset(fill(tmp_path / "one", {"a": 2, "b": 1})).load("train")
    two = FolderDataset(fill(tmp_path / "two", {"a": 2, "b": 1})).load("train")
    assert one.fingerprint == two.fingerprint
    Image.new("RGB", (6, 6), (200, 0, 0)).save(tmp_path / "two" / "a" / "0.png")
    assert FolderDataset(tmp_path / "two").load("train").fingerprint != one.fingerprint


def test_reading_a_folder_of_samples_gives_the_same_images(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    for i, name in enumerate(("x", "y", "y")):
        (tmp_path / name).mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (9 + i, 7, 3), dtype=np.uint8)).save(tmp_path / name / f"{i}.png")
    assert read_image_folder(tmp_path, 8).fingerprint == FolderDataset(tmp_path).load("train", 8).fingerprint


def test_hidden_folders_and_files_beside_the_classes_do_not_count(tmp_path: Path) -> None:
    fill(tmp_path, {"a": 1})
    (tmp_path / ".cache").mkdir()
    (tmp_path / "README.txt").write_text("about")
    assert FolderDataset(tmp_path).classes == ("a",)


def test_mistakes_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="none is not a folder"):
        FolderDataset(tmp_path / "none")
    with pytest.raises(UserError, match="has no class subfolders"):
        FolderDataset(tmp_path)
    fill(tmp_path, {"a": 1, "empty": 0})
    with pytest.raises(UserError, match=r"class folder .*empty has no images"):
        FolderDataset(tmp_path)


def test_a_damaged_image_is_named_not_skipped(tmp_path: Path) -> None:
    fill(tmp_path, {"a": 3}, size=(40, 40))
    path = tmp_path / "a" / "1.png"
    data = FolderDataset(tmp_path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UserError, match=r"1\.png is damaged"):
        data.load("train")


def test_files_that_appear_later_do_not_change_a_dataset_that_was_counted(tmp_path: Path) -> None:
    data = FolderDataset(fill(tmp_path, {"a": 2}))
    Image.new("RGB", (6, 6)).save(tmp_path / "a" / "7.png")
    assert len(data.load("train")) == 2


def test_a_class_whose_name_is_not_utf8_is_refused(tmp_path: Path) -> None:
    fill(tmp_path, {"a": 1, "ü 北": 1})
    assert FolderDataset(tmp_path).classes == ("a", "ü 北")
    fill(tmp_path, {"b\udcff": 1})
    with pytest.raises(UserError, match=r"class folder 'b\\udcff' in .* has a name that is not UTF-8: give it another"):
        FolderDataset(tmp_path)
