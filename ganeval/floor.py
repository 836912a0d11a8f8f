"""The floor: what held-out real images score. It follows from the dataset and the metric alone, so it is kept with them."""

from __future__ import annotations

import hashlib
import inspect
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np

from ganeval import features, metrics
from ganeval.canonical import plain
from ganeval.features import FeatureBank
from ganeval.metrics.base import Metric

LIBRARIES = ("ganeval", "numpy", "scikit-learn", "scipy", "torch")


def floor_of(metric: Metric, floor: FeatureBank, reference: FeatureBank | None) -> dict[str, float]:
    """The values of ``metric`` of the held-out images ``floor``, computed once where both banks keep what is found out.

    Raises :class:`MetricError` where the metric does.
    """
    code = code_of(type(metric))
    if reference is None or reference.keeper is None or code is None:
        return dict(metric.compute(floor, reference))
    about = {"against": dict(reference.keeper.key), "metric": metric.name, "parameters": plain(metric), "code": code}
    arrays = floor.kept("floors", about, lambda: {k: np.asarray(v) for k, v in metric.compute(floor, reference).items()})
    return {value.key: float(arrays[value.key]) for value in metric.values if value.key in arrays}


@cache
def code_of(metric: type[Metric]) -> str | None:
    """A hash of how ``metric`` computes: who edits a metric, or updates a library, does not meet the numbers from before.

    ``None`` where its source is not in a file.
    """
    try:
        own = inspect.getsourcefile(metric)
    except TypeError:
        own = None
    if own is None or not Path(own).is_file():
        return None
    digest = hashlib.sha256(repr([version(name) for name in LIBRARIES]).encode())
    ours = sorted(path for folder in metrics.__path__ for path in Path(folder).glob("*.py"))
    for file in (Path(own), Path(str(features.__file__)), *ours):
        digest.update(file.read_bytes())
    return digest.hexdigest()
