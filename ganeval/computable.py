"""Which metrics a source, a reference and an extractor allow: the others are left out, unless they were asked for by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ganeval.errors import UserError
from ganeval.extractors.base import Extractor
from ganeval.features import FeatureBank
from ganeval.metrics.base import Metric, Value
from ganeval.sources.base import Source
from ganeval.statistics import Statistics

Wanted = Mapping[Metric, Sequence[Value]]
"""The metrics to compute, each with the values to keep."""


def computable(wanted: Wanted, source: Source, reference: Statistics | None, *, named: bool) -> tuple[Wanted, tuple[str, ...]]:
    """The metrics of ``wanted`` that can be computed, and in words what is left out; ``reference`` is a file of statistics.

    Raises ``UserError`` where none is left, and, where the user has ``named`` the metrics, for the first that cannot be computed.
    """
    reasons = {metric: why_not(metric, source, reference) for metric in wanted}
    kept, left_out = _without(wanted, reasons)
    if left_out and (named or not kept):
        raise UserError(left_out[0])
    return kept, left_out


def meaningful(
    wanted: Wanted, fake: FeatureBank, reference: FeatureBank | None, extractor: Extractor, classes: tuple[str, ...], *,
    named: bool,
) -> tuple[Wanted, tuple[str, ...]]:  # fmt: skip
    """The metrics that mean something on ``extractor`` and for as many real images as there are, and in words what is left out.

    ``classes`` are those that the labels count. What the user has ``named`` is kept: it fails, and says why. Raises ``UserError``
    where nothing is left.
    """
    reasons = {}
    reals = None if reference is None else reference.count
    for metric in wanted if not named else ():
        if "logits" in metric.needs and fake.logits is None:
            reasons[metric] = f"{extractor.name} gives no class logits"
        elif metric.classes_matter and extractor.classes is None:
            reasons[metric] = f"{extractor.name} is no classifier of a dataset's classes"
        elif metric.classes_matter and extractor.classes != classes:
            reasons[metric] = f"{extractor.name} counts other classes than the dataset"
        elif metric.minimum_of_both and reals is not None and reals < metric.minimum:
            reasons[metric] = f"at least {metric.minimum} reference images are needed, there are {reals}"
    kept, left_out = _without(wanted, reasons)
    if not kept:
        raise UserError(f"{left_out[0]}: choose another --extractor")
    return kept, left_out


def why_not(metric: Metric, source: Source, reference: Statistics | None) -> str:
    """Why ``metric`` cannot be computed; empty where it can."""
    if source.only_moments and not metric.moments_suffice:
        return (
            f"only a mean and a covariance are known of {source.origin['name']}, which give a Fréchet distance (fid) and no more"
        )
    if source.unknown and ("labels" in metric.needs or ("reference" in metric.needs and not reference)):
        return source.unknown
    if "labels" in metric.needs and not source.labelled and reference and not source.classes:
        return "nothing says which classes labels would count: add --dataset NAME beside --reference"
    if "labels" in metric.needs and not source.labelled:
        return "the images have no labels that count the dataset's classes: give root/<class>/*, or labels in the .npz"
    if reference and "reference" in metric.needs and not metric.moments_suffice:
        return f"only a mean and a covariance are known of the reference {reference.path}: hold the images against --dataset"
    return ""


def _without(wanted: Wanted, reasons: Mapping[Metric, str]) -> tuple[Wanted, tuple[str, ...]]:
    """``wanted`` without the metrics that there are reasons against; these, those with one reason together."""
    keys: dict[str, list[str]] = {}
    for metric, values in wanted.items():
        if reasons.get(metric):
            keys.setdefault(reasons[metric], []).extend(value.key for value in values)
    kept = {metric: values for metric, values in wanted.items() if not reasons.get(metric)}
    return kept, tuple(f"{', '.join(found)}: {reason}" for reason, found in keys.items())
