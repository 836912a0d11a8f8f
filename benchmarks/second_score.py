"""What the reference costs a second score: its features and its covariance are kept.

    python benchmarks/second_score.py                        print the table
    python benchmarks/second_score.py --out second_score.csv and write it

One thread; process CPU time. The extractor is a random projection to D features: a real one only makes the first score dearer.
"warm" is what a later score still spends on the reference: with fid alone it reads the moments, else features and moments.
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

import torch
from torch import Tensor

from ganeval.banks import reference_bank
from ganeval.data.base import Dataset, ImageSet
from ganeval.extractors.base import Extracted, Extractor
from ganeval.metrics.base import Metric
from ganeval.metrics.frechet import Frechet
from ganeval.metrics.kernel import Kernel
from ganeval.protocols import PROTOCOLS

HEADER = ("images", "dimensions", "metrics", "cold_s", "warm_s", "ratio", "torch", "machine")


class Projection(Extractor):
    """uint8 images to ``dimensions`` random combinations of their pixels."""

    classes, resize, value_range, name = None, "none", "[0, 255]", "projection"

    def __init__(self, pixels: int, dimensions: int) -> None:
        self.feature_dim, self.weights_sha256, self.record = dimensions, f"{pixels}-{dimensions}", {}
        self.matrix = torch.randn(pixels, dimensions, generator=torch.Generator().manual_seed(0))

    def __call__(self, images: Tensor) -> Extracted:
        return Extracted(images.flatten(1).float() @ self.matrix / 255, None)

    def to(self, device: torch.device) -> Projection:
        return self


class Noise(Dataset):
    """``count`` images of 8 x 8 random pixels."""

    name, classes, channels, resolution, filter, citation = "noise", ("noise",), 3, 8, "none", "none"

    def __init__(self, count: int) -> None:
        self.splits = {"train": count}
        pixels = torch.randint(0, 256, (count, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(count))
        self.images = ImageSet(pixels, torch.zeros(count, dtype=torch.int64), self.classes)

    def read(self, split: str, resolution: int) -> ImageSet:
        return self.images


def seconds(dataset: Dataset, extractor: Extractor, wanted: tuple[Metric, ...]) -> float:
    """The CPU time until the reference's moments, and what else ``wanted`` reads, are there."""
    began = time.process_time()
    only_moments = all(metric.moments_suffice for metric in wanted)
    silent = lambda what, done, total: None  # noqa: E731
    bank, _ = reference_bank(dataset, PROTOCOLS.get("small-v1"), 8, extractor, silent, only_moments=only_moments)
    _ = bank.moments
    return time.process_time() - began


def rows(count: int, dimensions: int) -> list[tuple[object, ...]]:
    made = []
    for title, wanted in (("fid", (Frechet(),)), ("fid,kid", (Frechet(), Kernel()))):
        with tempfile.TemporaryDirectory() as home:
            os.environ["GANEVAL_HOME"] = home
            dataset, extractor = Noise(count), Projection(8 * 8 * 3, dimensions)
            cold = seconds(dataset, extractor, wanted)
            warm = min(seconds(dataset, extractor, wanted) for _ in range(3))
        machine = f"{platform.machine()} {platform.system()}"
        ratio = f"{cold / warm:.1f}"
        made.append((count, dimensions, title, f"{cold:.3f}", f"{warm:.3f}", ratio, torch.__version__, machine))
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--dimensions", type=int, default=2048)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    table = [HEADER, *rows(options.images, options.dimensions)]
    csv.writer(sys.stdout, lineterminator="\n").writerows(table)
    if options.out:
        with options.out.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows(table)


if __name__ == "__main__":
    main()
