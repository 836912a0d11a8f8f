"""The curves of one run or several, from what they wrote: one picture, and the table behind it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ganeval.errors import UserError
from ganeval.files import write_bytes
from ganeval.training.evaluation import best_step, measured_by
from ganeval.training.history import EVALS, LOG, Line, read_lines

if TYPE_CHECKING:
    import pandas as pd

Float64 = NDArray[np.float64]

LOGARITHMIC, LINEAR = "log", "linear"
PANELS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("losses", ("d_loss", "g_loss"), LINEAR),
    ("logits of D", ("real_logit", "fake_logit"), LINEAR),
    ("gradient norms", ("d_grad_norm", "g_grad_norm"), LOGARITHMIC),
    ("largest spectral norms", ("d_sigma", "g_sigma"), LOGARITHMIC),
    ("augmentation p", ("augment_p",), LINEAR),
)
"""Title, fields of the log, scale. A panel without a value is not drawn; then comes one panel per evaluated metric."""

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's, which colour-blind people can tell apart."""
STYLES = ("-", "--")
NARROWEST = 1.01
"""A logarithmic axis spans at least this ratio: what varies less is drawn flat."""
EARLIER = ":"
"""The style of evaluations that are not comparable with the run's last one."""
SMOOTH_FROM, SMOOTH = 200, 40
"""Above so many points a curve is drawn faintly, and its mean over a ``SMOOTH``-th of the points over it."""


@dataclass(frozen=True)
class RunHistory:
    """The lines of a run's log and of its evaluations, each in order of steps."""

    name: str
    log: tuple[Line, ...]
    evals: tuple[Line, ...]

    def points(self, field: str) -> tuple[Float64, Float64]:
        """Steps and values of a field of the log, or of an evaluated metric, where it has a value."""
        lines = [*self.log, *({"step": line["step"], **line.get("values", {})} for line in self.evals)]
        found = [(line["step"], line[field]) for line in lines if isinstance(line.get(field), int | float)]
        steps, values = zip(*found, strict=True) if found else ((), ())
        return np.array(steps, dtype=np.float64), np.array(values, dtype=np.float64)

    def evaluates(self, field: str) -> bool:
        """Whether ``field`` is an evaluated metric, and not one of the log."""
        return any(field in line.get("values", {}) for line in self.evals)

    def comparable(self) -> list[RunHistory]:
        """The evaluations alone, apart by what they were measured by; those that the last one belongs to come last."""
        kinds = dict.fromkeys(measured_by(line) for line in reversed(self.evals))
        parts = [tuple(line for line in self.evals if measured_by(line) == kind) for kind in reversed(kinds)]
        return [replace(self, log=(), evals=part) for part in parts]

    def best(self, metric: str) -> tuple[int, float] | None:
        """Step and distance of what the run calls its best, where ``metric`` is the distance that decides it."""
        if not self.evals or self.evals[-1].get("distance") != metric:
            return None
        chosen = best_step(self.evals)
        found = [line for line in self.comparable()[-1].evals if line["step"] == chosen]
        return (found[0]["step"], found[0]["values"][metric]) if found else None


def read_history(run: Path) -> RunHistory:
    """What the run at ``run`` has written; raises ``UserError`` where it is no run or has not come to its first log line."""
    if not (run / "run.json").is_file():
        raise UserError(f"{run} is not a run: give a folder that 'ganeval train' made")
    history = RunHistory(run.resolve().name, tuple(read_lines(run / LOG)), tuple(read_lines(run / EVALS)))
    if not history.log and not history.evals:
        raise UserError(f"{run} has no log yet: there is nothing to draw")
    return history


def read_histories(runs: Sequence[Path]) -> list[RunHistory]:
    """The histories of ``runs``, each under its folder's name, or its whole path where two folders have one name."""
    found = [read_history(run) for run in runs]
    names = [history.name for history in found]
    return [replace(h, name=h.name if names.count(h.name) == 1 else str(run)) for h, run in zip(found, runs, strict=True)]


def table(runs: Sequence[RunHistory]) -> pd.DataFrame:
    """One row per run and step at which anything was written: every number of the log and of the evaluations."""
    import pandas as pd

    rows: dict[tuple[str, int], dict[str, Any]] = {}
    for run in runs:
        for line in (*run.log, *({"step": line["step"], **line.get("values", {})} for line in run.evals)):
            numbers = {name: value for name, value in line.items() if isinstance(value, int | float)}
            rows.setdefault((run.name, line["step"]), {"run": run.name}).update(numbers)
    return pd.DataFrame([row for _, row in sorted(rows.items(), key=lambda item: item[0])])


def draw(runs: Sequence[RunHistory], out: Path) -> None:
    """Write the picture to the PNG file ``out``: a panel per kind of quantity; several runs lie over each other by colour."""
    from matplotlib.figure import Figure

    metrics = dict.fromkeys(name for run in runs for line in run.evals for name in line.get("values", {}))
    wanted = [*PANELS, *((name, (name,), LINEAR) for name in metrics)]
    shown = [panel for panel in wanted if any(len(run.points(field)[0]) for run in runs for field in panel[1])]
    columns = min(3, len(shown))
    rows = -(-len(shown) // columns)
    figure = Figure(figsize=(4.6 * columns, 3.1 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).flatten()
    for axis, (title, fields, scale) in zip(axes, shown, strict=False):
        _panel(axis, runs, title, fields, scale)
    for axis in axes[len(shown) :]:
        axis.set_visible(False)
    if len(runs) > 1:
        handles = [figure.axes[0].plot([], [], color=_colour(index), label=run.name)[0] for index, run in enumerate(runs)]
        figure.legend(handles=handles, loc="outside upper center", ncols=min(len(runs), 3), frameon=False, fontsize=9)
    else:
        figure.suptitle(runs[0].name, fontsize=11)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    write_bytes(out, buffer.getvalue())


def _panel(axis: Any, runs: Sequence[RunHistory], title: str, fields: tuple[str, ...], scale: str) -> None:
    alone = len(runs) == 1
    for index, run in enumerate(runs):
        for number, field in enumerate(fields):
            _line(axis, run, field, _colour(number if alone else index), "-" if alone else STYLES[number])
    axis.set_title(title, fontsize=10)
    axis.set_xlabel("step", fontsize=8)
    if scale == LOGARITHMIC and np.isfinite(axis.dataLim.minposy):  # something is above 0
        axis.set_yscale(scale)
        _label_logarithmic(axis)
    axis.tick_params(which="both", labelsize=8)
    axis.grid(alpha=0.25, linewidth=0.6)
    axis.spines[["top", "right"]].set_visible(False)
    if len(fields) > 1:
        handles = [
            axis.plot([], [], STYLES[number] if not alone else "-", color=_colour(number) if alone else "#555555", label=field)[0]
            for number, field in enumerate(fields)
        ]
        axis.legend(handles=handles, fontsize=8, frameon=False)


def _label_logarithmic(axis: Any) -> None:
    """Ticks with distinct labels: powers of ten, their doubles and fives; within one decade, where these are few, even steps."""
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, NullLocator, ScalarFormatter

    low, high = axis.get_ylim()
    if high / low < NARROWEST:  # else the labels would need all digits of a number to differ
        low, high = (np.sqrt(low * high) * NARROWEST**half for half in (-0.5, 0.5))
    axis.set_ylim(low, high)
    if high / low < 10:
        axis.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 2.5, 5, 10]))
        axis.yaxis.set_major_formatter(ScalarFormatter(useOffset=False))
        axis.yaxis.set_minor_locator(NullLocator())
    else:
        axis.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high / low < 1e3 else (1.0,)))
        axis.yaxis.set_major_formatter("{x:g}")
        axis.yaxis.set_minor_formatter(NullFormatter())


def _line(axis: Any, run: RunHistory, field: str, colour: str, style: str) -> None:
    """A curve; of evaluations one per comparable kind, with a mark at every point, and a star where the run's best is."""
    if not run.evaluates(field):
        _curve(axis, *run.points(field), colour, style)
        return
    *earlier, last = run.comparable()
    for part in earlier:
        _curve(axis, *part.points(field), colour, EARLIER, marker=".")
    _curve(axis, *last.points(field), colour, style, marker=".")
    best = run.best(field)
    if best:
        axis.plot(*best, "*", color=colour, markersize=10)


def _curve(axis: Any, steps: Float64, values: Float64, colour: str, style: str, marker: str | None = None) -> None:
    if len(steps) > SMOOTH_FROM:
        axis.plot(steps, values, style, color=colour, linewidth=0.6, alpha=0.25)
        steps, values = _smoothed(steps, values)
    axis.plot(steps, values, style, color=colour, linewidth=1.4, marker=marker, markersize=5)


def _smoothed(steps: Float64, values: Float64) -> tuple[Float64, Float64]:
    """The running mean over a window of a ``SMOOTH``-th of the points, at the middle of the window."""
    width = max(2, len(values) // SMOOTH)
    sums = np.cumsum(np.concatenate([[0.0], values]))
    return steps[width // 2 : width // 2 + len(values) - width + 1], (sums[width:] - sums[:-width]) / width


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]
