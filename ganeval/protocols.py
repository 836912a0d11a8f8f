"""Protocols: everything a score depends on beside the source, named, versioned and hashed."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from ganeval.checkpoints import sha256_of
from ganeval.metrics.accuracy import Accuracy
from ganeval.metrics.am_score import AMScore
from ganeval.metrics.base import Metric
from ganeval.metrics.frechet import Frechet
from ganeval.metrics.inception_score import InceptionScore
from ganeval.metrics.kernel import Kernel
from ganeval.metrics.prdc import PrecisionRecallDensityCoverage
from ganeval.registry import Registry
from ganeval.rng import LabelPlan

Weights = Literal["ema", "raw"]


@dataclass(frozen=True)
class Protocol:
    """How a source becomes numbers. A change of any field is a new version.

    ``extractor`` is ``None`` where the dataset's own is used; its name and hash are part of every ScoreCard. ``fakes`` images are
    generated with labels after ``labels``: exactly balanced (label of sample i is i mod K) or i.i.d. uniform. ``weights`` says
    which generator is sampled. The floor comes from the dataset's own held-out split, where it has one.
    """

    name: str
    description: str
    reference_split: str
    fakes: int
    labels: LabelPlan
    weights: Weights
    extractor: str | None
    metrics: tuple[Metric, ...]
    jackknife_groups: int = 10

    def to_json(self) -> dict[str, Any]:
        """Every field as plain JSON; metrics with their parameters."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        metrics = [{"name": metric.name, **dataclasses.asdict(metric)} for metric in self.metrics]  # type: ignore[call-overload]
        return {**fields, "metrics": metrics}

    def sha256(self) -> str:
        """The hash that stands in every row scored with this protocol; the description does not enter."""
        return sha256_of({key: value for key, value in self.to_json().items() if key != "description"})


PROTOCOLS: Registry[Protocol] = Registry("protocol", "ganeval.protocols")

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
