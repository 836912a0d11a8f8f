"""From feature banks to scores: the wanted metrics, each with its uncertainty and its floor, and the table of the classes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ganeval.banks import Banks
from ganeval.canonical import plain
from ganeval.computable import Wanted
from ganeval.errors import MetricError, UserError
from ganeval.extractors.base import Extractor
from ganeval.floor import floor_of
from ganeval.metrics.base import METRICS, Metric, Value
from ganeval.metrics.prdc import PrecisionRecallDensityCoverage
from ganeval.per_class import per_class
from ganeval.protocols import Protocol
from ganeval.registry import unknown
from ganeval.scorecard import OK, ClassScores, Score
from ganeval.uncertainty import Measured, measure


def wanted_values(protocol: Protocol, keys: Sequence[str] | None) -> dict[Metric, list[Value]]:
    """The metrics that give the wanted ``keys``, the protocol's before those asked for beside it.

    All of the protocol's for ``None``. Raises ``UserError`` for a key that no metric has, for no key, and for a text in place of
    a list.
    """
    if keys is not None and not keys:
        raise UserError("metrics is an empty list: give keys such as ['fid', 'is'], or None for all of the protocol")
    if isinstance(keys, str):  # a sequence too, of its letters
        raise UserError(f"metrics is the text '{keys}': give a list of keys such as ['fid', 'is'] (see 'ganeval ls metrics')")
    own = {metric.name for metric in protocol.metrics}
    others = [metric for name, metric in METRICS if name not in own] if keys else []
    known = {value.key for metric in (*protocol.metrics, *others) for value in metric.values}
    for key in keys or ():
        if key not in known:
            raise unknown("metric", key, known, " (see 'ganeval ls metrics')")
    wanted = {
        metric: [v for v in metric.values if keys is None or v.key in keys] for metric in (*protocol.metrics, *others)
    }  # fmt: skip
    return {metric: values for metric, values in wanted.items() if values}


@dataclass(frozen=True)
class Measurement:
    """Banks, and what their numbers mean: whose features they are, the names of the labels' classes, and whose these are."""

    banks: Banks
    extractor: Extractor
    classes: tuple[str, ...]
    whose: str
    protocol: Protocol

    @property
    def same_classes(self) -> bool:
        """Labels can be compared with logits only where both count the same classes."""
        return self.extractor.classes == self.classes

    def scores(self, wanted: Wanted) -> tuple[Score, ...]:
        """The scores of the wanted values, in order; a metric that fails on the numbers themselves is a status."""
        return tuple(score for metric, values in wanted.items() for score in self._scores_of(metric, values))

    def per_class(self) -> tuple[ClassScores, ...]:
        """The table of the classes; precision and recall with the protocol's neighbours.

        Raises ``UserError`` where there is none.
        """
        if self.banks.reference is None:
            raise UserError("no table of the classes without a reference: say with --dataset NAME which it is")
        balls = next((m for m in self.protocol.metrics if isinstance(m, PrecisionRecallDensityCoverage)), None)
        try:
            return per_class(
                self.banks.fake, self.banks.reference, self.classes,
                same_classes=self.same_classes, balls=balls or PrecisionRecallDensityCoverage(),
            )  # fmt: skip
        except MetricError as error:
            raise UserError(f"no table of the classes: {error}") from error

    def _scores_of(self, metric: Metric, values: Sequence[Value]) -> list[Score]:
        status, found = OK, {}
        try:
            if metric.classes_matter and not self.same_classes:
                raise MetricError(f"the classes of {self.extractor.name} are not those of {self.whose}")
            found = measure(metric, self.banks.fake, self.banks.reference, self.protocol.jackknife_groups)
        except MetricError as error:
            status = f"failed: {error}"
        floor = self._floor(metric) if found else {}
        beside = None if metric in self.protocol.metrics else {"metric": metric.name, **plain(metric)}

        def score_of(value: Value) -> Score:
            measured = found.get(value.key, Measured(None, None, None))
            return Score(
                key=value.key, column=value.column(self.extractor.name), value=measured.value, std_error=measured.std_error,
                floor=floor.get(value.key), better=value.better, unit=value.unit, status=status, interval=measured.interval,
                extra=beside,
            )  # fmt: skip

        return [score_of(value) for value in values if value.key in found or status != OK]

    def _floor(self, metric: Metric) -> dict[str, float]:
        """The metric of held-out real images; nothing where they are too few for it, or a number is not finite."""
        if self.banks.floor is None:
            return {}
        try:
            values = floor_of(metric, self.banks.floor, self.banks.reference)
        except MetricError:
            return {}
        return values if all(math.isfinite(value) for value in values.values()) else {}
