"""FeatureBank: what one pass of one extractor over one set of images gives. Every metric reads from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ganeval.errors import MetricError

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
Arrays = Mapping[str, NDArray[Any]]


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


def arrays_of(moments: Moments) -> Arrays:
    """``moments`` of a known number of samples as they are kept."""
    return {"mean": moments.mean, "cov": moments.cov, "count": np.asarray(moments.count)}


def moments_from(arrays: Arrays) -> Moments:
    """What :func:`arrays_of` made arrays of."""
    return Moments(arrays["mean"], arrays["cov"], int(arrays["count"]))


class Keeper(Protocol):
    """Keeps what is found out about a bank for later processes; ``key``, plain JSON, is all that the bank follows from."""

    @property
    def key(self) -> Mapping[str, object]: ...

    def keep(self, kind: str, about: Mapping[str, object], find: Callable[[], Arrays]) -> Arrays:
        """The finding ``kind`` of the bank from an earlier time, else from ``find``. ``about`` is what it follows from beside the
        bank, as plain JSON."""

    def part(self, which: Mapping[str, object]) -> Keeper:
        """The keeper of a part of the bank; ``which`` says of which samples, as plain JSON."""


@dataclass(frozen=True)
class FeatureBank:
    """``features`` (N, D) float32; ``logits`` (N, K) float32 or None; ``labels`` (N,) int64 or None.

    ``keeper`` keeps what is found out about them, where that is worth it: about a reference, which is met again. Raises
    :class:`MetricError` where the arrays disagree in length or hold a number that is not finite.
    """

    features: Float32
    logits: Float32 | None = None
    labels: Int64 | None = None
    keeper: Keeper | None = field(default=None, repr=False, compare=False)

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
        return moments_from(self.kept("moments", {}, lambda: arrays_of(moments_of(self.features))))

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
        return self._taken(index, None)

    def part(self, which: Mapping[str, object], index: Int64 | NDArray[np.bool_]) -> FeatureBank:
        """:meth:`take`; what is found out about the part is kept where that of the bank is. ``which`` says what ``index`` is."""
        return self._taken(index, self.keeper.part(which) if self.keeper else None)

    def _taken(self, index: Int64 | NDArray[np.bool_], keeper: Keeper | None) -> FeatureBank:
        return FeatureBank(
            self.features[index],
            None if self.logits is None else self.logits[index],
            None if self.labels is None else self.labels[index],
            keeper,
        )

    def kept(self, kind: str, about: Mapping[str, object], find: Callable[[], Arrays]) -> Arrays:
        """What ``find`` gives, which follows from this bank and ``about`` alone; from an earlier time where it was kept."""
        return self.keeper.keep(kind, about, find) if self.keeper else find()


class MomentBank(FeatureBank):
    """A bank of which only the mean and the covariance are known. It has no rows; asking for features raises
    :class:`MetricError`."""

    def __init__(self, moments: Moments, keeper: Keeper | None = None) -> None:
        self.__dict__.update(moments=moments, keeper=keeper)  # moments: where the cached property looks first

    @property
    def features(self) -> Float32:
        raise MetricError("only the mean and the covariance are known, no features")

    def __len__(self) -> int:
        return 0

    @property
    def count(self) -> int | None:
        return self.moments.count
