"""Scores during training: the checkpoint just written, through the same function as ``ganeval score``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ganeval import defaults
from ganeval.data.base import Dataset
from ganeval.errors import UserError
from ganeval.measuring import wanted_values
from ganeval.metrics.base import FRECHET
from ganeval.protocols import PROTOCOLS
from ganeval.scorecard import ScoreCard
from ganeval.scoring import require_scorable, score
from ganeval.training.early_warning import diverging_score
from ganeval.training.history import EVALS, Line, read_lines
from ganeval.training.journal import Journal
from ganeval.training.run import RunFolder
from ganeval.training.stop import StopOnSignal

COMPARABLE = ("protocol_sha256", "extractor_sha256", "reference_sha256", "fakes")
"""Two evaluations that agree in these are compared."""


@dataclass(frozen=True)
class Evaluation:
    """Score every ``every`` steps and at the last one, under ``protocol``.

    ``metrics`` are keys (all of the protocol by default; the Fréchet distance, which decides what is best, is always among
    them); ``num`` and ``extractor`` as in :func:`ganeval.scoring.score`. Raises ``UserError`` for a protocol or a metric that
    is not known, and for a protocol without that distance.
    """

    every: int
    protocol: str = defaults.PROTOCOL
    metrics: tuple[str, ...] | None = None
    num: int | None = None
    extractor: str | None = None

    def __post_init__(self) -> None:
        if self.every < 1:
            raise UserError(f"--eval-every must be at least 1, got {self.every}")
        rules = PROTOCOLS.get(self.protocol)
        wanted_values(rules, self.keys)
        if FRECHET.key not in {value.key for metric in rules.metrics for value in metric.values}:
            raise UserError(
                f"protocol {self.protocol} has no Fréchet distance, by which the best checkpoint is chosen: take another"
            )

    @property
    def keys(self) -> list[str] | None:
        return None if self.metrics is None else [*dict.fromkeys((FRECHET.key, *self.metrics))]

    def require_possible(self, dataset: Dataset) -> None:
        """Raise the ``UserError`` of the first evaluation now, before step 1."""
        require_scorable(dataset, self.protocol, self.keys, self.extractor, self.num)


class CutShort(Exception):
    """An evaluation was ended by a signal."""


class Evaluations:
    """The evaluations of one run: ``evals.jsonl``, and the pointer ``best``. Without a plan it does nothing."""

    def __init__(
        self, plan: Evaluation | None, run: RunFolder, dataset: Dataset, device: torch.device, journal: Journal,
        stop: StopOnSignal,
    ) -> None:  # fmt: skip
        self.plan, self.run, self.dataset, self.device, self.journal = plan, run, dataset, device, journal
        self.stop = stop
        self._point()

    def due(self, step: int, at_end: bool) -> bool:
        """Whether the checkpoint of ``step`` is to be scored and has not been."""
        if self.plan is None or step == 0 or not (at_end or step % self.plan.every == 0):
            return False
        return all(line["step"] != step for line in self._lines())

    def score(self, checkpoint: Path, step: int) -> None:
        """Score ``checkpoint``, write one line, and let ``best`` follow the Fréchet distance.

        What cannot be scored now (the cache's disk is full ...) is said and left out: the run goes on. A signal cuts an
        evaluation short. In both cases the checkpoint is scored by whoever resumes there.
        """
        try:
            card = self.journal.aside(lambda: self._card(checkpoint))
        except CutShort:
            return
        except UserError as error:
            self.journal.warn(step, f"not evaluated: {error}")
            return
        line = line_of(card, step)
        warning = diverging_score([*distances(self._lines(), line), *distances([line], line)])
        if warning:
            line["warnings"] = [warning]
            self.journal.warn(step, warning)
        self.run.append(EVALS, line)
        self._point()
        self.journal.scalars(step, line["values"])
        self.journal.say(f"step {step}  {said(line)}")

    def _card(self, checkpoint: Path) -> ScoreCard:
        assert self.plan is not None
        return score(
            checkpoint, protocol=self.plan.protocol, metrics=self.plan.keys, dataset=self.dataset,
            extractor=self.plan.extractor, num=self.plan.num, device=self.device, keep_features=False,
            talk=self._heed_signals,
        )  # fmt: skip

    def _heed_signals(self, what: str, done: int, total: int) -> None:
        """Called after every batch of images: whoever ends the run does not wait for thousands more."""
        if self.stop.signal:
            raise CutShort

    def _lines(self) -> list[Line]:
        return read_lines(self.run.path / EVALS)

    def _point(self) -> None:
        """Let ``best`` name the checkpoint with the smallest distance of those that are still there."""
        found = best_step([line for line in self._lines() if (self.run.checkpoint(line["step"])).is_dir()])
        current = self.run.best()
        if current != (None if found is None else self.run.checkpoint(found)):
            self.run.point_best(found)


def line_of(card: ScoreCard, step: int) -> Line:
    """One line of ``evals.jsonl``: values under their names in tables, what they were measured by, and what failed."""
    line: dict[str, Any] = {
        "step": step,
        "values": {score.column: score.value for score in card.scores if score.value is not None},
        "distance": FRECHET.column(card.extractor["name"]),
        "protocol": card.protocol,
        "protocol_sha256": card.protocol_sha256,
        "extractor": card.extractor["name"],
        "extractor_sha256": card.extractor["sha256"],
        "reference_sha256": card.reference_sha256,
        "fakes": card.counts["fake"],
        "checkpoint_sha256": card.source["sha256"],
        "seconds": card.seconds,
    }
    failed = {score.column: score.status for score in card.failed}
    return line | ({"failed": failed} if failed else {})


def distances(lines: Sequence[Line], like: Line) -> list[float]:
    """The Fréchet distances of those ``lines`` that are comparable with ``like``."""
    alike = [line for line in lines if measured_by(line) == measured_by(like)]
    return [line["values"][line["distance"]] for line in alike if line.get("distance") in line.get("values", {})]


def measured_by(line: Line) -> tuple[Any, ...]:
    """What an evaluation was measured by: two are comparable where it is the same."""
    return tuple(line.get(name) for name in COMPARABLE)


def best_step(lines: Sequence[Line]) -> int | None:
    """The step with the smallest distance among the ``lines`` comparable with the last one; the earlier of two equals."""
    found = [(distances([line], lines[-1]), line["step"]) for line in lines]
    ranked = sorted((value[0], step) for value, step in found if value)
    return ranked[0][1] if ranked else None


def said(line: Line) -> str:
    """An evaluation in one line for a person."""
    extractor = f"-{line['extractor']}"
    values = "  ".join(f"{name.removesuffix(extractor)} {value:.4g}" for name, value in line["values"].items())
    failed = "  ".join(f"{name.removesuffix(extractor)} {status}" for name, status in line.get("failed", {}).items())
    how = f"({line['protocol']} on {line['extractor']}, {line['fakes']:,} images, {line['seconds']:.1f} s)"
    return "  ".join(part for part in (values, failed, how) if part)
