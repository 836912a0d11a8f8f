"""ScoreCard: values with their uncertainty, their floor, their protocol and where they come from."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from ganeval.errors import UserError

OK = "ok"
FORMAT = 1


@dataclass(frozen=True)
class Score:
    """One value of a card.

    ``column`` is its name in tables (``FD-digits-cnn``); ``value`` is ``None`` where ``status`` is ``failed: reason``;
    ``std_error`` is the jackknife standard error over the generated samples, ``None`` where it cannot be had; ``floor`` is the
    same metric of held-out real images, ``None`` where the dataset has none.
    """

    key: str
    column: str
    value: float | None
    std_error: float | None
    floor: float | None
    better: Literal["lower", "higher"]
    unit: str
    status: str = OK


@dataclass(frozen=True)
class ScoreCard:
    """One source under one protocol.

    ``reference_sha256`` is the content of the real images at ``resolution``; it and ``dataset`` are empty where there are none.
    ``seed`` is ``None`` where nothing was generated.
    ``deviations`` lists where the protocol was not followed to the letter (another number of images): such a card is
    never ranked. ``left_out`` says which of the protocol's metrics have no meaning here, and why. ``source``, ``extractor`` and
    ``environment`` are plain JSON.
    """

    dataset: str
    resolution: int
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
        """The card :meth:`to_json` wrote; raises ``UserError`` for anything else."""
        from ganeval.recipes.schema import from_json

        if not isinstance(content, dict) or (content.get("kind"), content.get("format")) != ("scorecard", FORMAT):
            raise UserError("not a score card written by 'ganeval score --out'")
        if not all(isinstance(content.get(name, []), list) for name in ("scores", "deviations", "left_out")):
            raise UserError("not a valid scorecard: scores, deviations and left_out are lists")
        return from_json(cls, {name: value for name, value in content.items() if name not in ("kind", "format")})


def rounded(value: float, digits: int) -> str:
    """``value`` for people, to ``digits`` significant digits; every digit before the point is kept."""
    return f"{value:.0f}" if abs(value) >= 10**digits - 0.5 else f"{value:.{digits}g}"
