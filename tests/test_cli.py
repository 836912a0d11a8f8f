"""The command line as a shell sees it: real processes, exit statuses, what is on stdout and what on stderr."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from click.testing import Result

from ganeval.cli import main


def verbs(command: click.Command, words: str = "") -> Iterator[str]:
    """The words that lead to every command, groups included."""
    yield words
    for name, below in (command.commands if isinstance(command, click.Group) else {}).items():
        yield from verbs(below, f"{words} {name}".strip())


HELP = list(verbs(main))
HEAVY = ("torch", "torchvision", "scipy", "numpy", "pandas", "sklearn", "matplotlib", "rich", "PIL")


def shell(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "ganeval", *map(str, words)], capture_output=True, text=True, check=False)


class CreatesAFile:
    """A pickle that runs a command when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


def test_help_answers_within_half_a_second() -> None:
    def seconds() -> float:
        began = time.perf_counter()
        assert shell("--help").returncode == 0
        return time.perf_counter() - began

    assert min(seconds() for _ in range(5)) <= 0.5


def test_no_help_imports_anything_heavy() -> None:
    script = f"""
import sys
from ganeval.cli import main
for words in {HELP!r}:
    main([*words.split(), "--help"], standalone_mode=False)
print(*(name for name in {HEAVY!r} if name in sys.modules), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.count("Usage: ") == len(HELP) >= 10
    assert done.stderr.split() == []


@pytest.mark.parametrize("words", HELP)
def test_every_help_fits_80_columns_and_cuts_no_sentence(ganeval: Callable[..., Result], words: str) -> None:
    done = ganeval(*words.split(), "--help")
    usage, *lines = done.stdout.splitlines()
    assert (done.exit_code, done.stderr) == (0, "")
    assert max(map(len, [usage, *lines])) <= 80
    assert not [line for line in lines if line.endswith("...")]


def test_every_option_is_explained() -> None:
    def options(command: click.Command) -> Iterator[click.Option]:
        yield from (option for option in command.params if isinstance(option, click.Option))
        for below in command.commands.values() if isinstance(command, click.Group) else ():
            yield from options(below)

    assert len(list(options(main))) > 25
    assert [option.name for option in options(main) if not option.help] == []


def test_the_version_is_the_packages(ganeval: Callable[..., Result]) -> None:
    from ganeval import __version__

    assert ganeval("--version").stdout == f"ganeval, version {__version__}\n"


def test_a_score_as_json_is_all_there_is_on_stdout(tiny_run: Path) -> None:
    done = shell("score", tiny_run, "--num", "250", "--metrics", "fid,top1", "--json")
    card = json.loads(done.stdout)
    assert done.returncode == 0
    assert done.stderr == ""
    assert [score["column"] for score in card["scores"]] == ["FD-digits-cnn", "Top-1-digits-cnn"]
    assert all(score["status"] == "ok" for score in card["scores"])


def test_training_prints_the_checkpoint_and_talks_on_stderr(
    ganeval: Callable[..., Result], tiny_run: Path, tmp_path: Path
) -> None:
    recipe = json.loads((tiny_run / "recipe.json").read_text())
    keys = ("backbone.g_channels", "backbone.d_channels", "conditioning.embed_dim", "schedule.batch_size")
    tiny = [f"{key}={recipe[part][name]}" for key in keys for part, _, name in [key.partition(".")]]
    done = ganeval("train", "reacgan", "digits", *tiny, "--steps", "2", "--out", tmp_path / "run")
    checkpoint = tmp_path / "run" / "checkpoints" / "step-00000002"
    assert (done.exit_code, done.stdout) == (0, f"{checkpoint}\n")
    assert "step 2/2" in done.stderr
    assert (checkpoint / "manifest.json").is_file()
    assert (checkpoint / "ema.safetensors").read_bytes() == (
        tiny_run / "checkpoints" / checkpoint.name / "ema.safetensors"
    ).read_bytes()
    before = {path: path.stat().st_mtime_ns for path in checkpoint.iterdir()}
    again = ganeval("train", "reacgan", "digits", *tiny, "--steps", "2", "--out", tmp_path / "run")
    assert (again.exit_code, again.stdout) == (0, f"{checkpoint}\n")
    assert {path: path.stat().st_mtime_ns for path in checkpoint.iterdir()} == before


def test_a_grid_of_samples_is_a_picture_that_repeats_itself(
    ganeval: Callable[..., Result], tiny_run: Path, tmp_path: Path
) -> None:
    from PIL import Image

    done = ganeval("sample", tiny_run, "--grid", "3x5", "--out", tmp_path / "new" / "grid.png")
    assert (done.exit_code, done.stdout, done.stderr) == (0, f"{tmp_path / 'new' / 'grid.png'}\n", "")
    with Image.open(tmp_path / "new" / "grid.png") as picture:
        width, height = picture.size
    assert (width * 92, width % 56) == (height * 56, 0)  # 3 columns and 5 rows of 16 pixels, with gaps of 2
    for name, seed in (("again", 0), ("other", 1)):
        assert ganeval("sample", tiny_run, "--grid", "3x5", "--seed", seed, "--out", tmp_path / f"{name}.png").exit_code == 0
    pictures = [(tmp_path / name).read_bytes() for name in ("new/grid.png", "again.png", "other.png")]
    assert pictures[0] == pictures[1] != pictures[2]


def test_a_mistake_is_one_line_on_stderr_and_status_2() -> None:
    done = shell("train", "reacgann", "digits")
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("ganeval: unknown recipe 'reacgann': did you mean reacgan")


def test_debug_shows_the_traceback_behind_the_line(ganeval: Callable[..., Result]) -> None:
    done = ganeval("--debug", "train", "reacgann", "digits")
    assert done.exit_code == 2
    assert done.stderr.startswith("Traceback (most recent call last):")
    assert done.stderr.splitlines()[-1].startswith("ganeval: unknown recipe 'reacgann'")


@pytest.mark.parametrize("verb", ["score", "sample"])
@pytest.mark.parametrize("inside", [False, True])
def test_a_malicious_pickle_is_refused_and_not_executed(
    ganeval: Callable[..., Result], tmp_path: Path, verb: str, inside: bool
) -> None:
    trace = tmp_path / "executed"
    pickled = tmp_path / ("folder/model=G-best.pth" if inside else "checkpoint.pth")
    pickled.parent.mkdir(exist_ok=True)
    pickled.write_bytes(pickle.dumps(CreatesAFile(trace)))
    rest = ["--out", tmp_path / "grid.png"] if verb == "sample" else []
    done = ganeval(verb, pickled.parent if inside else pickled, *rest)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "not a checkpoint" in done.stderr if verb == "sample" and inside else str(pickled.parent) in done.stderr
    assert not trace.exists()
    assert not (tmp_path / "grid.png").exists()
    pickle.loads(pickled.read_bytes())  # The bait was live.
    assert trace.exists()


def test_a_reader_that_goes_away_is_no_error() -> None:
    readable, writable = os.pipe()
    os.close(readable)
    done = subprocess.run(
        [sys.executable, "-m", "ganeval", "ls", "metrics"], stdout=writable, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writable)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_is_written_is_written_where_nobody_reads_what_is_printed(tiny_run: Path, tmp_path: Path) -> None:
    card, table = tmp_path / "card.json", tmp_path / "classes.csv"
    words = ("score", tiny_run, "--num", "60", "--metrics", "fid", "--out", card, "--leaderboard", tmp_path, "--per-class", table)
    readable, writable = os.pipe()
    os.close(readable)
    done = subprocess.run(
        [sys.executable, "-m", "ganeval", *map(str, words)], stdout=writable, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writable)
    assert done.returncode == 0, done.stderr
    assert json.loads(card.read_text())["kind"] == "scorecard"
    assert table.exists()
    assert (tmp_path / "measured" / "digits.csv").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the device is Linux's")
@pytest.mark.parametrize("words", [("ls", "metrics"), ("protocol", "diff", "clean-fid", "ttur")])
def test_a_full_disk_behind_stdout_is_one_line(words: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "ganeval", *words]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("ganeval: no space left on device")


def test_a_tilde_is_the_home_folder_also_where_the_shell_left_it(
    ganeval: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = tmp_path / "here", tmp_path / "home"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("HOME", str(there))
    monkeypatch.setenv("GANEVAL_HOME", "~/kept")
    assert ganeval("ref", "digits", "--out=~/digits.npz").exit_code == 0
    assert (there / "digits.npz").is_file()
    assert (there / "kept").is_dir()
    assert list(here.iterdir()) == []


def test_what_stdout_cannot_encode_is_escaped() -> None:
    env = {**os.environ, "PYTHONIOENCODING": "ascii"}
    root = Path(__file__).parents[1] / "leaderboards"
    words = [sys.executable, "-m", "ganeval", "leaderboard", "show", "digits", "--root", str(root)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert "1.121 \\xb1 0.023" in done.stdout


def test_an_interrupt_is_not_a_failed_metric(ganeval: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ganeval.scoring.score", interrupted)
    done = ganeval("score", "anything")
    assert (done.exit_code, done.stdout, done.stderr) == (130, "", "ganeval: interrupted\n")


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("recipes", "reacgan digits"),
        ("datasets", "digits ready: 10 classes, 1 x 16 px, train 1,297, test 500"),
        ("protocols", "small-v2 "),
        ("metrics", "fid ↓ FID, elsewhere FD-<extractor>"),
        ("extractors", "digits-cnn a classifier of the dataset digits"),
    ],
)
def test_ls_says_in_one_line_what_each_thing_is(ganeval: Callable[..., Result], kind: str, said: str) -> None:
    done = ganeval("ls", kind)
    assert (done.exit_code, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert any(" ".join(line.split()).startswith(said) for line in lines)
    starts = {len(line) - len(line.partition("  ")[2].lstrip()) for line in lines}
    assert len(starts) == 1  # The second column of every line begins in the same place.
    assert "`" not in done.stdout


def test_a_dry_run_prints_the_resolved_recipe_and_writes_nothing(
    ganeval: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = ganeval("train", "reacgan", "digits", "conditioning.temperature=0.25", "-n")
    plan = json.loads(done.stdout)
    assert (done.exit_code, done.stderr) == (0, "")
    assert plan["recipe"]["conditioning"]["temperature"] == 0.25
    assert (plan["dataset"]["images"], plan["dataset"]["classes"], plan["dataset"]["resolution"]) == (1297, 10, 16)
    schedule = plan["recipe"]["schedule"]
    assert plan["images_seen"] == schedule["steps"] * schedule["batch_size"] * schedule["accumulation"] * schedule["d_steps"]
    assert plan["parameters"]["generator"] > 10_000
    assert list(tmp_path.iterdir()) == []
