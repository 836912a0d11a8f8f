"""The contract of a metric: a pure function of feature banks that declares what it needs and which way is better."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from ganeval.features import FeatureBank
from ganeval.registry import Registry

Need = Literal["reference", "logits", "labels"]


@dataclass(frozen=True)
class Value:
    """One number a metric gives: its key, the heading on Inception features and on any other extractor, direction, unit."""

    key: str
    inception_name: str
    other_name: str
    better: Literal["lower", "higher"]
    unit: str

    def column(self, extractor: str) -> str:
        """The name in tables: ``FID`` on Inception, ``FID-clean`` on the same network under another resize (``inception-clean``),
        ``FD-digits-cnn`` on the extractor ``digits-cnn``. Weights that are not the published ones (``inception@1a2b3c4d``) make
        another extractor."""
        network, _, variant = extractor.partition("-")
        if network != "inception" or "@" in variant:
            return f"{self.other_name}-{extractor}"
        return f"{self.inception_name}-{variant}" if variant else self.inception_name


class Metric(ABC):
    """A family of values that one computation gives. One file registers one instance in :data:`METRICS`.

    Parameters (number of splits, of neighbours ...) are fields of the instance, set by the protocol with
    ``dataclasses.replace``: members are frozen dataclasses.
    """

    name: ClassVar[str]
    values: ClassVar[tuple[Value, ...]]
    needs: ClassVar[frozenset[Need]]

    @property
    def minimum(self) -> int:
        """The number of generated samples below which the metric is an error."""
        return 2

    @abstractmethod
    def compute(self, fake: FeatureBank, reference: FeatureBank | None) -> Mapping[str, float]:
        """``{key: value}`` for the keys of ``values``; a key may be absent where the value has no meaning.

        Pure; raises ``MetricError`` where the samples do not allow it.
        """

    def without_groups(
        self, fake: FeatureBank, reference: FeatureBank | None, group: NDArray[np.int64]
    ) -> Sequence[Mapping[str, float]]:
        """:meth:`compute` without each group of generated samples in turn; ``group`` (M,) numbers them from 0, none empty.

        A metric overrides this where it can share work between the groups; the values must be those of ``compute``. Raises
        ``MetricError`` where one of them cannot be had.
        """
        return [self.compute(fake.take(group != g), reference) for g in range(int(group.max()) + 1)]


FRECHET = Value("fid", "FID", "FD", "lower", "squared feature distance")
"""The value by which leaderboards rank."""

METRICS: Registry[Metric] = Registry("metric", "ganeval.metrics")
