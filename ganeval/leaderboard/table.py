"""Leaderboards: one CSV per dataset, one row per checkpoint and protocol, made from score cards."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from ganeval.errors import UserError
from ganeval.files import disk_errors, write_text
from ganeval.metrics.base import FRECHET
from ganeval.registry import unknown
from ganeval.scorecard import Score, ScoreCard, rounded

if TYPE_CHECKING:
    import pandas as pd

IDENTITY = (
    "source_sha256", "recipe_sha256", "protocol_sha256", "reference_sha256", "extractor", "extractor_sha256", "fakes", "seed",
    "deviations",
)  # fmt: skip
"""Two cards that agree in these are one row."""

COMPARABLE = ("protocol", "protocol_sha256", "extractor", "extractor_sha256", "resolution", "reference_sha256")
"""Only rows that agree in these are ranked together."""

FIXED = (
    "dataset", "resolution", "method", "backbone", "conditioning", "steps", "batch_size", "training_seed", "parameters_m",
    "protocol", "extractor", "fakes", "references", "seed", "status", "deviations",
)  # fmt: skip
LATER = ("selection", "non_finite_updates")
"""Fixed columns that came after the first tables: a table without them is read with empty cells.

``selection``: whether the last checkpoint of a run was scored or its best, which was chosen by a score; empty for a
checkpoint somebody named. ``non_finite_updates``: how many were skipped or altered while it was trained.
"""
PROVENANCE = (
    "source_sha256", "recipe_sha256", "protocol_sha256", "reference_sha256", "extractor_sha256", "ganeval", "torch", "device",
    "date",
)  # fmt: skip


def measured(root: Path, dataset: str) -> Path:
    """The file of our own measurements on ``dataset`` under the leaderboards' folder ``root``."""
    return root / "measured" / f"{dataset}.csv"


def row_of(card: ScoreCard) -> dict[str, Any]:
    """The CSV view of a card. An empty cell is a value that does not exist; ``status`` says why."""
    recipe = card.source.get("recipe", {})
    cells: dict[str, Any] = {
        "dataset": card.dataset,
        "resolution": "" if card.resolution is None else card.resolution,
        "method": _method(recipe, card),
        "backbone": recipe.get("backbone", {}).get("kind", ""),
        "conditioning": recipe.get("conditioning", {}).get("kind", ""),
        "steps": card.source.get("step", ""),
        "batch_size": recipe.get("schedule", {}).get("batch_size", ""),
        "training_seed": card.source.get("training_seed", ""),
        "selection": card.source.get("selection", ""),
        "non_finite_updates": "; ".join(f"{count} {what}" for what, count in card.source.get("non_finite", {}).items()),
        "parameters_m": _number(card.source["generator_parameters"] / 1e6) if "generator_parameters" in card.source else "",
        "protocol": card.protocol,
        "extractor": card.extractor["name"],
        "fakes": card.counts.get("fake", ""),
        "references": card.counts.get("reference", ""),
        "seed": "" if card.seed is None else card.seed,
        "status": "; ".join(f"{_heading(score)} {score.status}" for score in card.failed) or "ok",
        "deviations": "; ".join(card.deviations),
    }
    for score in card.scores:
        name = _heading(score)
        cells |= {name: _number(score.value), f"{name} se": _number(score.std_error), f"{name} floor": _number(score.floor)}
    return cells | {
        "source_sha256": card.source["sha256"],
        "recipe_sha256": card.source.get("recipe_sha256", ""),
        "protocol_sha256": card.protocol_sha256,
        "reference_sha256": card.reference_sha256,
        "extractor_sha256": card.extractor["sha256"],
        **{name: card.environment.get(name, "") for name in ("ganeval", "torch", "device", "date")},
    }


def _heading(score: Score) -> str:
    """The column's name. The parameters of a protocol's metric are in the protocol's hash; those of another stand in the name."""
    parameters = {name: value for name, value in (score.extra or {}).items() if name != "metric"}
    said = ", ".join(f"{name}={value}" for name, value in sorted(parameters.items()))
    return f"{score.column} ({said})" if said else score.column


def _method(recipe: dict[str, Any], card: ScoreCard) -> str:
    """The recipe's method, or the source's name; a run on a part of the images says so where one reads first."""
    fraction = recipe.get("data", {}).get("fraction", 1.0)
    name = str(recipe.get("method", card.source.get("name", "")))
    return name if fraction == 1.0 else f"{name} ({fraction:.0%} of the images)"


def add(root: Path, card: ScoreCard) -> tuple[Path, bool]:
    """Add the card's row to its dataset's file; give the file, and whether anything in it is new.

    A row that is there already (same source, protocol, extractor, count and seed) stays as it is, but for values that it lacks:
    a card of other metrics fills them in. The same checkpoint as a run's last and as its best makes two rows: they claim
    different things. Raises ``UserError`` for a card without a reference.
    """
    if not card.dataset:
        raise UserError("a score without a reference belongs to no leaderboard: give --dataset NAME")
    path = measured(root, card.dataset)
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.parent / f".{path.name}.lock"):
            rows = _rows(read(path)) if path.exists() else []
            new = {name: str(cell) for name, cell in row_of(card).items()}
            same = [row for row in rows if _is_same(row, new)][:1]
            kept = _merged(same[0], new) if same else new
            if [kept] == same:
                return path, False
            write_text(path, _csv([*(row for row in rows if row not in same), kept]))
    return path, True


def _merged(row: dict[str, str], new: dict[str, str]) -> dict[str, str]:
    """``row`` with the values that only ``new`` has; what is there stays, the failures of both are listed."""
    lacking = {name: cell for name, cell in new.items() if cell and not row.get(name)}
    before = [part for part in row["status"].split("; ") if not new.get(part.partition(" failed: ")[0])]
    failures = [status for status in ("; ".join(before), new["status"]) if status not in ("", "ok")]
    status = failures[0] if len(failures) == 2 and failures[1] in failures[0] else "; ".join(failures)
    return {**row, **lacking, "status": status or "ok"}


def read(path: Path) -> pd.DataFrame:
    """The table at ``path``, every cell as text, empty where there is no value.

    Raises ``UserError`` for a file that is no leaderboard, and for a value that is no number, with its line.
    """
    import pandas as pd

    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as a CSV table: {error}") from error
    missing = [name for name in FIXED + PROVENANCE if name not in table.columns]
    if missing:
        raise UserError(f"{path} is not a leaderboard: it has no column {missing[0]}")
    table = table.assign(**{name: "" for name in LATER if name not in table.columns})
    for name in (str(column) for column in table.columns if column not in FIXED + LATER + PROVENANCE):
        wrong = table[name].ne("") & pd.to_numeric(table[name], errors="coerce").isna()
        if wrong.any():
            line = int(wrong.argmax())
            raise UserError(f"{path}: row {line + 1} has '{table[name][line]}' under {name}: a value is a number or empty")
    return table


def open_table(root: Path, dataset: str) -> pd.DataFrame:
    """The measured table of ``dataset``; raises ``UserError`` with the nearest names where there is none."""
    path = measured(root, dataset)
    if not path.is_file():
        known = [found.stem for found in (root / "measured").glob("*.csv")]
        raise unknown("leaderboard", dataset, known, f" (in {root}; 'ganeval score ... --leaderboard {root}' adds a row)")
    return read(path)


def ranked(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """The table in parts that may be compared: one per protocol, extractor and reference, best Fréchet distance first, or best
    classification accuracy score where a protocol measures that.

    Rows that deviate from the protocol or have no distance come last and carry no rank: :func:`unranked` says why. The title
    names the reference where the rest of it is that of another part too.
    """
    import pandas as pd

    parts = []
    alike = Counter(row[:-1] for row in table[list(COMPARABLE)].drop_duplicates().itertuples(index=False, name=None))
    for key, part in table.groupby(list(COMPARABLE)):
        protocol, rules, extractor, weights, resolution, reference = (str(cell) for cell in key)
        accuracy = part.get(f"CAS-{extractor}", pd.Series("", index=part.index))
        column, sign = (FRECHET.column(extractor), 1) if (accuracy == "").all() else (f"CAS-{extractor}", -1)
        distance = sign * pd.to_numeric(part.get(column, pd.Series(index=part.index, dtype=float)), errors="coerce")
        comparable = distance.notna() & (part["deviations"] == "")
        ranks = distance.where(comparable).rank(method="min")
        part = part.assign(rank=ranks.map(lambda r: "" if pd.isna(r) else str(int(r))), _distance=distance, _last=~comparable)
        part = part.sort_values(["_last", "_distance"]).drop(columns=["_distance", "_last"])
        known = [name for name in part.columns if name != "rank" and (part[name] != "").any()]
        title = f"{protocol} ({rules[:8]}) on {extractor} ({weights[:8]}), {resolution} px"
        title += f", reference {reference[:8]}" if alike[key[:-1]] > 1 else ""
        parts.append((title, part[["rank", *known]]))
    return parts


def unranked(part: pd.DataFrame) -> list[str]:
    """A line for every row of a part of :func:`ranked` that carries no rank: its method and why."""
    rows = _rows(part.fillna(""))
    return [
        f"not ranked: {row['method']}: {row.get('deviations') or 'it lacks the value that ranks'}"
        for row in rows
        if not row["rank"]
    ]


def brief(part: pd.DataFrame) -> pd.DataFrame:
    """The columns a person compares: rank, method, steps, each value with its standard error; the floor, if any, as last row.

    The seed of the samples is among them where there are several.
    """
    import pandas as pd

    values = [column for column in part.columns if f"{column} se" in part.columns or f"{column} floor" in part.columns]
    several = len({*part.get("seed", ())} - {""}) > 1
    columns = ("rank", "method", "steps", "selection", "training_seed", *(("seed",) if several else ()), "fakes")
    shown = part[[c for c in columns if c in part.columns]].copy()
    floor = {}
    for column in values:
        errors = part[f"{column} se"] if f"{column} se" in part.columns else [""] * len(part)
        shown[column] = [f"{_short(v)} ± {_short(e, 2)}" if e else _short(v) for v, e in zip(part[column], errors, strict=True)]
        floors = part[f"{column} floor"] if f"{column} floor" in part.columns else [""]
        floor[column] = _short(next((cell for cell in floors if cell), ""))
    if not any(floor.values()):
        return shown
    return pd.concat([shown, pd.DataFrame([{"method": "held-out real", **floor}])], ignore_index=True).fillna("")


def to_markdown(table: pd.DataFrame) -> str:
    """A table of text cells as GitHub Markdown."""
    header = [str(column) for column in table.columns]
    lines = [header, ["---"] * len(header), *[[str(cell) for cell in row] for row in table.itertuples(index=False)]]
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |\n" for line in lines)


def _rows(table: pd.DataFrame) -> list[dict[str, str]]:
    return [{str(name): str(cell) for name, cell in row.items()} for row in table.to_dict("records")]


def _identity(row: dict[str, str]) -> tuple[str, ...]:
    return tuple(row.get(name, "") for name in IDENTITY)


def _is_same(row: dict[str, str], new: dict[str, str]) -> bool:
    """Whether both are of one checkpoint under one protocol, and do not claim different selections of it."""
    selections = {row.get("selection", ""), new.get("selection", "")} - {""}
    return _identity(row) == _identity(new) and len(selections) < 2


def _csv(rows: list[dict[str, str]]) -> str:
    """Rows sorted and columns in one order, so that the file differs from before only where something is new."""
    import pandas as pd

    values = [name for row in rows for name in row if name not in FIXED + LATER + PROVENANCE]
    columns = [*FIXED, *dict.fromkeys(values), *LATER, *PROVENANCE]
    ordered = sorted(rows, key=lambda row: (row.get("protocol", ""), row.get("method", ""), *_identity(row)))
    buffer = io.StringIO()
    pd.DataFrame(ordered, columns=columns).to_csv(buffer, index=False, lineterminator="\n")
    return buffer.getvalue()


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def _short(cell: str, digits: int = 4) -> str:
    return rounded(float(cell), digits) if cell else ""
