"""``torch-fidelity``: FID, KID and IS as torch-fidelity 0.4 computes them by default.

Its precision and recall are of VGG16 features, and VGG16 is not among the extractors here: they are left out rather than
computed on something else.
"""

from __future__ import annotations

from ganeval.metrics.frechet import Frechet
from ganeval.metrics.inception_score import InceptionScore
from ganeval.metrics.kernel import Kernel
from ganeval.protocols.base import PROTOCOLS, Protocol

PROTOCOLS.add(
    "torch-fidelity",
    Protocol(
        name="torch-fidelity",
        description="torch-fidelity 0.4, 50,000 images against the training split; no precision and recall, which need VGG16",
        reference_split="train",
        fakes=50_000,
        labels="uniform",
        weights="ema",
        extractor="inception",
        metrics=(Frechet(), Kernel(subsets=100, subset_size=1000, seed=2020), InceptionScore(splits=10, seed=2020)),
        sample_order="path",
        reference_size="own",
    ),
)
