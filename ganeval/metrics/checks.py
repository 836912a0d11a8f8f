"""What every metric asks of the arrays it is given, and the words it says where they do not allow it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ganeval.errors import MetricError
from ganeval.features import FeatureBank, Float32, Float64

Array = Float32 | Float64


def given(reference: FeatureBank | None) -> FeatureBank:
    """The reference bank; raises :class:`MetricError` where there is none."""
    if reference is None:
        raise MetricError("this metric compares with a reference set, and none was given")
    return reference


def check_finite(array: NDArray[np.floating], what: str) -> None:
    """Raise :class:`MetricError` unless ``array`` is a finite matrix (N, D) with D >= 1."""
    if array.ndim != 2 or array.shape[1] == 0:
        raise MetricError(f"{what} must be a matrix of one row per sample, got the shape {array.shape}")
    finite = np.isfinite(array).all(axis=1)
    if not finite.all():
        raise MetricError(f"{what} of sample {int(np.flatnonzero(~finite)[0])} are not finite")


def check_pair(x: Array, y: Array, minimum: int) -> None:
    """Raise :class:`MetricError` unless both are finite, equally wide and have ``minimum`` rows."""
    check_finite(x, "features")
    check_finite(y, "features")
    if x.shape[1] != y.shape[1]:
        raise MetricError(f"{x.shape[1]} and {y.shape[1]} feature dimensions cannot be compared: use one extractor for both")
    if min(len(x), len(y)) < minimum:
        raise MetricError(f"at least {minimum} samples are needed in each set, got {len(x)} and {len(y)}")
