from __future__ import annotations

import pytest
import torch

from ganeval.data.base import Dataset, ImageSet
from ganeval.errors import UserError


class Canned(Dataset):
    name, classes, channels, resolution, filter, citation = "canned", ("a", "b"), 1, 4, "none", "none"

    def __init__(self, labels: list[int], count: int) -> None:
        self.labels = torch.tensor(labels)
        self.splits = {"train": count}

    def read(self, split: str, resolution: int) -> ImageSet:
        return ImageSet(torch.zeros(len(self.labels), 1, resolution, resolution, dtype=torch.uint8), self.labels, self.classes)


def test_a_count_that_differs_is_refused() -> None:
    assert len(Canned([0, 1, 1], 3).load("train")) == 3
    with pytest.raises(UserError, match="has 3 images, expected 4"):
        Canned([0, 1, 1], 4).load("train")


@pytest.mark.parametrize("labels", [[0, 2], [-1, 0]])
def test_a_label_without_a_class_is_refused(labels: list[int]) -> None:
    with pytest.raises(UserError, match=r"needs one label of 0\.\.1 per image"):
        Canned(labels, 2).load("train")


def test_the_fingerprint_sees_pixels_labels_shape_and_classes() -> None:
    images = torch.arange(32, dtype=torch.uint8).view(2, 1, 4, 4)
    labels = torch.tensor([0, 1])
    other = images.clone()
    other[1, 0, 3, 3] += 1
    sets = [
        ImageSet(images, labels, ("a", "b")),
        ImageSet(other, labels, ("a", "b")),
        ImageSet(images, labels.flip(0), ("a", "b")),
        ImageSet(images.view(2, 4, 2, 2), labels, ("a", "b")),
        ImageSet(images, labels, ("a", "c")),
    ]
    assert len({data.fingerprint for data in sets}) == len(sets)
    strided = images.expand(2, 1, 4, 4).transpose(2, 3).contiguous().transpose(2, 3)
    assert ImageSet(strided, labels, ("a", "b")).fingerprint == sets[0].fingerprint
