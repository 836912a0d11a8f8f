from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from ganeval.data.registry import find_dataset
from ganeval.errors import UserError
from ganeval.extractors import digits_cnn as module
from ganeval.extractors.base import Extractor
from ganeval.extractors.registry import find_extractor


@pytest.fixture(scope="module")
def extractor() -> Extractor:
    return find_extractor("digits-cnn")


def test_the_recorded_accuracy_is_the_recomputed_one(extractor: Extractor) -> None:
    test = find_dataset("digits").load("test")
    logits = extractor(test.images).logits
    assert logits is not None
    right = int((logits.argmax(dim=1) == test.labels).sum())
    assert extractor.record["test_accuracy"] == right / 500
    assert extractor.record["test_count"] == 500
    assert right >= 485


def test_it_was_trained_on_the_split_as_it_is_now(extractor: Extractor) -> None:
    digits = find_dataset("digits")
    assert extractor.record["train_fingerprint"] == digits.load("train").fingerprint
    assert extractor.record["test_fingerprint"] == digits.load("test").fingerprint
    assert (extractor.record["dataset"], extractor.classes) == ("digits", digits.classes)
    assert digits.extractor == extractor.name == "digits-cnn"


def test_it_knows_digits_at_other_resolutions_too(extractor: Extractor) -> None:
    test = find_dataset("digits").load("test", 32)
    logits = extractor(test.images).logits
    assert logits is not None
    assert float((logits.argmax(dim=1) == test.labels).float().mean()) >= 0.97


def test_the_weights_are_small() -> None:
    assert sum(file.stat().st_size for file in module.FOLDER.iterdir()) < 400_000


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "digits-cnn"
    shutil.copytree(module.FOLDER, folder)
    monkeypatch.setattr(module, "FOLDER", folder)
    return folder


@pytest.mark.parametrize("position", [0, 1000, 150_000, -1])
@pytest.mark.parametrize("file", ["classifier.safetensors", "manifest.json"])
def test_a_flipped_byte_is_refused(copied: Path, file: str, position: int) -> None:
    data = bytearray((copied / file).read_bytes())
    data[position % len(data)] ^= 1
    (copied / file).write_bytes(data)
    with pytest.raises(UserError, match="damaged"):
        find_extractor("digits-cnn")


def test_an_intact_folder_with_other_weights_is_refused(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert torch.equal(find_extractor("digits-cnn")(IMAGES).features, find_extractor("digits-cnn")(IMAGES).features)
    monkeypatch.setattr(module, "SHA256", "0" * 64)
    with pytest.raises(UserError, match="does not hold the weights of 'digits-cnn'"):
        find_extractor("digits-cnn")


IMAGES = torch.arange(2 * 256, dtype=torch.int64).remainder(251).to(torch.uint8).view(2, 1, 16, 16)
