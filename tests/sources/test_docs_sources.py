"""docs/sources.md names what there is."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
from click.testing import Result

from ganeval.cli import main
from ganeval.data.images import OTHER_SUFFIXES
from ganeval.sources.zip import LARGEST

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "sources.md").read_text(encoding="utf-8")


def test_every_option_in_the_text_exists() -> None:
    known = {
        option
        for name in ("score", "ref")
        for parameter in main.commands[name].params
        if isinstance(parameter, click.Option)
        for option in parameter.opts
    }
    named = set(re.findall(r"--[a-z][a-z-]*", TEXT))
    assert named <= known
    assert {"--save-images", "--save-features", "--reference", "--label-count", "--z-dim", "--dataset"} <= named


def test_the_numbers_in_the_text_are_the_codes() -> None:
    assert f"{LARGEST // 2**20} MiB" in TEXT
    assert all(suffix in OTHER_SUFFIXES for suffix in (".gif", ".avif", ".heic"))


def test_the_help_of_score_names_every_kind(ganeval: Callable[..., Result]) -> None:
    text = ganeval("score", "--help").stdout
    for words in (
        "checkpoint folder, run",
        ".pth",
        "folder, .zip",
        ".npz with arr_0 or images",
        "--save-features",
        ".npz with mu and sigma",
    ):
        assert words in text


def test_the_arrays_of_a_reference_are_those_in_the_text(ganeval: Callable[..., Result], tmp_path: Path) -> None:
    assert ganeval("ref", "digits", "--out", tmp_path / "digits.npz").exit_code == 0
    with np.load(tmp_path / "digits.npz", allow_pickle=False) as file:
        assert re.findall(r"^\| `(\w+)` \|", TEXT, flags=re.M) == file.files
