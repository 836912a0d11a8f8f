"""``celeba-64``: aligned faces of celebrities, split as the authors' ``list_eval_partition.txt`` says."""

from __future__ import annotations

from pathlib import Path

from ganeval.data.archives import find_root, require_file, require_md5, table
from ganeval.data.places import Place, open_zip
from ganeval.data.prepared import PreparedDataset, fetched
from ganeval.data.raw import Contents, FileSplit
from ganeval.data.registry import DATASETS
from ganeval.errors import UserError

IMAGES = "img_align_celeba"
PARTS = {"0": "train", "1": "valid", "2": "test"}


class CelebA64(PreparedDataset):
    """One class: the attributes are not used. The aligned images have 178 x 218 pixels, of which the middle 178 x 178 remain."""

    name = "celeba-64"
    archive = "a folder with list_eval_partition.txt and img_align_celeba.zip (or img_align_celeba/*.jpg)"
    resolution = 64
    class_count = 1
    class_names = ("face",)
    expected = {"train": 162_770, "valid": 19_867, "test": 19_962}  # noqa: RUF012
    held_out = "test"
    citation = "Liu, Luo, Wang and Tang, Deep Learning Face Attributes in the Wild, ICCV 2015"

    def checksums(self) -> dict[str, str]:
        from torchvision.datasets import CelebA as official

        return {file: md5 for _, md5, file in official.file_list}

    def download(self, folder: Path) -> Path:
        """By torchvision from Google Drive, which needs the package gdown."""
        from torchvision.datasets import CelebA as official

        return fetched(folder, self.name, lambda: official(str(folder), split="all", download=True))

    def contents(self, source: Place) -> Contents:
        root = find_root(source, "list_eval_partition.txt")
        partition, images = root / "list_eval_partition.txt", self._images(source, root)
        paths: dict[str, list[Place]] = {split: [] for split in PARTS.values()}
        for file, part in table(partition, 2, self.checksums()):
            if part not in PARTS:
                raise UserError(f"{partition} puts {file} into part '{part}' instead of 0, 1 or 2")
            paths[PARTS[part]].append(require_file(images / file))
        return Contents(("face",), {split: FileSplit(found, [0] * len(found)) for split, found in paths.items()})

    def _images(self, source: Place, root: Place) -> Place:
        packed = root / f"{IMAGES}.zip"
        if isinstance(packed, Path) and packed.is_file():
            return open_zip(require_md5(packed, self.checksums())) / IMAGES
        return find_root(source, IMAGES) / IMAGES


DATASETS.add(CelebA64.name, CelebA64())
