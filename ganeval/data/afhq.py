"""``afhq`` and ``afhqv2``: animal faces of 512 pixels in three classes, from ``train/<class>/*`` and ``val|test/<class>/*``."""

from __future__ import annotations

from ganeval.data.archives import class_folders
from ganeval.data.places import Place
from ganeval.data.prepared import PreparedDataset
from ganeval.data.raw import Contents
from ganeval.data.registry import DATASETS


class AFHQ(PreparedDataset):
    """Cats, dogs and wild animals. ``afhqv2`` is the authors' second version, resampled with a better filter."""

    resolution = 256
    class_count = 3
    class_names = ("cat", "dog", "wild")
    held_out = "test"
    citation = "Choi, Uh, Yoo and Ha, StarGAN v2: Diverse Image Synthesis for Multiple Domains, arXiv:1912.01865, 2020"

    def __init__(self, name: str, archive: str, train: int, test: int) -> None:
        self.name, self.archive = name, archive
        self.expected = {"train": train, "test": test}

    def contents(self, source: Place) -> Contents:
        return class_folders(source)


DATASETS.add("afhq", AFHQ("afhq", "afhq.zip", 14_630, 1500))
DATASETS.add("afhqv2", AFHQ("afhqv2", "afhq_v2.zip", 14_336, 1467))
