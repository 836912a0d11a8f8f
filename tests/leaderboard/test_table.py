"""Leaderboards: rows are neither lost nor doubled, files change only where something is new, nothing incomparable is ranked."""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from ganeval.errors import UserError
from ganeval.leaderboard.table import (
    FIXED,
    LATER,
    PROVENANCE,
    add,
    brief,
    measured,
    open_table,
    ranked,
    read,
    to_markdown,
    unranked,
)
from ganeval.scorecard import Score, ScoreCard


def scores(extractor: str, fd: float | None = 1.5, top1: float | None = 0.5) -> tuple[Score, ...]:
    names = ("FID", "Top-1") if extractor == "inception" else [f"{name}-{extractor}" for name in ("FD", "Top-1")]
    return tuple(
        Score(key, name, value, None if value is None else 0.0625, None if value is None else 0.25, better, "unit",
              "ok" if value is not None else "failed: it could not")
        for key, name, value, better in (("fid", names[0], fd, "lower"), ("top1", names[1], top1, "higher"))
    )  # type: ignore[arg-type] # fmt: skip


def card(
    name: str, fd: float | None = 1.5, top1: float | None = 0.5, extractor: str = "digits-cnn", weights: str = "", **changes: Any
) -> ScoreCard:  # fmt: skip
    """A card of a checkpoint and an extractor whose hashes are functions of their names, or ``weights``."""
    recipe = {"method": name, "backbone": {"kind": "biggan"}, "conditioning": {"kind": "d2dce"}, "schedule": {"batch_size": 64}}
    source = {
        "kind": "checkpoint", "sha256": name.encode().hex().ljust(64, "0"), "step": 3000, "recipe": recipe,
        "recipe_sha256": "r" * 64, "training_seed": 7, "generator_parameters": 1_234_567,
    }  # fmt: skip
    made = ScoreCard(
        dataset="digits", resolution=16, source=source, protocol="small-v2", protocol_sha256="p" * 64,
        reference_sha256="f" * 64, extractor={"name": extractor, "sha256": weights or extractor.encode().hex(), "record": {}},
        counts={"fake": 5000, "reference": 1297, "floor": 500}, seed=0, scores=scores(extractor, fd, top1), deviations=(),
        environment={"ganeval": "1", "torch": "2", "device": "cpu", "date": "2026-01-01T00:00:00Z"}, seconds=1.0,
    )  # fmt: skip
    return replace(made, **changes)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_fact_of_a_card_has_its_cell(tmp_path: Path) -> None:
    path, new = add(tmp_path, card("reacgan"))
    assert (path, new) == (tmp_path / "measured" / "digits.csv", True)
    (row,) = rows(path)
    assert row == {
        "dataset": "digits", "resolution": "16", "method": "reacgan", "backbone": "biggan", "conditioning": "d2dce",
        "steps": "3000", "batch_size": "64", "training_seed": "7", "parameters_m": "1.23457", "protocol": "small-v2",
        "extractor": "digits-cnn", "fakes": "5000", "references": "1297", "seed": "0", "status": "ok", "deviations": "",
        "selection": "", "non_finite_updates": "",
        "FD-digits-cnn": "1.5", "FD-digits-cnn se": "0.0625", "FD-digits-cnn floor": "0.25",
        "Top-1-digits-cnn": "0.5", "Top-1-digits-cnn se": "0.0625", "Top-1-digits-cnn floor": "0.25",
        "source_sha256": b"reacgan".hex().ljust(64, "0"), "recipe_sha256": "r" * 64, "protocol_sha256": "p" * 64,
        "reference_sha256": "f" * 64, "extractor_sha256": b"digits-cnn".hex(), "ganeval": "1", "torch": "2",
        "device": "cpu", "date": "2026-01-01T00:00:00Z",
    }  # fmt: skip


def beside_the_protocol(one: ScoreCard, **parameters: Any) -> ScoreCard:
    """The same, its second value that of a metric beside the protocol."""
    beside = replace(one.scores[1], extra={"metric": "prdc", **parameters})
    return replace(one, scores=(one.scores[0], beside))


def test_what_is_not_of_the_protocol_stands_under_its_parameters(tmp_path: Path) -> None:
    one = card("one")
    path, _ = add(tmp_path, beside_the_protocol(one, k=3, comparison="less"))
    assert not add(tmp_path, beside_the_protocol(one, comparison="less", k=3))[1], "a card read from its file has its keys sorted"
    add(tmp_path, beside_the_protocol(card("one", top1=0.75), k=10, comparison="less"))
    add(tmp_path, card("two", top1=0.25))
    add(tmp_path, beside_the_protocol(card("three", top1=0.125)))
    by_name = {row["method"]: row for row in rows(path)}
    names = ("Top-1-digits-cnn (comparison=less, k=3)", "Top-1-digits-cnn (comparison=less, k=10)", "Top-1-digits-cnn")
    found = {method: [row[name] for name in names] for method, row in by_name.items()}
    assert found == {"one": ["0.5", "0.75", ""], "two": ["", "", "0.25"], "three": ["", "", "0.125"]}
    assert by_name["one"][f"{names[0]} se"] == "0.0625"
    ((_, part),) = ranked(read(path))
    assert set(names) <= set(brief(part).columns)


def test_the_failure_of_what_is_not_of_the_protocol_names_its_column_and_goes_when_it_is_filled(tmp_path: Path) -> None:
    path, _ = add(tmp_path, beside_the_protocol(card("one", top1=None), k=3))
    assert rows(path)[0]["status"] == "Top-1-digits-cnn (k=3) failed: it could not"
    add(tmp_path, beside_the_protocol(card("one"), k=3))
    assert (rows(path)[0]["status"], rows(path)[0]["Top-1-digits-cnn (k=3)"]) == ("ok", "0.5")


def test_a_folder_has_no_recipe_and_no_seed(tmp_path: Path) -> None:
    folder = card("x", source={"kind": "folder", "name": "samples", "sha256": "9" * 64}, seed=None)
    (row,) = rows(add(tmp_path, folder)[0])
    assert (row["method"], row["source_sha256"]) == ("samples", "9" * 64)
    empty = ("backbone", "conditioning", "steps", "batch_size", "training_seed", "parameters_m", "seed", "recipe_sha256")
    assert {row[name] for name in empty} == {""}


def test_adding_twice_changes_nothing(tmp_path: Path) -> None:
    path, _ = add(tmp_path, card("reacgan"))
    before = path.read_bytes()
    later = replace(card("reacgan"), environment={"date": "2027-01-01T00:00:00Z"}, seconds=9.0)
    assert add(tmp_path, later) == (path, False)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "changes",
    [{"seed": 1}, {"counts": {"fake": 4999, "reference": 1297, "floor": 0}}, {"protocol_sha256": "q" * 64},
     {"reference_sha256": "g" * 64}, {"weights": "0"}],
)  # fmt: skip
def test_another_seed_count_protocol_reference_or_extractor_is_another_row(tmp_path: Path, changes: dict[str, Any]) -> None:
    path, _ = add(tmp_path, card("reacgan"))
    assert add(tmp_path, card("reacgan", **changes))[1]
    assert len(rows(path)) == 2


def test_the_file_is_the_same_whatever_the_order_of_adding(tmp_path: Path) -> None:
    cards = [card(name, fd) for name, fd in (("b", 3.0), ("a", 2.0), ("c", 1.0))]
    for each in cards:
        path, _ = add(tmp_path / "one", each)
    for each in reversed(cards):
        other, _ = add(tmp_path / "other", each)
    assert path.read_bytes() == other.read_bytes()
    assert [row["method"] for row in rows(path)] == ["a", "b", "c"]


def test_columns_keep_their_order_and_new_ones_stand_before_the_provenance(tmp_path: Path) -> None:
    path, _ = add(tmp_path, card("b"))
    header = list(rows(path)[0])
    add(tmp_path, card("a", extractor="another-cnn"))
    wider = list(rows(path)[0])
    assert [name for name in wider if name in header] == header
    new = [f"{name}-another-cnn{kind}" for name in ("FD", "Top-1") for kind in ("", " se", " floor")]
    last = (*LATER, *PROVENANCE)
    assert wider == [*FIXED, *header[len(FIXED) : -len(last)], *new, *last]
    assert len(rows(path)) == 2


def test_a_second_card_of_other_metrics_fills_in_what_the_row_lacks(tmp_path: Path) -> None:
    whole = card("reacgan")
    path, _ = add(tmp_path, replace(whole, scores=whole.scores[:1]))
    assert "Top-1-digits-cnn" not in rows(path)[0]
    assert add(tmp_path, replace(whole, scores=whole.scores[1:]))[1]
    (row,) = rows(path)
    assert (row["FD-digits-cnn"], row["Top-1-digits-cnn"], row["status"]) == ("1.5", "0.5", "ok")
    assert not add(tmp_path, whole)[1]
    assert not add(tmp_path, replace(whole, scores=scores("digits-cnn", 99.0, 0.9)))[1]
    assert rows(path) == [row]


def test_a_failed_metric_is_an_empty_cell_and_its_reason_stands_in_the_status(tmp_path: Path) -> None:
    path, _ = add(tmp_path, card("reacgan", top1=None))
    (row,) = rows(path)
    assert [row[f"Top-1-digits-cnn{kind}"] for kind in ("", " se", " floor")] == ["", "", ""]
    assert row["status"] == "Top-1-digits-cnn failed: it could not"
    assert row["FD-digits-cnn"] == "1.5"
    ((_, part),) = ranked(read(path))
    assert brief(part)["FD-digits-cnn"].tolist() == ["1.5 ± 0.062", "0.25"]
    assert "Top-1-digits-cnn" not in brief(part)


def test_ranks_are_by_distance_ties_share_one_and_the_incomparable_have_none(tmp_path: Path) -> None:
    for name, fd, deviations in (
        ("worst", 9.0, ()), ("best", 1.0, ()), ("tied", 2.0, ()), ("also tied", 2.0, ()), ("failed", None, ()),
        ("fewer", 0.5, ("300 images instead of 5,000",)),
    ):  # fmt: skip
        add(tmp_path, card(name, fd, deviations=deviations))
    ((_, part),) = ranked(open_table(tmp_path, "digits"))
    found = dict(zip(part["method"], part["rank"], strict=True))
    assert found == {"best": "1", "tied": "2", "also tied": "2", "worst": "4", "fewer": "", "failed": ""}
    assert part["method"].tolist()[0] == "best"
    assert set(part["method"].tolist()[-2:]) == {"fewer", "failed"}


def test_where_nothing_can_be_ranked_the_table_is_shown_all_the_same(tmp_path: Path) -> None:
    add(tmp_path, card("fewer", deviations=("300 images instead of 5,000",)))
    ((_, part),) = ranked(open_table(tmp_path, "digits"))
    assert part["rank"].tolist() == [""]
    assert brief(part)["method"].tolist() == ["fewer", "held-out real"]


@pytest.mark.parametrize(
    "changes",
    [{"protocol": "small-v3", "protocol_sha256": "q" * 64}, {"protocol_sha256": "q" * 64}, {"extractor": "inception"},
     {"weights": "0"}, {"reference_sha256": "g" * 64}, {"resolution": 32}],
)  # fmt: skip
def test_what_differs_in_protocol_extractor_or_reference_is_ranked_apart(tmp_path: Path, changes: dict[str, Any]) -> None:
    path, _ = add(tmp_path, card("one", 1.0))
    add(tmp_path, card("other", 2.0, **changes))
    add(tmp_path, card("again", 3.0))
    parts = {tuple(sorted(zip(part["method"], part["rank"], strict=True))) for _, part in ranked(read(path))}
    assert parts == {(("again", "2"), ("one", "1")), (("other", "1"),)}


def test_rows_without_a_rank_say_why(tmp_path: Path, ganeval: Callable[..., Result]) -> None:
    add(tmp_path, card("best"))
    add(tmp_path, card("fewer", deviations=("300 images instead of 5,000", "images without labels")))
    add(tmp_path, card("failed", None))
    ((_, part),) = ranked(open_table(tmp_path, "digits"))
    said = [
        "not ranked: fewer: 300 images instead of 5,000; images without labels",
        "not ranked: failed: it lacks the value that ranks",
    ]
    assert unranked(part) == said
    for verb in ("show",), ("export", "--format", "markdown"):
        lines = ganeval("leaderboard", *verb, "digits", "--root", tmp_path).stdout.splitlines()
        assert [line for line in lines if line.startswith("not ranked")] == said


def test_parts_that_differ_in_the_reference_alone_have_titles_of_their_own(tmp_path: Path) -> None:
    add(tmp_path, card("one"))
    ((alone, _),) = ranked(open_table(tmp_path, "digits"))
    add(tmp_path, card("other", reference_sha256="g" * 64))
    add(tmp_path, card("large", resolution=32))
    titles = {title for title, _ in ranked(open_table(tmp_path, "digits"))}
    assert titles == {f"{alone}, reference ffffffff", f"{alone}, reference gggggggg", alone.replace("16 px", "32 px")}


def test_the_seeds_of_samples_are_shown_where_they_differ(tmp_path: Path) -> None:
    add(tmp_path, card("one"))
    ((_, part),) = ranked(open_table(tmp_path, "digits"))
    assert "seed" not in brief(part)
    add(tmp_path, card("one", 2.0, seed=1))
    ((_, part),) = ranked(open_table(tmp_path, "digits"))
    assert brief(part)["seed"].tolist() == ["0", "1", ""]


def test_a_part_has_no_columns_of_other_extractors(tmp_path: Path) -> None:
    add(tmp_path, card("one"))
    add(tmp_path, card("other", extractor="inception"))
    shown = {title.split()[3]: set(brief(part)) for title, part in ranked(open_table(tmp_path, "digits"))}
    assert {name for name in shown["inception"] if name.startswith(("F", "T"))} == {"FID", "Top-1"}
    assert {name for name in shown["digits-cnn"] if name.startswith(("F", "T"))} == {"FD-digits-cnn", "Top-1-digits-cnn"}


def test_inception_under_another_resize_is_ranked_by_its_own_distance(tmp_path: Path) -> None:
    for name, distance in (("worse", 2.0), ("better", 1.0)):
        named = [
            replace(score, column=score.column.replace("FD-inception-", "FID-")) for score in scores("inception-clean", distance)
        ]
        add(tmp_path, card(name, extractor="inception-clean", scores=tuple(named)))
    ((_, part),) = ranked(open_table(tmp_path, "digits"))
    assert dict(zip(part["method"], part["rank"], strict=True)) == {"better": "1", "worse": "2"}
    assert list(part["FID-clean"]) == ["1", "2"]


def test_without_a_floor_there_is_no_row_of_real_images(tmp_path: Path) -> None:
    bare = card("one")
    add(tmp_path, replace(bare, scores=tuple(replace(score, floor=None) for score in bare.scores)))
    ((_, part),) = ranked(open_table(tmp_path, "digits"))
    assert brief(part)["method"].tolist() == ["one"]


def test_the_floor_is_found_in_whichever_row_has_it(tmp_path: Path) -> None:
    best, second = card("best", 1.0), card("second", 2.0)
    add(tmp_path, replace(best, scores=best.scores[:1]))
    add(tmp_path, second)
    ((_, part),) = ranked(open_table(tmp_path, "digits"))
    assert brief(part)["Top-1-digits-cnn"].tolist() == ["", "0.5 ± 0.062", "0.25"]


def test_markdown_has_one_line_per_row_and_no_cell_breaks_it() -> None:
    import pandas as pd

    text = to_markdown(pd.DataFrame([{"method": "a|b", "FD": "1"}, {"method": "c", "FD": ""}]))
    assert text == "| method | FD |\n| --- | --- |\n| a/b | 1 |\n| c |  |\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "cannot be read as a CSV table"), ("a,b\n1\n", "is not a leaderboard: it has no column dataset"),
     ('"', "cannot be read as a CSV table"), ("\x00\xff", "is not a leaderboard")],
)  # fmt: skip
def test_a_file_that_is_no_leaderboard_is_refused_and_left_alone(tmp_path: Path, text: str, said: str) -> None:
    path = measured(tmp_path, "digits")
    path.parent.mkdir()
    path.write_text(text)
    for attempt in (lambda: add(tmp_path, card("one")), lambda: open_table(tmp_path, "digits")):
        with pytest.raises(UserError, match=said):
            attempt()
    assert path.read_text() == text


@pytest.mark.parametrize("wrong", ["good", "nan", "1,5"])
def test_a_value_that_is_no_number_is_named(tmp_path: Path, wrong: str) -> None:
    path, _ = add(tmp_path, card("one"))
    add(tmp_path, card("two", 2.0))
    first, second = path.read_text().split(",ok,,2,")
    path.write_text(f'{first},ok,,"{wrong}",{second}')
    with pytest.raises(UserError, match=f"row 2 has '{wrong}' under FD-digits-cnn: a value is a number or empty"):
        open_table(tmp_path, "digits")


EIGHT_PROCESSES = """
import json, multiprocessing, sys
from pathlib import Path
import pandas
from ganeval.leaderboard.table import add
from ganeval.scorecard import Score, ScoreCard

fork = multiprocessing.get_context("fork")
ready, added = fork.Barrier(8), fork.Value("i", 0)

def work(cards):
    ready.wait()
    for card in cards:
        card = ScoreCard(**{**card, "scores": tuple(Score(**score) for score in card["scores"])})
        _, new = add(Path(sys.argv[1]), card)
        with added.get_lock():
            added.value += new

processes = [fork.Process(target=work, args=(cards,)) for cards in json.load(sys.stdin)]
for process in processes:
    process.start()
for process in processes:
    process.join()
print(added.value)
sys.exit(sum(process.exitcode != 0 for process in processes))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks, to import pandas once")
def test_eight_processes_at_once_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    shared = card("shared", 50.0)
    own = [[card(f"{worker}-{number}", worker + number / 8) for number in range(5)] for worker in range(8)]
    cards = json.dumps([[dataclasses.asdict(each) for each in (*cards, shared)] for cards in own])
    words = [sys.executable, "-c", EIGHT_PROCESSES, str(tmp_path / "together")]
    done = subprocess.run(words, input=cards, stdout=subprocess.PIPE, text=True, check=True)
    assert int(done.stdout) == 8 * 5 + 1
    for each in (*(each for cards in own for each in cards), shared):
        alone, _ = add(tmp_path / "alone", each)
    together = measured(tmp_path / "together", "digits")
    assert together.read_bytes() == alone.read_bytes()
    assert len(rows(together)) == 41
    assert sorted(path.name for path in together.parent.iterdir() if not path.name.endswith(".lock")) == ["digits.csv"]


def test_exported_csv_is_the_file(ganeval: Callable[..., Result], tmp_path: Path) -> None:
    add(tmp_path, card("two, with a comma", 2.0, top1=None))
    path, _ = add(tmp_path, card("one", 1.0))
    done = ganeval("leaderboard", "export", "digits", "--root", tmp_path)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.encode() == path.read_bytes()


def test_exported_markdown_is_a_table_per_ranking(ganeval: Callable[..., Result], tmp_path: Path) -> None:
    add(tmp_path, card("one", 1.0))
    add(tmp_path, card("two", 2.0))
    add(tmp_path, card("three", 3.0, extractor="inception"))
    done = ganeval("leaderboard", "export", "digits", "--format", "markdown", "--root", tmp_path)
    assert done.stdout == (
        "**digits: small-v2 (pppppppp) on digits-cnn (64696769), 16 px**\n\n"
        "| rank | method | steps | training_seed | fakes | FD-digits-cnn | Top-1-digits-cnn |\n"
        "| --- | --- | --- | --- | --- | --- | --- |\n"
        "| 1 | one | 3000 | 7 | 5000 | 1 ± 0.062 | 0.5 ± 0.062 |\n"
        "| 2 | two | 3000 | 7 | 5000 | 2 ± 0.062 | 0.5 ± 0.062 |\n"
        "|  | held-out real |  |  |  | 0.25 | 0.25 |\n\n"
        "**digits: small-v2 (pppppppp) on inception (696e6365), 16 px**\n\n"
        "| rank | method | steps | training_seed | fakes | FID | Top-1 |\n"
        "| --- | --- | --- | --- | --- | --- | --- |\n"
        "| 1 | three | 3000 | 7 | 5000 | 3 ± 0.062 | 0.5 ± 0.062 |\n"
        "|  | held-out real |  |  |  | 0.25 | 0.25 |\n\n"
    )


def test_a_table_from_before_the_later_columns_is_read_and_grows_them(tmp_path: Path) -> None:
    path, _ = add(tmp_path, card("one"))
    old = [{name: cell for name, cell in row.items() if name not in LATER} for row in rows(path)]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(old[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(old)
    assert read(path)["selection"].tolist() == [""]
    assert add(tmp_path, card("one")) == (path, False)
    best = card("one")
    add(tmp_path, replace(best, source={**best.source, "selection": "best", "non_finite": {"skipped": 2}}))
    (row,) = rows(path)
    assert (row["selection"], row["non_finite_updates"]) == ("best", "2 skipped")


def test_the_same_checkpoint_as_best_and_as_last_makes_two_rows(tmp_path: Path) -> None:
    for selection in ("best", "last", "best"):
        one = card("one")
        path, _ = add(tmp_path, replace(one, source={**one.source, "selection": selection}))
    assert [row["selection"] for row in rows(path)] == ["best", "last"]
    assert add(tmp_path, card("one"))[1] is False
    assert "selection" in brief(read(path))
