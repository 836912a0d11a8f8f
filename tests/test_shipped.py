"""What comes with the repository: the trained checkpoint, its row, its picture, and the README's figures."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from ganeval.scorecard import ScoreCard
from ganeval.scoring import score

ROOT = Path(__file__).resolve().parents[1]
CHECKPOINT = ROOT / "checkpoints" / "reacgan-digits"
CARDS = json.loads((ROOT / "benchmarks" / "results" / "demo.json").read_text())


@pytest.fixture(scope="module")
def card() -> ScoreCard:
    return score(CHECKPOINT, device="cpu")


def test_the_shipped_checkpoint_is_small() -> None:
    assert sum(path.stat().st_size for path in CHECKPOINT.iterdir()) < 2_000_000


def test_it_scores_what_the_demo_scored(card: ScoreCard) -> None:
    """Another CPU may round a few pixels the other way: far less than the standard error."""
    kept = {entry["column"]: entry for entry in CARDS["trained"]["scores"]}
    assert card.source["sha256"] == CARDS["trained"]["source"]["sha256"]
    assert card.protocol_sha256 == CARDS["trained"]["protocol_sha256"]
    assert [entry.column for entry in card.scores] == list(kept)
    for entry in card.scores:
        assert entry.value == pytest.approx(kept[entry.column]["value"], rel=2e-3, abs=1e-4), entry.column
        assert entry.floor == pytest.approx(kept[entry.column]["floor"], rel=1e-3, abs=1e-4), entry.column


def test_the_classes_are_right_and_the_distance_is_small(card: ScoreCard) -> None:
    untrained = ScoreCard.from_json(CARDS["untrained"])
    assert card["top1"].value >= 0.90  # type: ignore[operator]
    assert card["fid"].value < 0.05 * untrained["fid"].value  # type: ignore[operator]
    assert card["fid"].value > card["fid"].floor  # type: ignore[operator]


def test_the_leaderboard_has_its_row(card: ScoreCard) -> None:
    table = pd.read_csv(ROOT / "leaderboards" / "measured" / "digits.csv", dtype=str, keep_default_na=False)
    row = table[table["source_sha256"] == card.source["sha256"]]
    assert len(row) == 1
    assert float(row["FD-digits-cnn"].iloc[0]) == pytest.approx(card["fid"].value, rel=2e-3)


def test_the_readme_says_what_the_kept_cards_say() -> None:
    script = ROOT / "benchmarks" / "readme_figures.py"
    assert subprocess.run([sys.executable, script, "--check"], check=False).returncode == 0
    table = runpy.run_path(str(script))["figures"](CARDS)
    assert f"{CARDS['trained']['source']['step']:,} steps" in table
