"""What a score is computed from: images in a fixed order, and everything they depend on."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ganeval.checkpoints import load_folder, save_folder
from ganeval.data.base import Dataset, ImageSet
from ganeval.data.registry import find_dataset
from ganeval.errors import UserError
from ganeval.protocols import PROTOCOLS
from ganeval.sources import Images, Source, open_generator, open_source

CPU = torch.device("cpu")
RULES = PROTOCOLS.get("small-v2")


def opened(path: Path, dataset: str | None = None, num: int | None = None, seed: int = 0) -> tuple[Source, Dataset]:
    return open_source(path, RULES, dataset, num=num, seed=seed, device=CPU)


def everything(source: Source) -> tuple[torch.Tensor, torch.Tensor]:
    images, labels = zip(*source.batches(), strict=True)
    return torch.cat(images), torch.cat(labels)


def test_a_checkpoint_gives_the_protocols_count_with_balanced_labels(tiny_run: Path) -> None:
    source, dataset = opened(tiny_run)
    assert (source.count, source.seed, source.resolution, source.classes) == (RULES.fakes, 0, 16, dataset.classes)
    images, labels = everything(opened(tiny_run, num=70)[0])
    assert (images.dtype, images.shape) == (torch.uint8, (70, 1, 16, 16))
    assert labels.tolist() == [i % 10 for i in range(70)]


def test_a_folder_gives_all_of_its_images(real_folder: Path) -> None:
    source, dataset = opened(real_folder, "digits", num=500, seed=9)
    images, labels = everything(source)
    test = dataset.load("test")
    assert (source.count, source.seed) == (500, None)
    assert torch.equal(images, test.images)  # in the order of the files' names, not class by class
    assert torch.equal(labels, test.labels)


def test_labels_are_the_datasets_whatever_order_its_classes_have(
    tmp_path: Path, save_images: Callable[[ImageSet, Path], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    digits = find_dataset("digits")
    test = digits.load("test")
    folder = save_images(ImageSet(test.images[:60], test.labels[:60], digits.classes), tmp_path / "samples")
    unsorted = type("Unsorted", (type(digits),), {"classes": tuple("9801234567")})()
    monkeypatch.setattr("ganeval.sources.base.find_whole_or_part", lambda name: unsorted)
    source, _ = opened(folder, "unsorted")
    names = [unsorted.classes[label] for label in everything(source)[1]]
    assert source.classes == unsorted.classes
    assert names == [digits.classes[label] for label in test.labels[:60]]


def test_the_fingerprint_changes_with_all_that_the_images_depend_on(tiny_run: Path, real_folder: Path) -> None:
    def of(run: Path = tiny_run, num: int = 30, seed: int = 0, **rules: object) -> str:
        source, _ = open_source(run, replace(RULES, **rules), None, num=num, seed=seed, device=CPU)
        return repr(sorted(source.fingerprint.items()))

    different = [
        of(), of(tiny_run / "checkpoints" / "step-00000001"), of(num=31), of(seed=1), of(weights="raw"), of(labels="uniform")
    ]  # fmt: skip
    assert len(set(different)) == len(different)
    assert of() == of(tiny_run / "checkpoints" / "step-00000002")
    folder, _ = opened(real_folder, "digits")
    assert repr(sorted(folder.fingerprint.items())) not in different


def test_the_same_weights_under_another_recipe_are_another_source(tiny_run: Path, tmp_path: Path) -> None:
    whole = load_folder(tiny_run / "checkpoints" / "step-00000002")
    recipe = {**whole.record["recipe"], "prior": "uniform"}
    save_folder(tmp_path / "uniform", whole.tensors, {**whole.record, "recipe": recipe})
    gaussian, uniform = (opened(path, num=20)[0] for path in (tiny_run, tmp_path / "uniform"))
    assert not torch.equal(everything(gaussian)[0], everything(uniform)[0])
    assert gaussian.fingerprint != uniform.fingerprint
    assert gaussian.origin["recipe_sha256"] != uniform.origin["recipe_sha256"]


def test_one_changed_pixel_is_another_folder(tmp_path: Path, save_images: Callable[[ImageSet, Path], Path]) -> None:
    test = find_dataset("digits").load("test")
    images = test.images[:40].clone()
    before, _ = opened(save_images(ImageSet(images, test.labels[:40], test.classes), tmp_path / "before"), "digits")
    images[17, 0, 5, 5] ^= 1
    after, _ = opened(save_images(ImageSet(images, test.labels[:40], test.classes), tmp_path / "after"), "digits")
    assert before.fingerprint != after.fingerprint
    assert before.origin["sha256"] != after.origin["sha256"]


def test_a_checkpoint_trained_on_a_folder_asks_where_it_is(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, save_images: Callable[[ImageSet, Path], Path]
) -> None:
    from ganeval.training.loop import train
    from ganeval.training.plan import resolve

    digits = find_dataset("digits").load("test")
    folder = save_images(ImageSet(digits.images[:100], digits.labels[:100], digits.classes), tmp_path / "own")
    tiny = ["backbone.g_channels=2", "backbone.d_channels=2", "conditioning.embed_dim=8", "schedule.batch_size=8"]
    run = train(*resolve("reacgan", str(folder), tiny), tmp_path / "run", steps=1).folder
    monkeypatch.chdir(tiny_run)
    with pytest.raises(UserError, match="was trained on the folder 'own': say where it is with --dataset PATH"):
        opened(run)
    assert opened(run, str(folder))[1].name == "own"
    moved = shutil.copytree(folder, tmp_path / "elsewhere")
    assert opened(run, str(moved))[1].name == "elsewhere"
    next((moved / "4").iterdir()).unlink()
    with pytest.raises(UserError, match="is not the one the checkpoint was trained on"):
        opened(run, str(moved))


def test_a_generator_of_a_damaged_checkpoint_is_not_opened_even_if_its_own_file_is_whole(tiny_run: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    assert open_generator(run, "ema", CPU).num_classes == 10
    file = run / "checkpoints" / "step-00000002" / "d_optimizer.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"\xff")
    with pytest.raises(UserError, match=r"d_optimizer\.safetensors is damaged"):
        open_generator(run, "ema", CPU)


def test_images_of_a_dataset_are_not_touched_by_reading_them() -> None:
    test = find_dataset("digits").load("test")
    images, labels = everything(Images(test, {}))
    assert torch.equal(images, test.images)
    assert torch.equal(labels, test.labels)
