"""``small-v2`` and ``small-v1``: small data on the dataset's own extractor."""

from __future__ import annotations

from dataclasses import replace

from ganeval.metrics.accuracy import Accuracy
from ganeval.metrics.am_score import AMScore
from ganeval.metrics.frechet import Frechet
from ganeval.metrics.inception_score import InceptionScore
from ganeval.metrics.kernel import Kernel
from ganeval.metrics.prdc import PrecisionRecallDensityCoverage
from ganeval.protocols.base import PROTOCOLS, Protocol

SMALL_V1 = Protocol(
    name="small-v1",
    description="small-v2, but KID's subsets are drawn by the order in which the images are given",
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
)

SMALL_V2 = replace(
    SMALL_V1,
    name="small-v2",
    description="small data on the dataset's own extractor: reference = training split, 5,000 generated images",
    sample_order="own",
)

for protocol in (SMALL_V2, SMALL_V1):
    PROTOCOLS.add(protocol.name, protocol)
