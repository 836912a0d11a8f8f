"""Protocols: everything a score depends on beside the source, named, versioned and hashed."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ganeval.batch_statistics import Running, Statistics
from ganeval.canonical import later, plain
from ganeval.checkpoints import sha256_of
from ganeval.errors import UserError
from ganeval.metrics.base import Metric
from ganeval.registry import Registry
from ganeval.rng import LabelPlan

if TYPE_CHECKING:
    from ganeval.data.base import Dataset

Weights = Literal["ema", "raw"]
SampleOrder = Literal["given", "path", "own"]
Size = Literal["generator", "own"]

HELD_OUT = "held-out"
"""As ``reference_split``: the dataset's own held-out split, whatever it is called."""


@dataclass(frozen=True)
class Protocol:
    """How a source becomes numbers. A change of any field is a new version.

    ``extractor`` is ``None`` where the dataset's own is used, or the one that the user names; its name and hash are part of
    every ScoreCard. ``fakes`` images are generated, with ``fakes_follow_reference`` no more than the reference has. ``labels``
    are exactly balanced (label of sample i is i mod K), i.i.d. uniform, or i.i.d. after the reference's own. ``weights`` says
    which generator is sampled, ``statistics`` what its BatchNorm normalises by, ``truncation`` the bound of every |z|.
    ``reference_count`` images of the reference split, drawn with ``reference_seed``, are used, ``None`` means all. The floor
    comes from the dataset's own held-out split, where it has one that is not the reference. Real images have the ``generator``'s
    size, or their ``own`` where they are image files of one size. Metrics that draw or cut see the samples in the ``given``
    order (files by name), by ``path``, or in their ``own`` order, which does not depend on the one they came in.

    ``ganeval.protocols.explain`` says in words what each field means and who chooses what.
    """

    name: str
    description: str
    reference_split: str
    fakes: int
    labels: LabelPlan
    weights: Weights
    extractor: str | None
    metrics: tuple[Metric, ...]
    jackknife_groups: int = 10
    fakes_follow_reference: bool = later(False)
    reference_count: int | None = later(None)
    reference_seed: int = later(0)
    statistics: Statistics = later(Running())  # noqa: RUF009 - frozen
    truncation: float | None = later(None)
    sample_order: SampleOrder = later("given")  # noqa: RUF009
    reference_size: Size = later("generator")  # noqa: RUF009
    published: Protocol | None = dataclasses.field(default=None, compare=False, repr=False)
    """What this is, resolved for a dataset; its hash is that of what was published."""

    def to_json(self) -> dict[str, Any]:
        """The canonical form, what the hash is of: metrics and statistics with their parameters; without fields that were added
        since the first protocol and have the value that says what was done before."""
        fields = plain(self)
        del fields["published"]
        if "statistics" in fields:
            fields["statistics"] = {"kind": self.statistics.kind, **plain(self.statistics)}
        return {**fields, "metrics": [{"name": metric.name, **plain(metric)} for metric in self.metrics]}

    def sha256(self) -> str:
        """The hash that stands in every row scored with this protocol; the description does not enter."""
        content = (self.published or self).to_json()
        return sha256_of({key: value for key, value in content.items() if key != "description"})

    def resolved(self, dataset: Dataset) -> Protocol:
        """This protocol with the split and the number of images it means for ``dataset``; its hash stays the same.

        Raises ``UserError`` where the dataset has no such split.
        """
        split = self.reference_split
        if split == HELD_OUT:
            if dataset.held_out is None:
                raise UserError(f"protocol {self.name} compares with held-out images, and dataset '{dataset.name}' has none")
            split = dataset.held_out
        there = dataset.splits.get(split, self.fakes)  # a split that is missing is an error of its own when it is loaded
        fakes = min(self.fakes, there) if self.fakes_follow_reference else self.fakes
        return dataclasses.replace(self, reference_split=split, fakes=fakes, published=self.published or self)

    def differences(self, other: Protocol) -> list[str]:
        """In words, where a source was sampled after ``self`` and not after ``other``."""
        said = []
        if self.statistics != other.statistics:
            said.append(f"BatchNorm statistics {self.statistics} instead of {other.statistics}")
        if self.truncation != other.truncation:
            said.append(f"truncation {_or_none(self.truncation)} instead of {_or_none(other.truncation)}")
        return said


def _or_none(value: float | None) -> str:
    return "none" if value is None else f"{value:g}"


PROTOCOLS: Registry[Protocol] = Registry("protocol", "ganeval.protocols")
"""One file in this package registers the protocols of one tool."""
