"""Score cards in files become rows: 'ganeval leaderboard add'."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from ganeval.checkpoints import canonical_json
from ganeval.errors import UserError
from ganeval.leaderboard.cards import read_card
from ganeval.leaderboard.table import read
from ganeval.scoring import score


@pytest.fixture(scope="module")
def card_file(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cards") / "card.json"
    path.write_text(canonical_json(score(tiny_run, num=20, metrics=["fid"]).to_json()))
    return path


def test_a_card_added_from_its_file_is_the_row_that_score_writes(
    ganeval: Callable[..., Result], card_file: Path, tiny_run: Path, tmp_path: Path
) -> None:
    later, at_once = tmp_path / "later", tmp_path / "at-once"
    added = ganeval("leaderboard", "add", card_file, "--root", later)
    assert (added.exit_code, added.stdout) == (0, f"wrote the row to {later / 'measured' / 'digits.csv'}\n")
    assert ganeval("score", tiny_run, "--num", 20, "--metrics", "fid", "--leaderboard", at_once).exit_code == 0
    tables = [read(root / "measured" / "digits.csv").drop(columns="date") for root in (later, at_once)]
    assert tables[0].equals(tables[1])
    again = ganeval("leaderboard", "add", card_file, "--root", later)
    assert again.stdout == f"the row is already in {later / 'measured' / 'digits.csv'}\n"


def test_nothing_is_added_unless_every_card_can_be_read(ganeval: Callable[..., Result], card_file: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    refused = ganeval("leaderboard", "add", card_file, broken, "--root", tmp_path / "boards")
    assert refused.exit_code == 2
    assert refused.stderr == f"ganeval: {broken} is no JSON file: give score cards written by 'ganeval score --out'\n"
    assert not (tmp_path / "boards").exists()


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[]", b"{}", b'{"kind": "scorecard", "format": 99}'])
def test_other_files_are_refused_by_name(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match=str(path)):
        read_card(path)


def test_a_card_with_a_missing_field_is_refused(card_file: Path, tmp_path: Path) -> None:
    content = json.loads(card_file.read_text())
    del content["protocol_sha256"]
    path = tmp_path / "card.json"
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match="protocol_sha256"):
        read_card(path)
