"""``ganeval-v1``: what we recommend where no other table has to be matched."""

from __future__ import annotations

from ganeval.metrics.accuracy import Accuracy
from ganeval.metrics.am_score import AMScore
from ganeval.metrics.base import Metric
from ganeval.metrics.frechet import Frechet
from ganeval.metrics.frechet_infinity import FrechetInfinity
from ganeval.metrics.inception_score import InceptionScore
from ganeval.metrics.inception_score_infinity import InceptionScoreInfinity
from ganeval.metrics.intra_frechet import IntraFrechet
from ganeval.metrics.kernel import Kernel
from ganeval.metrics.memorisation import Memorisation
from ganeval.metrics.prd_curve import PRDCurve
from ganeval.metrics.prdc import PrecisionRecallDensityCoverage
from ganeval.protocols.base import PROTOCOLS, Protocol

# All metrics there are. A new one is added here before this version is published; afterwards it begins ganeval-v2.
METRICS: tuple[Metric, ...] = (
    Frechet(),
    FrechetInfinity(),
    IntraFrechet(),
    Kernel(subsets=100, subset_size=1000),
    InceptionScore(splits=10),
    InceptionScoreInfinity(),
    AMScore(),
    PrecisionRecallDensityCoverage(k=5),
    PRDCurve(),
    Memorisation(),
    Accuracy(),
)

PROTOCOLS.add(
    "ganeval-v1",
    Protocol(
        name="ganeval-v1",
        description="recommended: 50,000 balanced images against the whole training split, every metric with its standard error",
        reference_split="train",
        fakes=50_000,
        labels="balanced",
        weights="ema",
        extractor=None,
        metrics=METRICS,
        sample_order="own",
    ),
)
