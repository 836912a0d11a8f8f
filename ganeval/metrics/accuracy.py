"""Classifier accuracy: how often a classifier sees in a sample the class the generator was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ganeval.errors import MetricError
from ganeval.features import FeatureBank, Float64, Int64
from ganeval.metrics.base import METRICS, Metric, Need, Value
from ganeval.metrics.checks import Array, check_finite


def rank_of_label(logits: Array, labels: Int64) -> Int64:
    """How many classes come before the label of each sample, (N,): 0 where it has the largest of ``logits`` (N, K).

    Before it are the classes with a larger logit, and those of a smaller index with an equal one: ties resolve as in
    ``argmax``. Raises :class:`MetricError` for a label outside 0 .. K - 1.
    """
    check_finite(logits, "logits")
    classes = logits.shape[1]
    if len(labels) != len(logits):
        raise MetricError(f"{len(labels)} labels for the logits of {len(logits)} samples")
    unknown = np.flatnonzero((labels < 0) | (labels >= classes))
    if unknown.size:
        raise MetricError(f"label {labels[unknown[0]]} of sample {unknown[0]} is none of the classifier's {classes} classes")
    own: Array = logits[np.arange(len(logits)), labels][:, None]
    earlier = np.arange(classes) < labels[:, None]
    ranks: Int64 = ((logits > own) | ((logits == own) & earlier)).sum(axis=1)
    return ranks


def top_accuracy(logits: Array, labels: Int64, k: int = 1) -> float:
    """The fraction of samples whose label is among the ``k`` classes with the largest of ``logits`` (N, K); N >= 1."""
    if len(logits) == 0:
        raise MetricError("accuracy needs at least 1 sample, got 0")
    hits: Float64 = (rank_of_label(logits, labels) < k).astype(np.float64)
    return float(hits.mean())


@dataclass(frozen=True)
class Accuracy(Metric):
    """Top-1 and top-5 accuracy. With no more than 5 classes every label is among the first five: ``top5`` is then absent."""

    name: ClassVar[str] = "accuracy"
    values: ClassVar[tuple[Value, ...]] = (
        Value("top1", "Top-1", "Top-1", "higher", "fraction", (0, 1), proportion=True),
        Value("top5", "Top-5", "Top-5", "higher", "fraction", (0, 1), proportion=True),
    )
    needs: ClassVar[frozenset[Need]] = frozenset({"logits", "labels"})
    classes_matter: ClassVar[bool] = True

    @property
    def minimum(self) -> int:
        return 1

    def compute(self, fake: FeatureBank, reference: FeatureBank | None) -> Mapping[str, float]:
        """``top1``, and ``top5`` beyond 5 classes. Raises :class:`MetricError` without logits or conditioning labels."""
        if fake.logits is None:
            raise MetricError("the extractor gives no class logits")
        if fake.labels is None:
            raise MetricError("the samples carry no conditioning labels")
        accuracies = {"top1": top_accuracy(fake.logits, fake.labels, 1)}
        if fake.logits.shape[1] > 5:
            accuracies["top5"] = top_accuracy(fake.logits, fake.labels, 5)
        return accuracies


METRICS.add(Accuracy.name, Accuracy())
