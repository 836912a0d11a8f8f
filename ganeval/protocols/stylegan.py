"""``stylegan-50k``: the metrics fid50k_full, kid50k_full and is50k that go with StyleGAN2-ADA, Karras et al., NeurIPS 2020.

Their precision and recall, pr50k3_full, are of VGG16 features, and VGG16 is not among the extractors here: they are left out.
"""

from __future__ import annotations

from ganeval.metrics.frechet import Frechet
from ganeval.metrics.inception_score import InceptionScore
from ganeval.metrics.kernel import Kernel
from ganeval.protocols.base import PROTOCOLS, Protocol

PROTOCOLS.add(
    "stylegan-50k",
    Protocol(
        name="stylegan-50k",
        description="fid50k_full, kid50k_full, is50k of StyleGAN2-ADA; no pr50k3_full, which needs VGG16",
        reference_split="train",
        fakes=50_000,
        labels="reference",
        weights="ema",
        extractor="inception",
        metrics=(
            Frechet(ddof=0),
            Kernel(subsets=100, subset_size=1000),
            InceptionScore(splits=10, shuffle=False),
        ),
    ),
)
