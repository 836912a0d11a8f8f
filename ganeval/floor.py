"""The floor: what held-out real images score. It follows from the dataset and the metric alone, so it is kept with them."""

from __future__ import annotations

import inspect
from pathlib import Path

import numpy as np

from ganeval.canonical import plain
from ganeval.code import code_hash
from ganeval.features import FeatureBank
from ganeval.metrics.base import Metric


def floor_of(metric: Metric, floor: FeatureBank, reference: FeatureBank | None) -> dict[str, float]:
    """The values of ``metric`` of the held-out images ``floor``, computed once where both banks keep what is found out.

    Raises :class:`MetricError` where the metric does.
    """
    code = code_of(type(metric))
    if reference is None or reference.keeper is None or code is None:
        return dict(metric.compute(floor, reference))
    about = {"against": dict(reference.keeper.key), "metric": metric.name, "parameters": plain(metric), "metric_code": code}
    arrays = floor.kept("floors", about, lambda: {k: np.asarray(v) for k, v in metric.compute(floor, reference).items()})
    return {value.key: float(arrays[value.key]) for value in metric.values if value.key in arrays}


def code_of(metric: type[Metric]) -> str | None:
    """The hash of how ``metric`` computes; ``None`` where its source is not in a file."""
    try:
        own = inspect.getsourcefile(metric)
    except TypeError:
        own = None
    return code_hash(Path(own)) if own is not None and Path(own).is_file() else None
