"""ScoreCard: values with their uncertainty, their floor, their protocol and where they come from."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from ganeval.errors import UserError

OK = "ok"
FORMAT = 2
"""2 added each score's ``interval`` and ``extra``, and ``per_class``. Cards of format 1 are read: they lack these."""


@dataclass(frozen=True)
class Interval:
    """From ``low`` to ``high``: what covers, for the fraction ``level`` of all sets of generated samples, the value's mean over
    such sets. ``method`` is ``jackknife`` (Student's t), ``jackknife and own draws`` (the error of a metric's random draws or
    fit added), ``wilson`` (binomial), or ``trainings`` (Student's t over the trainings of a classifier, on images that are held
    fixed) and ``trainings and images`` (the binomial error of generated images added).
    """

    low: float
    high: float
    level: float
    method: str


@dataclass(frozen=True)
class Score:
    """One value of a card.

    ``column`` is its name in tables (``FD-digits-cnn``); ``value`` is ``None`` where ``status`` is ``failed: reason``;
    ``std_error`` is the standard error over the generated samples, or the trainings, and ``interval`` what follows from it,
    ``None`` where they cannot be had; ``floor`` is the same metric of held-out real images, ``None`` where the dataset has
    none. ``extra`` is ``None`` for a value of the protocol; for another that was asked for it holds the metric's name and
    parameters.
    """

    key: str
    column: str
    value: float | None
    std_error: float | None
    floor: float | None
    better: Literal["lower", "higher"]
    unit: str
    status: str = OK
    interval: Interval | None = None
    extra: dict[str, Any] | None = None


@dataclass(frozen=True)
class ClassScores:
    """One class of the dataset: its ``index`` and ``name``, how many generated (``fakes``) and real (``reals``) images of it.

    ``ifid`` is the Fréchet distance of the two, ``precision`` and ``recall`` of the two by nearest neighbours, ``top1`` and
    ``top5`` the accuracies on the generated ones; ``confused_with`` is the class that the classifier sees instead most often,
    in the fraction ``confused`` of them. ``None`` is what cannot be had: too few images, or another classifier's classes.
    """

    index: int
    name: str
    fakes: int
    reals: int
    ifid: float | None
    top1: float | None
    top5: float | None
    precision: float | None
    recall: float | None
    confused_with: str | None
    confused: float | None


@dataclass(frozen=True)
class ScoreCard:
    """One source under one protocol.

    ``reference_sha256`` is the content of the real images at ``resolution``, or of the file of their statistics; it and
    ``dataset`` are empty where nothing was compared with. ``seed`` is ``None`` where nothing was generated, ``resolution`` where
    nobody knows it. ``counts`` lacks what nobody knows.
    ``deviations`` lists where the protocol was not followed to the letter (another number of images): such a card is
    never ranked. ``left_out`` says which of the protocol's metrics have no meaning here, and why. ``source``, ``extractor`` and
    ``environment`` are plain JSON. ``per_class`` has one entry per class, in their order, where it was asked for.
    """

    dataset: str
    resolution: int | None
    source: dict[str, Any]
    protocol: str
    protocol_sha256: str
    reference_sha256: str
    extractor: dict[str, Any]
    counts: dict[str, int]
    seed: int | None
    scores: tuple[Score, ...]
    deviations: tuple[str, ...]
    environment: dict[str, str]
    seconds: float
    per_class: tuple[ClassScores, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def failed(self) -> list[Score]:
        return [score for score in self.scores if score.status != OK]

    def __getitem__(self, key: str) -> Score:
        """The score of a metric key such as ``fid``; raises ``KeyError``."""
        for score in self.scores:
            if key in (score.key, score.column):
                return score
        raise KeyError(key)

    def to_json(self) -> dict[str, Any]:
        """The canonical form."""
        return {"kind": "scorecard", "format": FORMAT, **dataclasses.asdict(self)}

    @classmethod
    def from_json(cls, content: Any) -> ScoreCard:
        """The card :meth:`to_json` of this format or the one before wrote; raises ``UserError`` for anything else."""
        from ganeval.recipes.schema import from_json

        if not isinstance(content, dict) or content.get("kind") != "scorecard" or content.get("format") not in (1, FORMAT):
            raise UserError("not a score card written by 'ganeval score --out'")
        if not all(isinstance(content.get(name, []), list) for name in ("scores", "deviations", "per_class", "left_out")):
            raise UserError("not a valid scorecard: scores, deviations, per_class and left_out are lists")
        return from_json(cls, {name: value for name, value in content.items() if name not in ("kind", "format")})


def rounded(value: float, digits: int) -> str:
    """``value`` for people, to ``digits`` significant digits; every digit before the point is kept."""
    return f"{value:.0f}" if abs(value) >= 10**digits - 0.5 else f"{value:.{digits}g}"
