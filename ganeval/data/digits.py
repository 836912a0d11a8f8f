"""The dataset ``digits``: 1,797 real handwritten digits that come with scikit-learn, so that everything runs offline."""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from ganeval.data.base import Dataset, ImageSet
from ganeval.data.images import require_room
from ganeval.data.registry import DATASETS
from ganeval.errors import UserError

UInt8 = NDArray[np.uint8]
Int64 = NDArray[np.int64]

SOURCE_SIZE = 8
HELD_OUT_PER_CLASS = 50
SOURCE_SHA256 = "b41ca9fd335466eee997366c2e6f6bbe0a1b4582afe091fc4eba35f4a254182f"
"""Of the 1,797 x 8 x 8 grey levels as uint8, in the file's order."""


def held_out(labels: Int64) -> NDArray[np.bool_]:
    """The mask of the test images: of the n images of a class, in the file's order, those at (2 i + 1) n // 100, i < 50.

    The file is ordered by writer. Spread evenly over a class, the 50 held-out images come from all writers, as the
    training images do: the two splits have one distribution, and the score of the test split against the training split
    is a floor. A block at the end would hold other writers out and measure handwriting instead.
    """
    mask = np.zeros(len(labels), dtype=np.bool_)
    for label in np.unique(labels):
        index = np.flatnonzero(labels == label)
        mask[index[(2 * np.arange(HELD_OUT_PER_CLASS) + 1) * len(index) // (2 * HELD_OUT_PER_CLASS)]] = True
    return mask


def enlarge(images: UInt8, resolution: int) -> UInt8:
    """Images (N, 8, 8) to (N, R, R): Pillow's bicubic filter on uint8, which clips. At 8 pixels nothing is done.

    Bicubic keeps strokes as sharp as Lanczos does, without the second ring Lanczos leaves on the black ground. On uint8
    Pillow computes in integers: the pixels are the same on every machine.
    """
    if resolution == SOURCE_SIZE:
        return images
    return np.stack([np.asarray(Image.fromarray(x).resize((resolution, resolution), Image.Resampling.BICUBIC)) for x in images])


def _source() -> tuple[UInt8, Int64]:
    """Images (1797, 8, 8) and labels (1797,) of scikit-learn's file; grey level v of 0..16 becomes round(255 v / 16)."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = ((bunch.images.astype(np.int64) * 255 + 8) // 16).astype(np.uint8)
    if hashlib.sha256(images.tobytes()).hexdigest() != SOURCE_SHA256:
        raise UserError("scikit-learn's digits differ from those 'digits' is made of: install another scikit-learn version")
    return images, bunch.target.astype(np.int64)


class Digits(Dataset):
    """Grey images of the ten digits by 13 writers: 1,297 for training, 500 held out (50 per class).

    The originals have 8 x 8 pixels and 17 grey levels; the resolution one trains at is 16 unless said otherwise.
    """

    name = "digits"
    classes = tuple("0123456789")
    channels = 1
    resolution = 16
    splits = {"train": 1297, "test": 500}  # noqa: RUF012
    filter = "Pillow bicubic on uint8, from 8x8"
    citation = "Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998 (test part, as in scikit-learn)"
    extractor = "digits-cnn"
    held_out = "test"
    mirrored = False

    def read(self, split: str, resolution: int) -> ImageSet:
        """Images uint8 (N, 1, R, R) in the file's order; raises ``UserError`` below 8 pixels and beyond the memory."""
        if resolution < SOURCE_SIZE:
            raise UserError(f"digits cannot be shown at {resolution} pixels: set data.resolution={SOURCE_SIZE} or more")
        require_room(self.splits[split], self.channels, resolution)
        images, labels = _source()
        mask = held_out(labels) if split == "test" else ~held_out(labels)
        pixels = enlarge(images[mask], resolution)
        return ImageSet(torch.from_numpy(pixels).unsqueeze(1), torch.from_numpy(labels[mask]), self.classes)


DATASETS.add(Digits.name, Digits())
