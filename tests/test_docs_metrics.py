"""docs/metrics.md is complete: every key, its range, direction, needs and smallest number are those of the code."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from ganeval.metrics.base import METRICS, Metric, Value

TEXT = (Path(__file__).resolve().parents[1] / "docs" / "metrics.md").read_text(encoding="utf-8")
VALUES = [(metric, value) for _, metric in METRICS for value in metric.values]


def row_of(key: str) -> list[str]:
    """The cells of the table's row that has ``key`` in its first."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in TEXT.splitlines() if line.startswith("| `")]
    (found,) = [row for row in rows if len(row) == 6 and f"`{key}`" in row[0]]
    return found


@pytest.mark.parametrize(("metric", "value"), VALUES, ids=lambda each: getattr(each, "key", ""))
def test_the_table_says_what_the_code_does(metric: Metric, value: Value) -> None:
    _, _, extent, better, needs, least = row_of(value.key)
    assert better == value.better
    assert set(needs.replace(" on both sides", "").split(", ")) == metric.needs
    low, high = ({"∞": "inf"}.get(end, end) for end in re.match(r"(?:about )?(\d) … (\S+)", extent).groups())
    if extent.startswith("about"):
        assert value.bounds == (-math.inf, math.inf)
    else:
        assert value.bounds[0] == float(low)
        assert value.bounds[1] == (math.inf if high == "K" else float(high))
    if least.isdigit():
        assert int(least) == metric.minimum


@pytest.mark.parametrize(("metric", "value"), VALUES, ids=lambda each: getattr(each, "key", ""))
def test_the_uncertainty_is_the_one_in_the_table(metric: Metric, value: Value) -> None:
    rows = [line for line in TEXT.splitlines() if line.startswith(("| `wilson`", "| `jackknife`", "| `jackknife and own draws`"))]
    (row,) = [row for row in rows if f"`{value.key.partition('_')[0] if value.key.startswith('am_') else value.key}`" in row]
    assert row.startswith("| `wilson`") is value.proportion


def test_every_metric_has_its_bias_and_its_cost() -> None:
    sections = [part for part in TEXT.split("\n## ") if "**Cost**" in part]
    assert len(sections) == 10
    assert all("**Bias**" in section for section in sections)
    assert all(any(f"`{value.key}`" in section for section in sections) or value.key in TEXT for _, value in VALUES)
