"""What can be scored: each kind of source is one file of this package."""

from __future__ import annotations

from ganeval.sources.base import Batches, FeatureSource, ImageSource, Source, open_source
from ganeval.sources.checkpoint import Samples, open_generator
from ganeval.sources.images import ImageFiles, Images

__all__ = [
    "Batches",
    "FeatureSource",
    "ImageFiles",
    "ImageSource",
    "Images",
    "Samples",
    "Source",
    "open_generator",
    "open_source",
]
