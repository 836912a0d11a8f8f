"""An order of samples that does not depend on the one they came in, for metrics that draw some of them at random."""

from __future__ import annotations

import numpy as np

from ganeval.features import Int64
from ganeval.metrics.checks import Array


def own_order(samples: Array) -> Int64:
    """(N,) the order in which the rows of ``samples`` (N, D) ascend as bytes: the same rows in the same order, however shuffled.

    Which order it is means nothing; a seeded draw from it is as random as one from any other.
    """
    rows = np.ascontiguousarray(samples)
    keys = rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).reshape(-1)
    order: Int64 = np.argsort(keys, kind="stable")
    return order
