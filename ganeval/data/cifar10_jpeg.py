"""``cifar10-jpeg``: CIFAR-10's images as JPEG files, ``train/<class>/*.jpg`` and ``test/<class>/*.jpg``."""

from __future__ import annotations

from ganeval.data.archives import class_folders
from ganeval.data.cifar import CIFAR10_CLASSES
from ganeval.data.places import Place
from ganeval.data.prepared import PreparedDataset
from ganeval.data.raw import Contents
from ganeval.data.registry import DATASETS


class CIFAR10JPEG(PreparedDataset):
    """The photographs of ``cifar10`` after lossy compression: another dataset, whose scores compare with no published ones."""

    name = "cifar10-jpeg"
    archive = "cifar10-jpeg.tar.xz"
    resolution = 32
    class_count = 10
    class_names = CIFAR10_CLASSES
    expected = {"train": 50_000, "test": 10_000}  # noqa: RUF012
    held_out = "test"
    classifiers = ("resnet56-cifar10",)
    citation = (
        "Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009, as JPEG files: the compression changes every "
        "image, scores are not comparable with published ones on CIFAR-10"
    )

    def contents(self, source: Place) -> Contents:
        return class_folders(source)


DATASETS.add(CIFAR10JPEG.name, CIFAR10JPEG())
