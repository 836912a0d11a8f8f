"""The contract of a metric: a pure function of feature banks that declares what it needs and which way is better."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from ganeval.errors import MetricError
from ganeval.features import FeatureBank, Int64
from ganeval.registry import Registry

Need = Literal["reference", "logits", "labels"]

INCEPTION = "inception"
RESIZES = ("clean", "studiogan-legacy", "studiogan-friendly")
"""Of the network of FID, beside torch-fidelity's: ``inception-<resize>``."""


@dataclass(frozen=True)
class Value:
    """One number a metric gives: its key, the heading on Inception features and on any other extractor, direction, unit.

    ``bounds`` are the least and the largest number it can be; its interval ends there. ``proportion`` says that it is the
    fraction of generated samples of which something is true, each by itself while the reference is held fixed: its
    interval is then binomial.
    """

    key: str
    inception_name: str
    other_name: str
    better: Literal["lower", "higher"]
    unit: str
    bounds: tuple[float, float] = (-math.inf, math.inf)
    proportion: bool = False

    def column(self, extractor: str) -> str:
        """The name in tables: ``FID`` on Inception, ``FID-clean`` on the same network under another resize (``inception-clean``),
        ``FD-digits-cnn`` on the extractor ``digits-cnn``. Weights that are not the published ones (``inception@1a2b3c4d``) make
        another extractor, and so does torchvision's network."""
        if extractor == INCEPTION:
            return self.inception_name
        network, _, resize = extractor.partition("-")
        same = network == INCEPTION and resize in RESIZES
        return f"{self.inception_name}-{resize}" if same else f"{self.other_name}-{extractor}"


@dataclass(frozen=True)
class Replicates:
    """``values``, and what their uncertainty follows from.

    ``without`` are the values without each group of generated samples in turn: a jackknife reads how far they lie apart, not
    where. It is empty where a group's absence leaves too few samples. ``own_errors`` are the standard errors that come from the
    metric's own random draws or from a fit, per key; values of metrics that draw nothing have none.
    """

    values: Mapping[str, float]
    without: tuple[Mapping[str, float], ...] = ()
    own_errors: Mapping[str, float] = field(default_factory=dict)


class Metric(ABC):
    """A family of values that one computation gives. One file registers one instance in :data:`METRICS`.

    Parameters (number of splits, of neighbours ...) are fields of the instance, set by the protocol with
    ``dataclasses.replace``: members are frozen dataclasses.
    """

    name: ClassVar[str]
    values: ClassVar[tuple[Value, ...]]
    needs: ClassVar[frozenset[Need]]
    classes_matter: ClassVar[bool] = False  # whether the logits must count the classes of the dataset
    moments_suffice: ClassVar[bool] = False  # whether means and covariances are all it reads of the banks
    minimum_of_both: ClassVar[bool] = False  # whether the reference must have ``minimum`` images, too

    @property
    def minimum(self) -> int:
        """The number of generated samples below which the metric is an error."""
        return 2

    @abstractmethod
    def compute(self, fake: FeatureBank, reference: FeatureBank | None) -> Mapping[str, float]:
        """``{key: value}`` for the keys of ``values``; a key may be absent where the value has no meaning.

        Pure; raises ``MetricError`` where the samples do not allow it.
        """

    def without_groups(self, fake: FeatureBank, reference: FeatureBank | None, group: Int64) -> Sequence[Mapping[str, float]]:
        """:meth:`compute` without each group of generated samples in turn; ``group`` (M,) numbers them from 0, none empty.

        A metric overrides this where it can share work between the groups; the values must be those of ``compute`` but for
        rounding. Raises ``MetricError`` where one of them cannot be had.
        """
        return [self.compute(fake.take(group != g), reference) for g in range(int(group.max()) + 1)]

    def replicate(self, fake: FeatureBank, reference: FeatureBank | None, group: Int64) -> Replicates:
        """The values of all samples, and without each group; ``group`` (N,) says which of 0 .. G - 1 a generated sample is in.

        Metrics override it that draw at random or fit: other draws for each group would pass for a spread of the samples.
        Raises ``MetricError`` where :meth:`compute` does.
        """
        values = self.compute(fake, reference)
        try:
            without = tuple(self.without_groups(fake, reference, group))
        except MetricError:
            without = ()
        return Replicates(values, without)


FRECHET = Value("fid", "FID", "FD", "lower", "squared feature distance", bounds=(0, math.inf))
"""The value by which leaderboards rank."""

METRICS: Registry[Metric] = Registry("metric", "ganeval.metrics")
