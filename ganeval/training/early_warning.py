"""Signs that a run goes wrong, read from its log and its evaluations alone: a rule is a function of their last lines.

A run is never stopped by them. Because the rules read what is written, a resumed run warns where an uninterrupted one would.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

Lines = Sequence[Mapping[str, Any]]
"""Lines of the log, oldest first."""

RECENT = 10
"""A sign must hold for this many log lines."""

EARLIER = 40
"""The lines before, with which they are compared."""

WINDOW = RECENT + EARLIER
"""No rule looks further back."""

ZERO_LOSS, SAME_LOSS, NO_GAP, SEPARATED = 1e-3, 1e-6, 1e-2, 0.5
EXPLODES, LARGE_GAP = 10.0, 20.0
DIVERGES = 2.0


def zero_loss(lines: Lines) -> str | None:
    """D's adversarial loss is nearly 0 and its logits lie apart (a Wasserstein loss of 0 is something else): with a hinge every
    image is beyond the margin, and G learns from a discriminator that no longer does."""
    recent = _recent(lines, "d_adversarial", "real_logit", "fake_logit")
    losses = [abs(line["d_adversarial"]) for line in recent]
    if losses and max(losses) <= ZERO_LOSS and min(_gaps(recent)) >= SEPARATED:
        return f"the discriminator's adversarial loss has been 0 for {RECENT} log lines: it tells all images apart"
    return None


def constant_loss(lines: Lines) -> str | None:
    """D's whole loss does not move at all: it is saturated or dead."""
    losses = [line["d_loss"] for line in _recent(lines, "d_loss")]
    if losses and max(losses) - min(losses) <= SAME_LOSS * max(1.0, abs(losses[-1])):
        return f"d_loss has been {losses[-1]:.4g} for {RECENT} log lines: the discriminator no longer learns"
    return None


def no_gap(lines: Lines) -> str | None:
    """D gives real and generated images the same logits."""
    gaps = _gaps(_recent(lines, "real_logit", "fake_logit"))
    if gaps and max(map(abs, gaps)) <= NO_GAP:
        return f"real and generated images have had the same logits for {RECENT} log lines: the discriminator tells nothing"
    return None


def exploding_gap(lines: Lines) -> str | None:
    """The distance of D's logits has grown tenfold against the lines before, and is large: a collapse often follows."""
    recent = _recent(lines, "real_logit", "fake_logit")
    earlier = [abs(gap) for gap in _gaps(lines[-WINDOW:-RECENT])]
    if not recent or len(earlier) < RECENT:
        return None
    now, before = median(map(abs, _gaps(recent))), median(earlier)
    if now >= LARGE_GAP and now >= EXPLODES * before:
        return f"the logits of real and generated images lie {now:.3g} apart, {before:.3g} before: the discriminator runs away"
    return None


def altered_updates(lines: Lines) -> str | None:
    """Since the line before, updates were left out or altered because they were not finite (``--on-nan``)."""
    before, now = (sum(line[key] for key in line if key.endswith("_updates")) for line in [{}, {}, *lines][-2:])
    return f"{now:,} updates were not finite so far: incidents.jsonl has which" if now > before else None


RULES: Mapping[str, Callable[[Lines], str | None]] = {
    "zero-loss": zero_loss, "constant-loss": constant_loss, "no-gap": no_gap, "exploding-gap": exploding_gap,
    "altered-updates": altered_updates,
}  # fmt: skip


def new_warnings(lines: Lines) -> list[str]:
    """What is wrong at the last of ``lines`` and was not at the one before; ``name: what was seen``."""
    now, before = lines[-WINDOW:], lines[-WINDOW - 1 : -1]
    found = {name: rule(now) for name, rule in RULES.items() if not rule(before)}
    return [f"{name}: {text}" for name, text in found.items() if text]


def diverging_score(distances: Sequence[float], factor: float = DIVERGES) -> str | None:
    """The last of the comparable Fréchet ``distances`` is more than ``factor`` times the best before it, and the one before was
    not: said once per fall."""
    if len(distances) < 2 or not _diverged(distances, factor):
        return None
    if len(distances) > 2 and _diverged(distances[:-1], factor):
        return None
    best = min(distances[:-1])
    return f"diverging-score: the Fréchet distance is {distances[-1]:.4g}, the best was {best:.4g}: score --checkpoint best"


def _diverged(distances: Sequence[float], factor: float) -> bool:
    return distances[-1] > factor * max(min(distances[:-1]), 0.0)


def _recent(lines: Lines, *keys: str) -> Lines:
    """The last lines, where there are enough and all of them have ``keys``; else none."""
    recent = lines[-RECENT:]
    return recent if len(recent) == RECENT and all(key in line for line in recent for key in keys) else []


def _gaps(lines: Lines) -> list[float]:
    return [line["real_logit"] - line["fake_logit"] for line in lines if "real_logit" in line and "fake_logit" in line]
