"""``clean-fid``: FID and KID as clean-fid 0.1.35 computes them in its mode ``clean``, Parmar et al., CVPR 2022, arXiv 2104.11222.

Its subsets for KID are drawn without a seed; here they have one, so that the value can be had again.
"""

from __future__ import annotations

from ganeval.metrics.frechet import Frechet
from ganeval.metrics.kernel import Kernel
from ganeval.protocols.base import PROTOCOLS, Protocol

PROTOCOLS.add(
    "clean-fid",
    Protocol(
        name="clean-fid",
        description="clean-fid 0.1.35 in mode clean: 50,000 images against the training split, seeded KID",
        reference_split="train",
        fakes=50_000,
        labels="uniform",
        weights="ema",
        extractor="inception-clean",
        metrics=(Frechet(), Kernel(subsets=100, subset_size=1000)),
        reference_size="own",
    ),
)
