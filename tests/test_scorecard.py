"""The score card as JSON: nothing is lost on the way there and back, and nothing foreign is taken for one."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganeval.checkpoints import canonical_json
from ganeval.errors import UserError
from ganeval.scorecard import OK, ClassScores, Interval, Score, ScoreCard, rounded

CARD = ScoreCard(
    dataset="digits",
    resolution=16,
    source={"kind": "folder", "name": "samples", "sha256": "a" * 64},
    protocol="small-v2",
    protocol_sha256="b" * 64,
    reference_sha256="c" * 64,
    extractor={"name": "digits-cnn", "sha256": "d" * 64, "resize": "none", "record": {"test_accuracy": 0.998}},
    counts={"fake": 500, "reference": 1297, "floor": 0},
    seed=None,
    scores=(
        Score("fid", "FD-digits-cnn", 1.5, 0.25, None, "lower", "squared feature distance"),
        Score("top1", "Top-1-digits-cnn", None, None, None, "higher", "fraction", "failed: other classes"),
    ),
    deviations=("500 images instead of 5,000",),
    environment={"torch": "2", "date": "2026-01-01T00:00:00Z"},
    seconds=1.0,
)

PLAIN: dict[str, Any] = json.loads(canonical_json(CARD.to_json()))
"""The card as it is read from a file."""

number = st.floats(allow_nan=False, allow_infinity=False)
finite = st.none() | number
intervals = st.none() | st.builds(Interval, number, number, number, st.text())
extras = st.none() | st.fixed_dictionaries({"metric": st.text(), "points": st.integers()})
scores = st.builds(
    Score, st.text(), st.text(), finite, finite, finite, st.sampled_from(["lower", "higher"]), st.text(), st.text(), intervals,
    extras,
)  # fmt: skip
classes = st.builds(
    ClassScores, st.integers(), st.text(), st.integers(), st.integers(), *[finite] * 5, st.none() | st.text(), finite
)  # fmt: skip


@given(
    st.lists(scores).map(tuple),
    st.none() | st.integers(0),
    st.lists(st.text()).map(tuple),
    st.lists(classes, max_size=3).map(tuple),
)
def test_there_and_back(
    found: tuple[Score, ...], seed: int | None, deviations: tuple[str, ...], per_class: tuple[ClassScores, ...]
) -> None:
    card = ScoreCard(**{**vars(CARD), "scores": found, "seed": seed, "deviations": deviations, "per_class": per_class})
    text = canonical_json(card.to_json())
    assert ScoreCard.from_json(json.loads(text)) == card
    assert canonical_json(ScoreCard.from_json(json.loads(text)).to_json()) == text


def test_the_plain_card_is_a_card() -> None:
    assert ScoreCard.from_json(PLAIN) == CARD


def test_a_card_of_the_first_format_is_read() -> None:
    old = {key: item for key, item in PLAIN.items() if key != "per_class"} | {"format": 1}
    old["scores"] = [{key: item for key, item in score.items() if key not in ("interval", "extra")} for score in old["scores"]]
    assert ScoreCard.from_json(old) == CARD
    assert ScoreCard.from_json(old).to_json()["format"] == 2
    assert {(score.interval, score.extra) for score in ScoreCard.from_json(old).scores} == {(None, None)}


def test_failed_scores_are_null_in_json_and_listed() -> None:
    assert [score["value"] for score in CARD.to_json()["scores"]] == [1.5, None]
    assert [score.key for score in CARD.failed] == ["top1"]
    assert CARD["fid"].status == OK


def test_a_score_is_found_by_its_key_and_by_its_column() -> None:
    assert CARD["fid"] is CARD["FD-digits-cnn"] is CARD.scores[0]
    with pytest.raises(KeyError):
        CARD["FID"]


@pytest.mark.parametrize(
    "content",
    [None, [], "scorecard", 3, {}, {"kind": "scorecard"}, {"kind": "gan", "format": 1}, {"scores": []},
     {**PLAIN, "kind": "features"}, {**PLAIN, "format": 3}],
)  # fmt: skip
def test_foreign_json_is_refused(content: Any) -> None:
    with pytest.raises(UserError, match="not a"):
        ScoreCard.from_json(content)


@pytest.mark.parametrize(
    "change",
    [{"seed": "0"}, {"scores": {}}, {"scores": [{"key": "fid"}]}, {"counts": {"fake": "many"}}, {"deviations": "none"},
     {"resolution": 16.5}, {"extra": 1}, {"scores": [{**PLAIN["scores"][0], "better": "sideways"}]}],
)  # fmt: skip
def test_a_card_with_something_wrong_in_it_is_refused_in_one_line(change: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="not a valid scorecard: ") as caught:
        ScoreCard.from_json({**PLAIN, **change})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("field", sorted(set(PLAIN) - {"kind", "format", "per_class", "left_out"}))
def test_a_card_with_something_missing_is_refused(field: str) -> None:
    with pytest.raises(UserError, match="not a valid scorecard: "):
        ScoreCard.from_json({name: value for name, value in PLAIN.items() if name != field})


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(0.114321, 4, "0.1143"), (150676.4, 4, "150676"), (9999.7, 4, "10000"), (99.7, 2, "100"), (2.96, 2, "3"), (0, 2, "0"),
     (-0.02331, 3, "-0.0233"), (0.000152, 4, "0.000152")],
)  # fmt: skip
def test_rounding_keeps_every_digit_before_the_point(value: float, digits: int, text: str) -> None:
    assert rounded(value, digits) == text


@given(st.floats(-1e12, 1e12), st.integers(1, 6))
def test_rounding_is_close_and_never_an_exponent_of_a_large_number(value: float, digits: int) -> None:
    text = rounded(value, digits)
    assert math.isclose(float(text), value, rel_tol=0.51 * 10 ** (1 - digits), abs_tol=0)
    assert "e+" not in text
