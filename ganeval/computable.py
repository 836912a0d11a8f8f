"""Which metrics a source and a reference allow: what cannot be computed has no row, unless it was asked for by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ganeval.errors import UserError
from ganeval.metrics.base import Metric, Value
from ganeval.sources.base import Source
from ganeval.statistics import Statistics


def computable(
    wanted: Mapping[Metric, Sequence[Value]], source: Source, reference: Statistics | None, named: bool
) -> dict[Metric, Sequence[Value]]:
    """The metrics of ``wanted`` that can be computed; ``reference`` is a file of statistics in place of images.

    Raises ``UserError`` where none is left, and, where the user has ``named`` the metrics, for the first that cannot be computed.
    """
    reasons = {metric: why_not(metric, source, reference) for metric in wanted}
    refused = [(values, reason) for metric, values in wanted.items() if (reason := reasons[metric])]
    if refused and (named or len(refused) == len(wanted)):
        values, reason = refused[0]
        raise UserError(f"{', '.join(value.key for value in values)}: {reason}")
    return {metric: values for metric, values in wanted.items() if not reasons[metric]}


def why_not(metric: Metric, source: Source, reference: Statistics | None) -> str:
    """Why ``metric`` cannot be computed; empty where it can."""
    if source.only_moments and not metric.moments_suffice:
        return (
            f"only a mean and a covariance are known of {source.origin['name']}, which give a Fréchet distance (fid) and no more"
        )
    if "labels" in metric.needs and not source.labelled:
        return "the images have no labels that count the dataset's classes: give root/<class>/*, or labels in the .npz"
    if reference and "reference" in metric.needs and not metric.moments_suffice:
        return f"only a mean and a covariance are known of the reference {reference.path}: hold the images against --dataset"
    return ""
