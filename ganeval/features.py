"""FeatureBank: what one pass of one extractor over one set of images gives. Every metric reads from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ganeval.errors import MetricError

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]


class Moments(NamedTuple):
    """``mean`` (D,) and ``cov`` (D, D), float64, normalised by ``count - 1``; ``count`` is ``None`` where nobody says it."""

    mean: Float64
    cov: Float64
    count: int | None  # type: ignore[assignment]  # the number of samples, in place of tuple.count


def moments_of(features: Float32 | Float64) -> Moments:
    """Mean and covariance of ``features`` (N, D), accumulated in float64. Raises :class:`MetricError` for N < 2."""
    if len(features) < 2:
        raise MetricError(f"moments need at least 2 samples, got {len(features)}")
    mean = features.mean(axis=0, dtype=np.float64)
    centred = features - mean
    return Moments(mean, centred.T @ centred / (len(features) - 1), len(features))


@dataclass(frozen=True)
class FeatureBank:
    """``features`` (N, D) float32; ``logits`` (N, K) float32 or None; ``labels`` (N,) int64 or None.

    ``recall`` gives the moments where they were kept from an earlier time. Raises :class:`MetricError` where the arrays disagree
    in length or hold a number that is not finite.
    """

    features: Float32
    logits: Float32 | None = None
    labels: Int64 | None = None
    recall: Callable[[], Moments] | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("features", "logits", "labels"):
            array = getattr(self, name)
            if array is None:
                continue
            if len(array) != len(self.features):
                raise MetricError(f"{len(array)} {name} for {len(self.features)} features")
            if name != "labels" and array.ndim != 2:
                raise MetricError(f"{name} must be a matrix of one row per sample, got the shape {array.shape}")
            if name != "labels" and not np.isfinite(array).all():
                row = int(np.flatnonzero(~np.isfinite(array).all(axis=1))[0])
                raise MetricError(f"{name} of sample {row} are not finite")

    def __len__(self) -> int:
        return len(self.features)

    @property
    def count(self) -> int | None:
        """How many samples the bank speaks of; ``None`` where nobody knows."""
        return len(self)

    @cached_property
    def moments(self) -> Moments:
        """Mean and covariance, accumulated in float64. Needs two samples."""
        return self.recall() if self.recall else moments_of(self.features)

    @cached_property
    def log_probabilities(self) -> Float64:
        """log softmax of the logits, (N, K) float64, natural logarithm."""
        if self.logits is None:
            raise MetricError("the extractor gives no class logits")
        x = self.logits.astype(np.float64)
        x -= x.max(axis=1, keepdims=True)
        x -= np.log(np.exp(x).sum(axis=1, keepdims=True))
        return x

    @cached_property
    def probabilities(self) -> Float64:
        """softmax of the logits, (N, K) float64."""
        return np.exp(self.log_probabilities)

    def take(self, index: Int64 | NDArray[np.bool_]) -> FeatureBank:
        """The bank of the samples at ``index``, in that order."""
        return FeatureBank(
            self.features[index],
            None if self.logits is None else self.logits[index],
            None if self.labels is None else self.labels[index],
        )


class MomentBank(FeatureBank):
    """A bank of which only the mean and the covariance are known. It has no rows; asking for features raises
    :class:`MetricError`."""

    def __init__(self, moments: Moments) -> None:
        self.__dict__["moments"] = moments  # where the cached property looks first

    @property
    def features(self) -> Float32:
        raise MetricError("only the mean and the covariance are known, no features")

    def __len__(self) -> int:
        return 0

    @property
    def count(self) -> int | None:
        return self.moments.count
