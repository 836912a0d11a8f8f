"""What the command line shows: tables on stdout, progress on stderr."""

from __future__ import annotations

import io
import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from ganeval.errors import UserError
from ganeval.scorecard import OK, Interval, ScoreCard, rounded

if TYPE_CHECKING:
    import pandas as pd

    from ganeval.progress import Talk
    from ganeval.protocols.explain import Line

ARROWS = {"lower": "↓", "higher": "↑"}

# The card's table has 80 columns without the units.
ROOM_FOR_UNITS = 106


def show_card(card: ScoreCard) -> None:
    """Print a score card as a table: values with standard errors and intervals, the floor beside them, below it what failed."""
    console = _stdout()
    with_units = console.width >= ROOM_FOR_UNITS
    table = _table()
    table.add_column("metric", no_wrap=True)
    for heading in ("value", "± s.e.", "95 % interval", "held-out\nreal"):
        table.add_column(heading, justify="right", no_wrap=True)
    if with_units:
        table.add_column("unit", no_wrap=True)
    for score in card.scores:
        value = _number(score.value) if score.status == OK else Text("failed", style="bold red")
        numbers = (value, _number(score.std_error, 2), _range(score.interval), _number(score.floor, 3))
        table.add_row(f"{score.column} {ARROWS[score.better]}", *numbers, *([score.unit] if with_units else []))
    console.print(f"{_source_name(card)} {f'on {card.dataset}' if card.dataset else 'without a reference'}", style="bold")
    console.print(table)
    for score in card.failed:
        console.print(f"{score.column} {score.status}", style="red", soft_wrap=True)
    for line in _conditions(card):
        console.print(line, style="dim", soft_wrap=True)


def _source_name(card: ScoreCard) -> str:
    if card.source["kind"] == "checkpoint":
        return f"{card.source['recipe']['method']}, step {card.source['step']}"
    return str(card.source["name"])


def _conditions(card: ScoreCard) -> list[str]:
    counts = {name: f"{card.counts[name]:,}" if name in card.counts else "unknown" for name in ("fake", "reference", "floor")}
    accuracy, tested = (card.extractor["record"].get(key) for key in ("test_accuracy", "dataset"))
    elsewhere = "" if tested in (None, card.dataset) else f" on {tested}"
    known = "" if accuracy is None else f" (test accuracy {accuracy:.1%}{elsewhere})"
    seed = "" if card.seed is None else f", seed {card.seed}"
    extra = [score.column for score in card.scores if score.extra is not None]
    floor = f"; held out: {counts['floor']}" if card.counts.get("floor") else ""
    compared = f" against {counts['reference']} real{floor}" if card.dataset else ""
    return [
        f"protocol {card.protocol} {card.protocol_sha256[:8]}{seed}; extractor {card.extractor['name']}{known}",
        f"{counts['fake']} images{compared}; {card.seconds:.1f} s",
        *([f"beside the protocol, with their own default parameters: {', '.join(extra)}"] if extra else []),
        *_without_errors(card),
        *(f"left out: {line}" for line in card.left_out),
        *(f"not ranked: {deviation}" for deviation in card.deviations),
    ]


def _without_errors(card: ScoreCard) -> list[str]:
    """Why cells of standard errors are empty, where it is for want of images."""
    from ganeval.protocols import PROTOCOLS

    empty = any(score.status == OK and score.std_error is None for score in card.scores)
    images = card.counts.get("fake")
    if not empty or images is None or card.protocol not in PROTOCOLS:  # that of another verb has no jackknife
        return []
    groups = PROTOCOLS.get(card.protocol).jackknife_groups
    return [f"no standard errors by the jackknife: it needs {groups} images, one per group"] if images < groups else []


def show_ranking(title: str, part: pd.DataFrame) -> None:
    """Print one comparable part of a leaderboard: as many tables one below the other as the width needs, and what has no rank."""
    from ganeval.leaderboard.table import brief, unranked

    console, shown = _stdout(), brief(part)
    extractor = part["extractor"].iloc[0]
    headings = {name: str(name).replace("_", " ").replace(f"-{extractor}", f"-\n{extractor}") for name in shown.columns}
    widths = {name: max(len(text) for cell in (headings[name], *shown[name]) for text in cell.split("\n")) for name in headings}
    console.print(title, style="bold")
    for names in _blocks(widths, console.width):
        table = _table()
        for name in names:
            table.add_column(headings[name], justify="left" if name == "method" else "right", no_wrap=True)
        for row in shown[names].itertuples(index=False):
            table.add_row(*row)
        console.print(table)
    for line in unranked(part):
        console.print(line, style="dim", soft_wrap=True)
    console.print()


def _blocks(widths: dict[str, int], room: int) -> Iterator[list[str]]:
    """The columns, in order, in groups that fit into ``room`` characters; every group begins with rank and method."""
    first = [name for name in widths if name in ("rank", "method")]
    block = list(first)
    for name in (name for name in widths if name not in first):
        if len(block) > len(first) and sum(widths[n] + 2 for n in [*block, name]) - 2 > room:
            yield block
            block = list(first)
        block.append(name)
    yield block


def show_protocol(title: str, lines: Sequence[Line]) -> None:
    """Print a protocol: per field its value, and below it what it means and what is common elsewhere."""
    console = _stdout()
    console.print(title, style="bold", soft_wrap=True)
    for line in lines:
        console.print(Text.assemble("\n", (line.name, "bold"), "  ", line.value), soft_wrap=True)
        for text in (line.means, f"elsewhere: {line.elsewhere}" if line.elsewhere else ""):
            if text:
                console.print(f"  {text}", style="dim", soft_wrap=True)


def show_rows(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table of text."""
    table = _table()
    for heading in headings:
        table.add_column(heading)
    for row in rows:
        table.add_row(*row)
    _stdout().print(table)


@contextmanager
def extraction_progress() -> Iterator[Talk]:
    """A bar on stderr per set of images and per long computation.

    Nothing where stderr is not a terminal, or another process speaks.
    """
    from ganeval.processes import launched

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    quiet = not (Console(stderr=True).is_terminal and launched().first)
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=quiet) as progress:
        tasks: dict[str, TaskID] = {}

        def talk(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=total)
            progress.update(tasks[what], completed=done, total=total)

        yield talk


def listing(kind: str) -> list[str]:
    """The lines of ``ganeval ls``: a name, and what one needs to choose it."""
    lists = {
        "recipes": _recipes, "datasets": _datasets, "protocols": _protocols, "metrics": _metrics, "extractors": _extractors,
        "classifiers": _classifiers,
    }  # fmt: skip
    lines = list(lists[kind]())
    width = max(len(name) for name, _ in lines)
    return [f"{name:<{width}}  {text}" for name, text in lines]


def _recipes() -> Iterator[tuple[str, str]]:
    from ganeval.recipes.registry import TABLES

    for dataset, table in TABLES:
        for method, recipe in table.items():
            yield method, f"{dataset:<16} {recipe.schedule.steps:>9,} steps  {recipe.citation.paper}  {recipe.citation.source}"


def _classifiers() -> Iterator[tuple[str, str]]:
    from ganeval.classifiers.recipe import RECIPES

    for name, recipe in RECIPES:
        size = f"{recipe.epochs} epochs of batches of {recipe.batch_size}, at most {recipe.resolution} px"
        yield name, f"{recipe.network.kind}, {size}; {recipe.citation.paper}  {recipe.citation.source}".rstrip()


def _datasets() -> Iterator[tuple[str, str]]:
    from ganeval.data.registry import DATASETS

    for name, dataset in DATASETS:
        try:
            counts = [f", {split} {count:,}" for split, count in dataset.splits.items()]
            status = dataset.status
        except UserError as error:  # a damaged one does not hide the others
            counts, status = [], str(error)
        size = f"{dataset.num_classes} classes, {dataset.channels} x {dataset.resolution} px"
        yield name, f"{status}: {size}{''.join(counts)}; {dataset.citation}"
    yield "path/to/folder", "any folder root/<class>/* of images"


def _protocols() -> Iterator[tuple[str, str]]:
    from ganeval.protocols import PROTOCOLS

    for name, protocol in PROTOCOLS:
        yield name, f"{protocol.sha256()[:8]}  {protocol.description}"


def _metrics() -> Iterator[tuple[str, str]]:
    from ganeval.metrics.base import METRICS

    for _, metric in METRICS:
        for value in metric.values:
            needs = f"; needs {', '.join(sorted(metric.needs))}" if metric.needs else ""
            yield (
                value.key,
                f"{ARROWS[value.better]} {value.inception_name}, elsewhere {value.other_name}-<extractor>; {value.unit}{needs}",
            )


def _extractors() -> Iterator[tuple[str, str]]:
    from ganeval.extractors.registry import EXTRACTORS, Described

    for name in EXTRACTORS.names():
        try:
            factory: object = EXTRACTORS.get(name)
        except UserError as error:  # another package's, which must not hide the rest
            yield name, str(error)
            continue
        if isinstance(factory, Described):
            yield name, f"{factory.description}; {factory.status()}"
            continue
        first = (sys.modules[factory.__module__].__doc__ or "").partition("\n")[0]
        yield name, (first.partition(": ")[2] or first).replace("`", "").rstrip(".")


def _number(value: float | None, digits: int = 4) -> str:
    return "" if value is None else rounded(value, digits)


def _range(interval: Interval | None) -> str:
    """Both ends with as many decimals as two significant digits of the interval's length have."""
    if interval is None:
        return ""
    length = interval.high - interval.low
    decimals = 4 if length == 0 else min(max(1 - math.floor(math.log10(length)), 0), 8)
    low, high = (round(end, decimals) + 0.0 for end in (interval.low, interval.high))  # no negative zero
    return f"{low:.{decimals}f} … {high:.{decimals}f}"


def _table() -> Table:
    """Columns two spaces apart, a line under the headings."""
    return Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))


def _stdout() -> Console:
    """Text as it is, what cannot be encoded escaped; wide enough for any table when the output is not a terminal."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    wide = None if Console().is_terminal else 10_000
    return _Stdout(width=wide, markup=False, emoji=False, highlight=False)


class _Stdout(Console):
    def on_broken_pipe(self) -> None:
        raise BrokenPipeError  # rich would end the process with status 1, which says that a metric failed
