"""``ttur``: the original FID of Heusel et al., NIPS 2017, arXiv 1706.08500. FID is all that its code computes."""

from __future__ import annotations

from ganeval.metrics.frechet import Frechet
from ganeval.protocols.base import PROTOCOLS, Protocol

PROTOCOLS.add(
    "ttur",
    Protocol(
        name="ttur",
        description="the original FID: 50,000 images against the training split under TensorFlow 1's resize",
        reference_split="train",
        fakes=50_000,
        labels="uniform",
        weights="ema",
        extractor="inception",
        metrics=(Frechet(),),
        reference_size="own",
    ),
)
