"""The per-class table: where a generator fails, class by class, from the features that gave its scores."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from ganeval.errors import MetricError
from ganeval.features import FeatureBank, Int64
from ganeval.metrics.accuracy import Accuracy
from ganeval.metrics.intra_frechet import IntraFrechet, class_of, labels_of
from ganeval.metrics.low_rank import distance_of_samples
from ganeval.metrics.prdc import PrecisionRecallDensityCoverage
from ganeval.scorecard import ClassScores, rounded

T = TypeVar("T")


def per_class(
    fake: FeatureBank,
    reference: FeatureBank,
    classes: Sequence[str],
    *,
    same_classes: bool,
    balls: PrecisionRecallDensityCoverage,
) -> tuple[ClassScores, ...]:
    """One entry for each of ``classes``, in their order.

    ``same_classes`` says that the logits count these very classes: else there is no accuracy and no confusion. ``balls``
    gives the neighbours and the rim of precision and recall, which need more samples than neighbours on both sides. Raises
    :class:`MetricError` without labels on both sides.
    """
    ours, _ = labels_of(fake, "the images"), labels_of(reference, "the reference images")
    known = FeatureBank(fake.features, fake.logits if same_classes else None, ours)
    return tuple(
        _entry(label, classes, known.take(ours == label), class_of(reference, label), balls) for label in range(len(classes))
    )


def _entry(
    label: int, classes: Sequence[str], fake: FeatureBank, real: FeatureBank, balls: PrecisionRecallDensityCoverage
) -> ClassScores:
    near = _if_possible(lambda: replace(balls, reals=None).compute(fake, real)) or {}
    accuracy = _if_possible(lambda: Accuracy().compute(fake, None)) or {}
    seen, confused = _confusion(fake, label)
    return ClassScores(
        index=label,
        name=classes[label],
        fakes=len(fake),
        reals=len(real),
        ifid=_if_possible(lambda: distance_of_samples(fake.features, real.features, lambda: real.moments)),
        top1=accuracy.get("top1"),
        top5=accuracy.get("top5"),
        precision=near.get("precision"),
        recall=near.get("recall"),
        confused_with=None if seen is None else classes[seen],
        confused=confused,
    )


def _if_possible(compute: Callable[[], T]) -> T | None:
    try:
        return compute()
    except MetricError:
        return None


def _confusion(fake: FeatureBank, label: int) -> tuple[int | None, float | None]:
    """The other class that is predicted most often for samples of class ``label``, and for what fraction of them.

    The first of equals; no class where every sample is seen as what it should be, nothing at all without logits.
    """
    if fake.logits is None or len(fake) == 0:
        return None, None
    predicted: Int64 = np.bincount(fake.logits.argmax(axis=1), minlength=fake.logits.shape[1])
    predicted[label] = 0
    most = int(predicted.argmax())
    return (most if predicted[most] else None), float(predicted[most] / len(fake))


def to_csv(entries: Sequence[ClassScores], extractor: str) -> str:
    """The table as CSV, one row per class by index; values under their names on ``extractor``, empty where there is none."""
    metrics = (IntraFrechet(), Accuracy(), PrecisionRecallDensityCoverage())
    values = {value.key: value for metric in metrics for value in metric.values}
    keys = ("ifid", "top1", "top5", "precision", "recall")
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    names = [values[key].column(extractor) for key in keys]
    writer.writerow(["class", "name", "fakes", "references", *names, "confused with", "confused"])
    for entry in entries:
        numbers = [_cell(getattr(entry, key)) for key in keys]
        counted = (entry.index, entry.name, entry.fakes, entry.reals)
        writer.writerow([*counted, *numbers, entry.confused_with or "", _cell(entry.confused)])
    return buffer.getvalue()


def worst(entries: Sequence[ClassScores], count: int = 10) -> list[str]:
    """The ``count`` classes of the largest intra-class distance, worst first, as ``name (distance)``."""
    known = [(entry.ifid, entry.name) for entry in entries if entry.ifid is not None]
    return [f"{name} ({rounded(distance, 3)})" for distance, name in sorted(known, key=lambda pair: -pair[0])[:count]]


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
