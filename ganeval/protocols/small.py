"""``small-v1``: small data on the dataset's own extractor."""

from __future__ import annotations

from ganeval.metrics.accuracy import Accuracy
from ganeval.metrics.am_score import AMScore
from ganeval.metrics.frechet import Frechet
from ganeval.metrics.inception_score import InceptionScore
from ganeval.metrics.kernel import Kernel
from ganeval.metrics.prdc import PrecisionRecallDensityCoverage
from ganeval.protocols.base import PROTOCOLS, Protocol

PROTOCOLS.add(
    "small-v1",
    Protocol(
        name="small-v1",
        description="small data on the dataset's own extractor: reference = training split, 5,000 generated images",
        reference_split="train",
        fakes=5000,
        labels="balanced",
        weights="ema",
        extractor=None,
        metrics=(
            Frechet(),
            Kernel(subsets=100, subset_size=250),
            InceptionScore(splits=1),
            AMScore(),
            PrecisionRecallDensityCoverage(k=5),
            Accuracy(),
        ),
    ),
)
