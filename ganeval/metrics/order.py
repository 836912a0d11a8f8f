"""An order of samples that does not depend on the one they came in, for metrics that draw some of them at random."""

from __future__ import annotations

import numpy as np

from ganeval.features import Int64
from ganeval.metrics.checks import Array


def own_order(samples: Array) -> Int64:
    """(N,) an order of the rows of ``samples`` (N, D): the same rows in the same order, however shuffled.

    The rows ascend by their first numbers, most significant byte first, and are then shuffled, always alike: so the order means
    nothing, and samples that change by a rounding error keep their places, or nearly.
    """
    rows = np.ascontiguousarray(samples + 0.0, dtype=samples.dtype.newbyteorder(">"))  # + 0.0: of -0 and 0, which are equal, one
    keys = rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).reshape(-1)
    order: Int64 = np.argsort(keys, kind="stable")[np.random.RandomState(0).permutation(len(keys))]
    return order
