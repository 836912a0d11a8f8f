"""``svhn``: Street View House Numbers, the cropped digits of 32 x 32 pixels, from the ``.mat`` files."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from ganeval.data.archives import find_root, official_bytes
from ganeval.data.places import Place
from ganeval.data.prepared import PreparedDataset, fetched
from ganeval.data.raw import ArraySplit, Contents
from ganeval.data.registry import DATASETS
from ganeval.errors import UserError

FILES = {split: f"{split}_32x32.mat" for split in ("train", "test", "extra")}


class SVHN(PreparedDataset):
    """Digits 0 to 9; the files call zero 10. ``extra``, 531,131 easier images, is prepared where its file is there."""

    name = "svhn"
    archive = "a folder with train_32x32.mat and test_32x32.mat (and extra_32x32.mat, if wanted)"
    resolution = 32
    class_count = 10
    class_names = tuple("0123456789")
    expected = {"train": 73_257, "test": 26_032, "extra": 531_131}  # noqa: RUF012
    optional = frozenset({"extra"})
    held_out = "test"
    mirrored = False
    citation = "Netzer et al., Reading Digits in Natural Images with Unsupervised Feature Learning, NIPS workshop, 2011"

    def checksums(self) -> dict[str, str]:
        from torchvision.datasets import SVHN as official

        return {file: md5 for _, file, md5 in official.split_list.values()}

    def download(self, folder: Path) -> Path:
        from torchvision.datasets import SVHN as official

        return fetched(folder, self.name, lambda: [official(str(folder), split, download=True) for split in ("train", "test")])

    def contents(self, source: Place) -> Contents:
        root = find_root(source, FILES["train"])
        wanted = [split for split, file in FILES.items() if split not in self.optional or (root / file).is_file()]
        return Contents(self.class_names, {split: self._split(root / FILES[split]) for split in wanted})

    def _split(self, path: Place) -> ArraySplit:
        from scipy.io import loadmat

        data = io.BytesIO(official_bytes(path, self.checksums()))
        try:
            content = loadmat(data, variable_names=("X", "y"))
            images, labels = np.moveaxis(content["X"], 3, 0), content["y"].reshape(-1).astype(np.int64) % 10
        except Exception as error:  # a damaged file makes scipy's reader stumble over anything
            raise UserError(f"{path} is no official .mat file of SVHN: {error}") from error
        if images.dtype != np.uint8 or images.shape != (len(labels), 32, 32, 3):
            raise UserError(f"{path} does not hold one image of 32x32x3 bytes for each of its labels")
        return ArraySplit(images, labels)


DATASETS.add(SVHN.name, SVHN())
