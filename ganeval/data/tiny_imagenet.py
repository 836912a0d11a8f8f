"""``tiny-imagenet`` from the folder ``tiny-imagenet-200``, its validation images labelled by ``val_annotations.txt``."""

from __future__ import annotations

from ganeval.data.archives import find_root, require_file, table
from ganeval.data.images import list_images
from ganeval.data.places import Place
from ganeval.data.prepared import PreparedDataset
from ganeval.data.raw import Contents, FileSplit
from ganeval.data.registry import DATASETS
from ganeval.errors import UserError


class TinyImageNet(PreparedDataset):
    """200 classes of ImageNet at 64 pixels; classes are WordNet numbers, sorted. ``test`` is the official validation split:
    the labels of the official test split are not public."""

    name = "tiny-imagenet"
    archive = "tiny-imagenet-200.zip"
    resolution = 64
    class_count = 200
    expected = {"train": 100_000, "test": 10_000}  # noqa: RUF012
    held_out = "test"
    citation = "Le and Yang, Tiny ImageNet Visual Recognition Challenge, Stanford CS 231N, 2015"

    def contents(self, source: Place) -> Contents:
        root = find_root(source, "wnids.txt")
        classes = tuple(sorted(name for (name,) in table(root / "wnids.txt", 1)))
        return Contents(classes, {"train": _train(root / "train", classes), "test": _validation(root / "val", classes)})


def _train(folder: Place, classes: tuple[str, ...]) -> FileSplit:
    paths: list[Place] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        if not (folder / name / "images").is_dir():
            raise UserError(f"{folder / name / 'images'} is missing")
        found = list_images(folder / name / "images")
        paths += found
        labels += [label] * len(found)
    return FileSplit(paths, labels)


def _validation(folder: Place, classes: tuple[str, ...]) -> FileSplit:
    """In the order of the annotations; every annotated file must be there."""
    numbers = {name: label for label, name in enumerate(classes)}
    annotations = folder / "val_annotations.txt"
    rows = [(file, name) for file, name, _ in table(annotations, 3)]
    for _, name in rows:
        if name not in numbers:
            raise UserError(f"{annotations} has the class '{name}', which wnids.txt has not")
    return FileSplit([require_file(folder / "images" / file) for file, _ in rows], [numbers[name] for _, name in rows])


DATASETS.add(TinyImageNet.name, TinyImageNet())
