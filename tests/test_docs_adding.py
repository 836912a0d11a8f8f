"""docs/adding.md is true: its files work in a copy of the repository, its tests pass, its commands do what they say.

What the examples register is registered for a whole process, so everything that imports them runs in processes of their own.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "adding.md").read_text(encoding="utf-8")
FAMILY_TESTS = ("tests/losses/test_adversarial.py", "tests/metrics/test_metric_contract.py")
"""Existing tests that take in every member of a family, and so the examples."""


@dataclass(frozen=True)
class Block:
    """A file in the document: ``path`` in the repository; ``appended`` to what is there, or new."""

    path: str
    appended: bool
    code: str


def fenced(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, flags=re.MULTILINE | re.DOTALL)


def python_blocks() -> list[Block]:
    found = []
    for block in fenced("python"):
        heading, _, code = block.partition("\n")
        match = re.fullmatch(r"# ([\w/]+\.py)(, at its end)?", heading)
        assert match, f"a Python block begins with '{heading}' and not with its file"
        found.append(Block(match[1], bool(match[2]), code))
    return found


BLOCKS = python_blocks()
SOURCES = [block.path for block in BLOCKS if block.path.startswith("ganeval/") and not block.appended]
TESTS = [block.path for block in BLOCKS if block.path.startswith("tests/")]
COMMANDS = [line for block in fenced("sh") for line in block.splitlines()]


def run(workshop: Path, *words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(workshop), "OMP_NUM_THREADS": "1", "COLUMNS": "120", **(env or {})}
    return subprocess.run(
        [sys.executable, *words], cwd=workshop, env=environment, capture_output=True, text=True, timeout=280, check=False
    )


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository with the document's files in it."""
    folder = tmp_path_factory.mktemp("workshop")
    for name in ("ganeval", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    for block in BLOCKS:
        path = folder / block.path
        before = path.read_text(encoding="utf-8") + "\n" if block.appended else ""
        path.write_text(before + block.code, encoding="utf-8")
    return folder


def table() -> Iterator[tuple[str, str, str]]:
    """(folder, contract's class, contract's file) of each row."""
    yield from re.findall(r"^\| [\w ]+ \| `([\w/]+/)` \| `(\w+)` in `([\w/]+\.py)` \|", TEXT, flags=re.MULTILINE)


def test_the_contracts_are_where_the_table_says() -> None:
    rows = list(table())
    assert len(rows) == 9
    for folder, name, file in rows:
        assert (ROOT / folder).is_dir()
        contract = getattr(importlib.import_module(file.removesuffix(".py").replace("/", ".")), name)
        assert contract.__module__.replace(".", "/") == file.removesuffix(".py")
        assert getattr(contract, "package", "") in ("", folder.rstrip("/").replace("/", "."))


def test_each_example_is_one_new_file_in_its_familys_folder_and_its_test() -> None:
    folders = {folder for folder, _, _ in table()}
    assert {os.path.dirname(path) + "/" for path in SOURCES} == folders - {"ganeval/augment/"}
    for block in BLOCKS:
        assert (ROOT / block.path).exists() is block.appended, block.path
    assert len(SOURCES) == len(TESTS) == 8
    assert [f"tests/{Path(path).parts[1]}/test_{Path(path).name}" for path in SOURCES] == TESTS


def test_the_examples_are_as_tidy_as_the_rest(workshop: Path) -> None:
    files = [*SOURCES, *TESTS]
    assert run(workshop, "-m", "ruff", "check", "--no-cache", *files).stdout.strip() == "All checks passed!"
    formatted = run(workshop, "-m", "ruff", "format", "--check", "--no-cache", *files)
    assert formatted.returncode == 0, formatted.stdout


def test_the_tests_in_the_document_pass(workshop: Path) -> None:
    done = run(workshop, "-m", "pytest", "-v", "-p", "no:cacheprovider", *TESTS, *FAMILY_TESTS)
    assert done.returncode == 0, done.stdout + done.stderr
    for block in BLOCKS:
        for name in re.findall(r"^def (test_\w+)", block.code, flags=re.MULTILINE):
            assert re.search(rf"{block.path}::{name}\S* PASSED", done.stdout), name
    assert re.search(r"test_adversarial\.py::\S+\[hellinger\] PASSED", done.stdout)


@pytest.fixture(scope="module")
def answers(workshop: Path) -> dict[str, dict[str, Any]]:
    """What the commands of the document did, by command."""
    asked = [line.removeprefix("$ ") for block in fenced("console") for line in block.splitlines() if line.startswith("$ ")]
    home = {"GANEVAL_HOME": str(workshop / "home"), "COMMANDS": json.dumps([*COMMANDS, *asked])}
    done = run(workshop, __file__, env=home)
    assert done.returncode == 0, done.stderr
    answered: dict[str, dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return answered


def parts_named_in(command: str) -> set[str]:
    """The kinds a command chooses: the values of its overrides without a dot in their key."""
    chosen = [word.partition("=") for word in command.split() if "=" in word]
    return {kind for key, _, value in chosen if "." not in key for kind in value.split(",")}


@pytest.mark.parametrize("command", [command for command in COMMANDS if " train " in command])
def test_what_was_added_trains(command: str, answers: dict[str, dict[str, Any]]) -> None:
    answer = answers[command]
    assert answer["dry_run"]["exit"] == 0, answer["dry_run"]["output"]
    recipe = json.loads(answer["dry_run"]["stdout"])["recipe"]
    kinds = {part["kind"] for part in [*recipe.values(), *recipe["regularizers"]] if isinstance(part, dict) and "kind" in part}
    assert parts_named_in(command) <= kinds
    for key, value in re.findall(r"(\S+)\.(?:weight|margin|width)=(\S+)", command):
        part = recipe[key] if key in recipe else next(p for p in recipe["regularizers"] if key.endswith(p["kind"]))
        assert float(value) in part.values()
    assert answer["step"] == 2


def test_what_was_added_scores(answers: dict[str, dict[str, Any]]) -> None:
    commands = [command for command in COMMANDS if " score " in command]
    assert len(commands) == 2
    headings = {"vendi": "Vendi-digits-cnn", "fid": "FD-pixels"}
    for command, (key, heading) in zip(commands, headings.items(), strict=True):
        assert answers[command]["exit"] == 0, answers[command]["output"]
        scores = json.loads(answers[command]["stdout"])["scores"]
        assert [(score["key"], score["column"], score["status"]) for score in scores] == [(key, heading, "ok")]
        assert scores[0]["value"] > 0
    assert "`FD-pixels`" in TEXT


def test_the_answers_in_the_document_are_the_real_ones(answers: dict[str, dict[str, Any]]) -> None:
    for block in fenced("console"):
        command, _, expected = block.removeprefix("$ ").partition("\n")
        assert answers[command]["output"] == expected


def test_every_command_is_checked() -> None:
    assert all(re.match(r"ganeval (train|score) ", command) for command in COMMANDS)
    assert len(COMMANDS) == 7


def main() -> None:
    """Run the commands in the environment variable COMMANDS in order, small, and print what they did as JSON."""
    import ganeval

    assert Path(ganeval.__file__).parents[1] == Path.cwd(), ganeval.__file__
    print(json.dumps({command: perform(command.split()[1:]) for command in json.loads(os.environ["COMMANDS"])}))


def perform(words: list[str]) -> dict[str, Any]:
    """A score is that of 64 images; a training is checked by a dry run and then done small, unless its check fails."""
    if words[0] == "score":
        return invoke([*words, "--num", "64", "--json"])
    dry_run = invoke([*words, "-n"])
    return {"dry_run": dry_run, "step": train_two_steps(words)} if dry_run["exit"] == 0 else invoke(words)


def invoke(words: list[str]) -> dict[str, Any]:
    """What the command line answers, in this process."""
    from click.testing import CliRunner

    from ganeval.cli import main as command_line

    done = CliRunner().invoke(command_line, words, prog_name="ganeval")
    return {"exit": done.exit_code, "stdout": done.stdout, "output": done.output}


def train_two_steps(words: list[str]) -> int:
    """The command's training, two steps of narrow networks; in the run folder the command has by default, if that is free."""
    from ganeval.training.loop import train
    from ganeval.training.plan import resolve

    _, method, dataset, *overrides = words
    narrow = [] if any(word.startswith("backbone") for word in overrides) else ["backbone.g_channels=2", "backbone.d_channels=2"]
    recipe, data = resolve(method, dataset, [*overrides, *narrow, "schedule.batch_size=8"])
    folder = Path("runs") / f"{method}-{dataset}-seed0"
    free = folder if not folder.exists() else Path("runs") / recipe.fingerprint()
    return train(recipe, data, free, steps=2).step


if __name__ == "__main__":
    main()
