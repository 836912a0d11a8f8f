"""Extractors of other packages: the documented example as it stands, and packages that are broken."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from click.testing import Result

from ganeval.errors import UserError
from ganeval.extractors.registry import EXTRACTORS, find_extractor

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "extractors.md"

Install = Callable[..., None]


def block(language: str) -> str:
    """The one block of code in ``language`` that the documentation shows."""
    (code,) = re.findall(rf"```{language}\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), flags=re.DOTALL)
    return str(code)


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts a package with one module and its entry points where Python finds it, as ``pip install`` would."""

    def put(package: str, code: str, *entry_points: str) -> None:
        site = tmp_path / f"site-{package}"
        info = site / f"{package}-1.0.dist-info"
        info.mkdir(parents=True)
        (site / f"{package}.py").write_text(code, encoding="utf-8")
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("\n".join(["[ganeval.extractors]", *entry_points]) + "\n")
        monkeypatch.syspath_prepend(site)
        monkeypatch.delitem(sys.modules, package, raising=False)

    return put


def test_the_documented_example_scores(ganeval: Callable[..., Result], real_folder: Path, install: Install) -> None:
    announced = re.search(r'^colours = "(.+)"$', block("toml"), flags=re.MULTILINE)
    assert announced
    install("my_package", block("python"), f"colours = {announced[1]}")
    images = torch.arange(2 * 3 * 4, dtype=torch.uint8).view(2, 3, 2, 2)
    made = find_extractor("colours")(images)
    assert made.features[1].tolist() == pytest.approx(
        [(12 + 4 * c + 1.5) / 255 for c in range(3)] + [(5 / 3) ** 0.5 / 255] * 3, rel=1e-5
    )
    done = ganeval("score", real_folder, "--dataset", "digits", "--extractor", "colours", "--metrics", "fid")
    assert (done.exit_code, done.exception and str(done.exception)) == (0, None), done.output
    assert "FD-colours" in done.stdout
    assert any(line.startswith("colours ") for line in ganeval("ls", "extractors").stdout.splitlines())
    done = ganeval("score", real_folder, "--dataset", "digits", "--extractor", "colours", "--metrics", "top1")
    assert (done.exit_code, "failed: the classes of colours are not those of digits" in done.stdout) == (1, True)


def test_the_argument_and_the_nearest_name(install: Install) -> None:
    code = "def make(argument):\n    raise ValueError(argument)\n"
    install("echoing", code, "echo-one = echoing:make")
    with pytest.raises(ValueError, match=r"^some:path$"):
        find_extractor("echo-one:some:path")
    with pytest.raises(UserError, match="unknown extractor 'echo-onne': did you mean echo-one"):
        find_extractor("echo-onne")


@pytest.mark.parametrize(
    ("code", "target", "reason"),
    [
        ("import nothing_of_this_name", "broken:make", "No module named 'nothing_of_this_name'"),
        ("raise RuntimeError('bad day')", "broken:make", "bad day"),
        ("", "broken:make", "has no attribute 'make'"),
    ],
)
def test_a_package_that_cannot_be_imported_hides_nothing_else(
    ganeval: Callable[..., Result], install: Install, code: str, target: str, reason: str
) -> None:
    install("broken", code, f"odd = {target}")
    with pytest.raises(UserError, match=rf"extractor 'odd' of broken cannot be imported: .*{reason}"):
        find_extractor("odd")
    listed = ganeval("ls", "extractors")
    assert listed.exit_code == 0
    assert any(line.startswith("odd ") and reason in line for line in listed.stdout.splitlines())
    assert any(line.startswith("inception ") for line in listed.stdout.splitlines())
    assert find_extractor("digits-cnn").name == "digits-cnn"


def test_what_is_no_factory_or_makes_no_extractor(install: Install) -> None:
    install("wrong", "value = 3\ndef make(argument):\n    return 3\n", "number = wrong:value", "three = wrong:make")
    with pytest.raises(UserError, match="extractor 'number' of wrong: wrong:value is no function"):
        find_extractor("number")
    with pytest.raises(UserError, match="extractor 'three' gave 3 instead of"):
        find_extractor("three")


def test_a_name_belongs_to_one_package(install: Install) -> None:
    install("first", "def make(argument): ...", "mine = first:make", "inception = first:make")
    install("second", "def make(argument): ...", "mine = second:make")
    with pytest.raises(UserError, match=r"'mine' is announced by (first and by second|second and by first): uninstall"):
        find_extractor("mine")
    with pytest.raises(UserError, match="extractor 'inception' is announced by first and by ganeval"):
        find_extractor("inception")


def test_listing_says_whether_weights_are_here(
    ganeval: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GANEVAL_HOME", str(tmp_path))
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "resnet20-12fca82f.th").write_bytes(b"here")
    lines = {line.split()[0]: line for line in ganeval("ls", "extractors").stdout.splitlines()}
    assert lines["resnet20-cifar10"].endswith("weights are here")
    assert lines["resnet56-cifar10"].endswith("weights are downloaded on first use")
    assert set(lines) == set(EXTRACTORS.names())
