from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

from ganeval.data import digits as module
from ganeval.data.digits import Digits, enlarge, held_out
from ganeval.errors import UserError

FINGERPRINTS = {
    "train": "95c4b894d48d08874b6c538b4cecf97194226809608dff973936167d15cd52c5",
    "test": "314e0c3f03f639b438e1a2c5bc029618fd81c84963d9a1603ce58edbe63ca932",
}


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_split_has_its_documented_content(split: str) -> None:
    data = Digits().load(split)
    assert (data.images.dtype, data.labels.dtype) == (torch.uint8, torch.int64)
    assert data.images.shape == (Digits.splits[split], 1, 16, 16)
    assert data.classes == tuple("0123456789")
    assert data.fingerprint == FINGERPRINTS[split]


def test_class_counts_add_up_to_the_file() -> None:
    test = torch.bincount(Digits().load("test").labels)
    train = torch.bincount(Digits().load("train").labels)
    assert test.tolist() == [50] * 10
    assert (train + test).tolist() == np.bincount(load_digits().target).tolist()


def test_the_splits_share_no_image_and_leave_none_out() -> None:
    rows = {split: {x.numpy().tobytes() for x in Digits().load(split, 8).images} for split in ("train", "test")}
    assert len(rows["train"]) == 1297
    assert len(rows["test"]) == 500
    assert not rows["train"] & rows["test"]


def test_at_8_pixels_the_grey_levels_are_the_rounded_originals() -> None:
    bunch = load_digits()
    expected = np.floor(bunch.images * 255 / 16 + 0.5)
    mask = held_out(bunch.target)
    assert np.array_equal(Digits().load("test", 8).images[:, 0].numpy(), expected[mask])
    assert np.array_equal(Digits().load("train", 8).images[:, 0].numpy(), expected[~mask])
    assert np.array_equal(Digits().load("train", 8).labels.numpy(), bunch.target[~mask])


def test_held_out_images_are_spread_evenly_over_each_class() -> None:
    labels = np.array([0] * 100 + [1] * 175)
    mask = held_out(labels)
    assert np.flatnonzero(mask[:100]).tolist() == list(range(1, 100, 2))
    gaps = np.diff(np.flatnonzero(mask[100:]))
    assert mask[100:].sum() == 50
    assert set(gaps) == {3, 4}


@pytest.mark.parametrize("resolution", [16, 32])
def test_enlarging_is_pillows_bicubic_filter(resolution: int) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (3, 8, 8), dtype=np.uint8)
    for given, made in zip(images, enlarge(images, resolution), strict=True):
        expected = Image.fromarray(given).resize((resolution, resolution), Image.Resampling.BICUBIC)
        assert np.array_equal(made, np.asarray(expected))


def test_too_small_a_resolution_is_refused() -> None:
    with pytest.raises(UserError, match=r"data\.resolution=8 or more"):
        Digits().load("train", 4)


def test_an_unknown_split_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UserError, match="no split 'valid': it has train, test"):
        Digits().load("valid")


def test_a_changed_source_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SOURCE_SHA256", "0" * 64)
    with pytest.raises(UserError, match="scikit-learn's digits differ"):
        Digits().load("train")
