"""Images of one class in folders of any depth: ``ffhq`` and the ``100-shot`` sets."""

from __future__ import annotations

from ganeval.data.archives import images_below
from ganeval.data.places import Place
from ganeval.data.prepared import PreparedDataset
from ganeval.data.raw import Contents, FileSplit
from ganeval.data.registry import DATASETS


class OneClass(PreparedDataset):
    """Every image below the folder, sorted by path. There is no held-out split: a score has no floor."""

    resolution = 256
    class_count = 1

    def __init__(self, name: str, archive: str, label: str, count: int, citation: str, inside: str = "") -> None:
        self.name, self.archive, self.citation, self.inside = name, archive, citation, inside
        self.class_names = (label,)
        self.expected = {"train": count}

    def contents(self, source: Place) -> Contents:
        paths = images_below(source / self.inside if self.inside and (source / self.inside).is_dir() else source)
        return Contents(self.class_names or (), {"train": FileSplit(paths, [0] * len(paths))})


FFHQ = "Karras, Laine and Aila, A Style-Based Generator Architecture for Generative Adversarial Networks, arXiv:1812.04948, 2019"
FEW = "Zhao, Liu, Lin, Zhu and Han, Differentiable Augmentation for Data-Efficient GAN Training, arXiv:2006.10738, 2020"

ONES = (
    OneClass("ffhq", "images1024x1024 (*/*.png), as a folder or an archive", "face", 70_000, FFHQ, "images1024x1024"),
    OneClass("100-shot-obama", "100-shot-obama.zip", "obama", 100, FEW),
    OneClass("100-shot-grumpy-cat", "100-shot-grumpy_cat.zip", "grumpy-cat", 100, FEW),
    OneClass("100-shot-panda", "100-shot-panda.zip", "panda", 100, FEW),
)
for _one in ONES:
    DATASETS.add(_one.name, _one)
