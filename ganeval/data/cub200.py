"""``cub200``: Caltech-UCSD Birds 200-2011, with the archive's own lists of images, classes and splits."""

from __future__ import annotations

from ganeval.data.archives import find_root, require_file, table
from ganeval.data.places import Place
from ganeval.data.prepared import PreparedDataset
from ganeval.data.raw import Contents, FileSplit
from ganeval.data.registry import DATASETS
from ganeval.errors import UserError


class CUB200(PreparedDataset):
    """200 species of birds in photographs of many sizes; whole images, the bounding boxes are not used."""

    name = "cub200"
    archive = "CUB_200_2011.tgz"
    resolution = 128
    class_count = 200
    expected = {"train": 5994, "test": 5794}  # noqa: RUF012
    held_out = "test"
    citation = "Wah, Branson, Welinder, Perona and Belongie, The Caltech-UCSD Birds-200-2011 Dataset, CNS-TR-2011-001, 2011"

    def contents(self, source: Place) -> Contents:
        root = find_root(source, "train_test_split.txt")
        names, files, split = (dict(table(root / f"{list_}.txt", 2)) for list_ in ("classes", "images", "train_test_split"))
        labels = dict(table(root / "image_class_labels.txt", 2))
        if not files.keys() == labels.keys() == split.keys():
            raise UserError(f"the lists of images in {root} do not speak of the same images")
        if not set(labels.values()) <= names.keys():
            raise UserError(f"{root / 'image_class_labels.txt'} has a class that classes.txt has not")
        number = {key: label for label, key in enumerate(names)}

        def of(wanted: str) -> FileSplit:
            keys = [key for key in files if split[key] == wanted]
            return FileSplit([require_file(root / "images" / files[key]) for key in keys], [number[labels[key]] for key in keys])

        return Contents(tuple(names.values()), {"train": of("1"), "test": of("0")})


DATASETS.add(CUB200.name, CUB200())
