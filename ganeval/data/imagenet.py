"""ImageNet at four resolutions (``imagenet``, also ``imagenet-128``, has 128 pixels) and its subsets, from class folders."""

from __future__ import annotations

from ganeval.data.archives import class_folders
from ganeval.data.places import Place
from ganeval.data.prepared import PreparedDataset
from ganeval.data.raw import Contents
from ganeval.data.registry import DATASETS


class ImageNet(PreparedDataset):
    """ILSVRC 2012, ``train/<wnid>/*`` and ``val/<wnid>/*``; classes are WordNet numbers, sorted. ``test`` is the official
    validation split: the labels of the official test split are not public.

    Every resolution is made from the original photographs: ``imagenet-32`` and ``imagenet-64`` are not the archives of
    Downsampled ImageNet, which were made by another filter.
    """

    archive = "a folder with train/<wnid>/*.JPEG and val/<wnid>/*.JPEG of ILSVRC 2012"
    class_count = 1000
    expected = {"train": 1_281_167, "test": 50_000}  # noqa: RUF012
    held_out = "test"
    citation = "Russakovsky et al., ImageNet Large Scale Visual Recognition Challenge, arXiv:1409.0575, 2015"

    def __init__(self, name: str, resolution: int) -> None:
        self.name, self.resolution = name, resolution

    def contents(self, source: Place) -> Contents:
        return class_folders(source)


class ImageNetSubset(PreparedDataset):
    """100 classes of ImageNet, chosen by how well a ResNet-50 recognises them. Which classes and how many images there are is
    the archive's to say: only the number of classes is checked."""

    resolution = 64
    class_count = 100
    expected = {"train": None, "test": None}  # noqa: RUF012
    held_out = "test"
    citation = "Kang, Shin and Park, StudioGAN: A Taxonomy and Benchmark of GANs for Image Synthesis, arXiv:2206.09479, 2022"

    def __init__(self, name: str, title: str) -> None:
        self.name = name
        self.archive = f"PyTorch-StudioGAN's {title}: train/<wnid>/* and valid/<wnid>/*"

    def contents(self, source: Place) -> Contents:
        return class_folders(source)


for _name, _resolution in (("imagenet", 128), ("imagenet-32", 32), ("imagenet-64", 64), ("imagenet-256", 256)):
    DATASETS.add(_name, ImageNet(_name, _resolution))
for _title in ("Baby", "Papa", "Grandpa"):
    DATASETS.add(f"{_title.lower()}-imagenet", ImageNetSubset(f"{_title.lower()}-imagenet", f"{_title} ImageNet"))
