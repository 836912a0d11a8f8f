"""The features a score rests on: of the source, of the reference, of held-out real images; each extracted once and kept."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from ganeval.cache import Shelf
from ganeval.data.base import Dataset, ImageSet
from ganeval.extraction import bank_of, key_of
from ganeval.extractors.base import Extractor
from ganeval.features import FeatureBank, MomentBank, moments_from
from ganeval.metrics.order import own_order
from ganeval.progress import Talk
from ganeval.protocols import Protocol
from ganeval.protocols.base import SampleOrder
from ganeval.sources import FeatureSource, Images, ImageSource
from ganeval.statistics import Statistics
from ganeval.team import current_team


@dataclass(frozen=True)
class Banks:
    """Features of the generated images, of the reference, and of held-out real images where there are any.

    ``reference_sha256`` is the content of the reference images, or of the file of their statistics; without a reference it is
    empty.
    """

    fake: FeatureBank
    reference: FeatureBank | None
    floor: FeatureBank | None
    reference_sha256: str

    def counts(self) -> dict[str, int]:
        """How many images each set has; without those of which nobody knows it."""
        known = {
            "fake": self.fake.count,
            "reference": 0 if self.reference is None else self.reference.count,
            "floor": 0 if self.floor is None else self.floor.count,
        }
        return {name: count for name, count in known.items() if count is not None}

    def ordered(self, order: SampleOrder) -> Banks:
        """The same with the generated samples in ``order``."""
        if order != "own" or isinstance(self.fake, MomentBank):
            return self
        return replace(self, fake=self.fake.take(own_order(self.fake.features)))


def banks_of(
    source: ImageSource | FeatureSource, against: Dataset | Statistics | None, protocol: Protocol, extractor: Extractor,
    talk: Talk, *, only_moments: bool = False, keep: bool = True,
) -> Banks:  # fmt: skip
    """The banks of ``source``, and of what it is held ``against``: a dataset, a file of statistics, or nothing.

    ``protocol`` is the one that means this dataset; ``only_moments``: whether nothing else of real images is read; ``keep``:
    whether the source's features are left in the cache. Raises ``UserError`` where statistics are of something else.
    """

    def fake() -> FeatureBank:
        if isinstance(source, ImageSource):
            return bank_of(source, extractor, talk, "images to score", keep=keep)
        return source.bank(extractor)

    if against is None:
        return Banks(fake(), None, None, "")
    if isinstance(against, Statistics):
        against.require(extractor, protocol, source.resolution)
        return Banks(fake(), MomentBank(against.moments), None, against.sha256)
    given = fake() if isinstance(source, FeatureSource) else None  # what is wrong with it is said before the reference is read
    reference, sha256 = reference_bank(against, protocol, source.resolution, extractor, talk, only_moments=only_moments)
    floor = None
    if against.held_out not in (None, protocol.reference_split):
        size = reference_size(against, against.held_out, protocol, source.resolution)
        floor = _real_bank(against.load(against.held_out, size), against.held_out, extractor, talk, only_moments)
    return Banks(given if given is not None else fake(), reference, floor, sha256)


def reference_bank(
    dataset: Dataset, protocol: Protocol, resolution: int | None, extractor: Extractor, talk: Talk, *,
    only_moments: bool = False,
) -> tuple[FeatureBank, str]:  # fmt: skip
    """The bank of the reference images of ``protocol``, which is the one that means ``dataset``, and the hash of these."""
    size = reference_size(dataset, protocol.reference_split, protocol, resolution)
    images = _some(dataset.load(protocol.reference_split, size), protocol.reference_count, protocol.reference_seed)
    return _real_bank(images, protocol.reference_split, extractor, talk, only_moments), images.fingerprint


def reference_size(dataset: Dataset, split: str, protocol: Protocol, resolution: int | None) -> int | None:
    """The size in pixels of the real images of ``split`` beside generated ones of ``resolution``, as ``protocol`` has it."""
    sizes = dataset.file_sizes(split) if protocol.reference_size == "own" else frozenset()
    squares = [width for width, height in sizes if width == height]
    return squares[0] if len(squares) == len(sizes) == 1 else resolution


def _some(images: ImageSet, count: int | None, seed: int) -> ImageSet:
    """``count`` of the images, drawn without replacement, in their order; all where they are no more than that."""
    if count is None or count >= len(images):
        return images
    kept = torch.from_numpy(np.sort(np.random.RandomState(seed).permutation(len(images))[:count]))
    return ImageSet(images.images[kept], images.labels[kept], images.classes)


def _real_bank(
    images: ImageSet, split: str, extractor: Extractor, talk: Talk, only_moments: bool
) -> FeatureBank:  # fmt: skip
    """The bank of real images; what is found out about it is kept beside it, so that it is computed once.

    Where ``only_moments`` are asked for and they are known, features are not even read; sets of no more images than
    dimensions have no use for moments.
    """
    source = Images(images, {})
    shelf = Shelf(key_of(source, extractor))
    alone = current_team().count == 1  # several processes must all take the same way
    known = shelf.known("moments") if alone and only_moments and len(images) > extractor.feature_dim else None
    if known:
        return MomentBank(moments_from(known), shelf)
    return replace(bank_of(source, extractor, talk, f"real images ({split})"), keeper=shelf)
