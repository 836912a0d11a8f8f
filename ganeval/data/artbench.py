"""``artbench10``: 60,000 works of art in ten styles, from ``train/<style>/*`` and ``test/<style>/*``."""

from __future__ import annotations

from ganeval.data.archives import class_folders
from ganeval.data.places import Place
from ganeval.data.prepared import PreparedDataset
from ganeval.data.raw import Contents
from ganeval.data.registry import DATASETS


class ArtBench10(PreparedDataset):
    """The split archive at 256 pixels; other resolutions are made from it, not taken from the authors' archive at 32 pixels."""

    name = "artbench10"
    archive = "artbench-10-imagefolder-split.tar"
    resolution = 256
    class_count = 10
    class_names = (
        "art_nouveau", "baroque", "expressionism", "impressionism", "post_impressionism", "realism", "renaissance", "romanticism",
        "surrealism", "ukiyo_e",
    )  # fmt: skip
    expected = {"train": 50_000, "test": 10_000}  # noqa: RUF012
    held_out = "test"
    citation = "Liao et al., The ArtBench Dataset: Benchmarking Generative Models with Artworks, arXiv:2206.11404, 2022"

    def contents(self, source: Place) -> Contents:
        return class_folders(source)


DATASETS.add(ArtBench10.name, ArtBench10())
