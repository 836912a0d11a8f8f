"""The same images in every layout are the same images; what they are held against decides what they are called."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganeval.data.base import ImageSet
from ganeval.errors import UserError
from ganeval.sources.base import KINDS

Opened = Callable[..., tuple]
Everything = Callable[..., tuple]


@pytest.mark.parametrize("prefix", ["", "samples/", "a/b/"])
def test_a_zip_is_its_folder(
    prefix: str,
    few: ImageSet,
    few_folder: Path,
    zipped: Callable[..., Path],
    tmp_path: Path,
    opened: Opened,
    everything: Everything,
) -> None:
    folder, _ = opened(few_folder)
    source, dataset = opened(zipped(few_folder, tmp_path / "few.ZIP", prefix))
    images, labels = everything(source)
    assert torch.equal(images, few.images)
    assert torch.equal(labels, few.labels)
    assert source.labelled
    assert source.classes == dataset.classes
    assert source.fingerprint == folder.fingerprint
    assert source.origin == {"kind": "zip", "name": "few.ZIP", "sha256": folder.origin["sha256"]}


def test_what_macos_adds_to_a_zip_is_not_there(
    few: ImageSet, few_folder: Path, zipped: Callable[..., Path], tmp_path: Path, opened: Opened, everything: Everything
) -> None:
    path = zipped(few_folder, tmp_path / "few.zip", "few/")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("__MACOSX/few/0/._00001.png", b"attributes")
        archive.writestr("few/.DS_Store", b"a view")
    assert torch.equal(everything(opened(path)[0])[0], few.images)


@pytest.mark.parametrize("names", [("arr_0", "arr_1"), ("images", "labels"), ("images", "arr_1")])
@pytest.mark.parametrize("axes", [(0, 2, 3, 1), (0, 1, 2, 3), None])
def test_arrays_in_every_order_of_axes(
    names: tuple[str, str], axes: tuple[int, ...] | None, few: ImageSet, tmp_path: Path, opened: Opened, everything: Everything
) -> None:
    pixels = few.images[:, 0].numpy() if axes is None else few.images.permute(axes).numpy()
    np.savez_compressed(tmp_path / "few.npz", **dict(zip(names, (pixels, few.labels.numpy().astype(np.uint8)), strict=True)))
    images, labels = everything(opened(tmp_path / "few.npz")[0])
    assert torch.equal(images, few.images)
    assert {batch.stride() for batch, _ in opened(tmp_path / "few.npz")[0].batches()} == {few.images.stride()}
    assert labels.dtype == torch.int64
    assert torch.equal(labels, few.labels)


@pytest.mark.parametrize("axes", [(0, 1, 2, 3), (0, 3, 1, 2)])
def test_colour_arrays_lose_what_is_outside_the_centre_square(
    axes: tuple[int, ...], tmp_path: Path, opened: Opened, everything: Everything
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (300, 6, 9, 3), dtype=np.uint8)
    np.savez(tmp_path / "wide.npz", pixels.transpose(axes))
    source, _ = opened(tmp_path / "wide.npz")
    assert (source.count, source.resolution, source.labelled) == (300, 6, False)
    images, labels = everything(source)
    assert labels is None
    assert torch.equal(images, torch.from_numpy(pixels[:, :, 1:7]).permute(0, 3, 1, 2))  # more than one batch, in order


def test_files_are_cropped_as_arrays_are(tmp_path: Path, opened: Opened, everything: Everything) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 6, 9, 3), dtype=np.uint8)
    np.savez(tmp_path / "wide.npz", pixels)
    (tmp_path / "wide").mkdir()
    for index, image in enumerate(pixels):
        Image.fromarray(image).save(tmp_path / "wide" / f"{index}.png")
    assert torch.equal(everything(opened(tmp_path / "wide")[0])[0], everything(opened(tmp_path / "wide.npz")[0])[0])


@pytest.mark.parametrize("zip_it", [False, True])
def test_images_directly_in_the_root_have_no_labels(
    zip_it: bool,
    few: ImageSet,
    few_folder: Path,
    zipped: Callable[..., Path],
    tmp_path: Path,
    opened: Opened,
    everything: Everything,
) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    for file in few_folder.glob("*/*.png"):
        shutil.copy(file, flat)
    (flat / "notes.txt").write_text("not an image")
    source, dataset = opened(zipped(flat, tmp_path / "flat.zip", "flat/") if zip_it else flat)
    images, labels = everything(source)
    assert (source.count, source.labelled, labels) == (40, False, None)
    assert torch.equal(images, few.images)
    assert dataset.name == "digits"


def test_without_a_dataset_nobody_says_what_the_labels_count(
    few: ImageSet,
    few_folder: Path,
    few_npz: Path,
    zipped: Callable[..., Path],
    tmp_path: Path,
    opened: Opened,
    everything: Everything,
) -> None:
    for path in (few_folder, few_npz, zipped(few_folder, tmp_path / "few.zip")):
        with pytest.raises(UserError, match="say what it is held against with --dataset NAME"):
            opened(path, None)
        source, dataset = opened(path, None, reference=True)
        images, labels = everything(source)
        assert (dataset, source.labelled, labels, source.classes) == (None, False, None, ())
        assert torch.equal(images, few.images)


def test_each_path_is_recognised_by_one_kind(few_folder: Path, few_npz: Path, tiny_run: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "moments.npz", mu=np.zeros(2), sigma=np.eye(2))
    np.savez(tmp_path / "adm.npz", arr_0=np.zeros((2, 8, 8, 3), np.uint8), mu=np.zeros(2), sigma=np.eye(2))
    for name in ("a.zip", "model=G.pth", "damaged.npz"):
        (tmp_path / name).write_bytes(b"nothing")
    expected = {
        few_folder: "folder", few_npz: "npz", tiny_run: "checkpoint", tiny_run / "checkpoints" / "step-00000001": "checkpoint",
        tmp_path / "moments.npz": "statistics", tmp_path / "adm.npz": "npz", tmp_path / "damaged.npz": "npz",
        tmp_path / "a.zip": "zip", tmp_path / "model=G.pth": "checkpoint",
    }  # fmt: skip
    for path, name in expected.items():
        assert [kind.name for _, kind in KINDS if kind.recognises(path)] == [name], path


def test_images_that_are_written_while_they_are_read(
    few_folder: Path, tmp_path: Path, opened: Opened, everything: Everything
) -> None:
    copy = Path(shutil.copytree(few_folder, tmp_path / "copy"))
    source, _ = opened(copy)
    changed = next(iter((copy / "3").iterdir()))
    Image.new("L", (16, 16), 77).save(changed)
    with pytest.raises(UserError, match=f"{changed} changed while it was read"):
        everything(source)


def test_labels_make_another_source_and_names_do_not(few_folder: Path, tmp_path: Path, opened: Opened) -> None:
    copy = Path(shutil.copytree(few_folder, tmp_path / "copy"))
    for file in copy.glob("*/*.png"):
        file.rename(file.with_name(f"sample-{file.name}"))
    assert opened(copy)[0].fingerprint == opened(few_folder)[0].fingerprint
    last = max(copy.glob("*/*.png"), key=lambda file: file.name)
    last.rename(copy / str((int(last.parent.name) + 1) % 10) / last.name)
    assert opened(copy)[0].fingerprint != opened(few_folder)[0].fingerprint
