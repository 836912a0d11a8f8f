"""The order of training images as a function of the position in the stream, so that a resumed run sees the same data."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganeval.rng import derived_seed


@lru_cache(maxsize=4)
def permutation(count: int, epoch: int, seed: int) -> NDArray[np.int64]:
    """The order of the ``count`` images in ``epoch``: a read-only permutation of 0..count-1.

    The ranks of raw Philox numbers: the raw stream is stable across NumPy versions, ``Generator.permutation`` is not.
    """
    bits = np.random.Philox(key=np.array([derived_seed("data order", seed), epoch], dtype=np.uint64))
    order = np.argsort(bits.random_raw(count), kind="stable").astype(np.int64)
    order.setflags(write=False)
    return order


def batch_indices(count: int, batch: int, position: int, seed: int) -> Tensor:
    """Indices (batch,) int64 of the batch that starts at image ``position`` of an endless stream of epochs.

    Every epoch is a permutation of the ``count`` images; a batch may begin in one epoch and end in a later one. The result
    depends on the arguments alone: step ``s`` of a run takes ``position = s * batch``.
    """
    if count < 1 or batch < 1 or position < 0:
        raise ValueError(f"no batch of {batch} at position {position} in a stream of {count} images")
    stop = position + batch
    parts = []
    for epoch in range(position // count, (stop - 1) // count + 1):
        start = epoch * count
        parts.append(permutation(count, epoch, seed)[max(position - start, 0) : stop - start])
    return torch.from_numpy(np.concatenate(parts))
