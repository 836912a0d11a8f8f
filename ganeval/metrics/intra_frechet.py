"""Intra-class Fréchet distance: the mean over the classes of the distance of a class's samples to its real images.

Miyato & Koyama, cGANs with projection discriminator, ICLR 2018, arXiv 1802.05637, section 4. Each class has few samples, so
the bias is large: values compare only at the same numbers per class.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np

from ganeval.errors import MetricError
from ganeval.features import FeatureBank, Int64, Moments
from ganeval.metrics.base import METRICS, Metric, Need, Value
from ganeval.metrics.checks import given
from ganeval.metrics.low_rank import distance_of_samples
from ganeval.metrics.memory import remembered


def labels_of(bank: FeatureBank, what: str) -> Int64:
    """The labels of ``bank``; raises :class:`MetricError` that says ``what`` has none."""
    if bank.labels is None:
        raise MetricError(f"{what} carry no class labels")
    return bank.labels


def intra_class_distances(fake: FeatureBank, reference: FeatureBank) -> dict[int, float]:
    """The squared distance of each class in either bank, by label, ascending.

    Classes with no more samples than dimensions cost an n x n problem and no D x D one. Raises :class:`MetricError` for a class
    with fewer than 2 samples on either side.
    """
    ours, theirs = labels_of(fake, "the samples"), labels_of(reference, "the reference images")
    distances = {}
    for label in (int(label) for label in np.union1d(ours, theirs)):
        x, y = fake.features[ours == label], reference.features[theirs == label]
        if min(len(x), len(y)) < 2:
            raise MetricError(f"class {label} has {len(x)} samples and {len(y)} reference images: 2 of each are needed at least")
        distances[label] = distance_of_samples(x, y, partial(_moments_of_class, reference, label))
    return distances


def class_of(reference: FeatureBank, label: int) -> FeatureBank:
    """The samples of a class. What is found out about them is kept where that of ``reference`` is."""
    return reference.part({"class": label}, labels_of(reference, "the reference images") == label)


def _moments_of_class(reference: FeatureBank, label: int) -> Moments:
    """Remembered, for the distances without each group, in no more memory than the class's samples take twice."""
    return remembered(reference, ("moments of class", label), lambda: class_of(reference, label).moments)


@dataclass(frozen=True)
class IntraFrechet(Metric):
    """iFID / iFD: every class counts the same, whatever its number of samples."""

    name: ClassVar[str] = "intra_frechet"
    values: ClassVar[tuple[Value, ...]] = (
        Value("ifid", "iFID", "iFD", "lower", "squared feature distance", (0, math.inf)),
    )  # fmt: skip
    needs: ClassVar[frozenset[Need]] = frozenset({"reference", "labels"})

    def compute(self, fake: FeatureBank, reference: FeatureBank | None) -> Mapping[str, float]:
        """``ifid``. Raises :class:`MetricError` without labels on both sides or with fewer than 2 samples of a class."""
        distances = intra_class_distances(fake, given(reference))
        if not distances:
            raise MetricError("there are no samples")
        return {"ifid": float(np.mean(list(distances.values())))}


METRICS.add(IntraFrechet.name, IntraFrechet())
