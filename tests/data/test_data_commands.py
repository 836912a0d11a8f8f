"""``ganeval data`` and what the other verbs say of a dataset that is not prepared."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from ganeval.data.prepared import PreparedDataset
from ganeval.data.registry import DATASETS
from ganeval.recipes.registry import TABLES

Command = Callable[..., Result]
COUNTS = {"train": 60, "test": 30}


@pytest.fixture
def animals(tmp_path: Path, save_noise: Callable[..., Path]) -> Path:
    """The folder ``afhq`` with 60 + 30 images of 40 x 40 pixels."""
    root = tmp_path / "afhq"
    for i in range(90):
        save_noise(root / ("train" if i < 60 else "val") / ("cat", "dog", "wild")[i % 3] / f"{i:02}.jpg", i, 40, 40)
    return root


@pytest.fixture(autouse=True)
def small_afhq(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GANEVAL_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(DATASETS.get("afhq"), "expected", COUNTS)


def test_prepare_verify_train_and_score(ganeval: Command, animals: Path, tmp_path: Path) -> None:
    done = ganeval("data", "prepare", "afhq", "--from", animals, "--resolution", 32)
    assert (done.exit_code, done.stdout) == (0, f"{tmp_path / 'home' / 'data' / 'afhq-32'}\n")
    lines = ganeval("data", "verify", "afhq").stdout.splitlines()
    assert [line.split(", ")[:2] for line in lines] == [
        ["afhq train: 60 images of 32 px", "3 classes"], ["afhq test: 30 images of 32 px", "3 classes"]
    ]  # fmt: skip
    tiny = ("backbone.g_channels=2", "backbone.d_channels=2", "schedule.batch_size=4", "schedule.d_steps=1")
    trained = ganeval("train", "biggan", "afhq", "data.resolution=32", *tiny, "backbone.g_attention=", "backbone.d_attention=",
                      "--steps", 1, "--out", tmp_path / "run")  # fmt: skip
    assert trained.exit_code == 0, trained.stderr
    from ganeval.classifiers.training import train_classifier
    from ganeval.data.registry import find_dataset

    train_classifier(find_dataset("afhq"), resolution=32, epochs=1, out=tmp_path / "cnn")
    scored = ganeval(
        "score", tmp_path / "run", "--num", 60, "--metrics", "fid,top1", "--extractor", f"classifier:{tmp_path / 'cnn'}"
    )
    assert scored.exit_code == 0, scored.stderr
    assert "60 images against 60 real; held out: 30" in scored.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("data prepare afhqq --from .", "unknown dataset 'afhqq': did you mean afhq"),
        ("data prepare afhq --from nowhere", "nowhere cannot be read: no such file or directory"),
        ("data prepare afhq", "'afhq' cannot be downloaded from here: get afhq.zip and give it with --from PATH"),
        ("data prepare digits --from .", "dataset 'digits' needs no preparation"),
        ("data prepare afhq --from . --resolution 2", "2 is not in the range x>=4"),
        (
            "data verify afhq",
            "dataset 'afhq' is not prepared at 256 pixels: run 'ganeval data prepare afhq --from PATH' with afhq.zip",
        ),
        ("data verify afhq --resolution 32", "run 'ganeval data prepare afhq --resolution 32 --from PATH'"),
        (
            "train reacgan cifar10",
            "dataset 'cifar10' is not prepared at 32 pixels: run 'ganeval data prepare cifar10 --from PATH'",
        ),
        ("train reacgan cifar10 -n", "dataset 'cifar10' is not prepared at 32 pixels"),
        ("train reacgan digits data.classes=1,10", "data.classes=10: there are 10 classes, 0 to 9"),
        ("train reacgan digits data.fraction=0", "data.fraction must be above 0 and at most 1, got 0.0"),
    ],
)
def test_a_mistake_is_one_line(ganeval: Command, words: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = ganeval(*words.split())
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_imagenet_128_is_prepared_and_trained_on_as_imagenet(
    ganeval: Command, tmp_path: Path, save_noise: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for attribute, value in (("expected", {"train": 8, "test": 4}), ("class_count", 2)):
        monkeypatch.setattr(DATASETS.get("imagenet"), attribute, value)
    for i in range(12):
        folder = tmp_path / "ILSVRC2012" / ("train" if i < 8 else "val") / ("n01440764", "n01443537")[i % 2]
        save_noise(folder / f"{i:02}.JPEG", i, 140, 130)
    missing = ganeval("train", "reacgan", "imagenet-128", "-n")
    assert "dataset 'imagenet' is not prepared at 128 pixels" in missing.stderr
    done = ganeval("data", "prepare", "imagenet-128", "--from", tmp_path / "ILSVRC2012")
    assert (done.exit_code, done.stdout) == (0, f"{tmp_path / 'home' / 'data' / 'imagenet-128'}\n")
    assert ganeval("data", "verify", "imagenet-128").stdout.startswith("imagenet train: 8 images of 128 px, 2 classes")
    planned = [ganeval("train", "reacgan", name, "-n") for name in ("imagenet", "imagenet-128")]
    assert [one.exit_code for one in planned] == [0, 0]
    recipes = [json.loads(one.stdout)["recipe_sha256"] for one in planned]
    assert recipes[0] == recipes[1] == TABLES.get("imagenet")["reacgan"].fingerprint()
    assert ganeval("data", "prepare", "imagenet-12").stderr.startswith(
        "ganeval: unknown dataset 'imagenet-12': did you mean imagenet-128"
    )


def test_help_and_docs_name_what_can_be_downloaded(ganeval: Command) -> None:
    can = [name for name, found in DATASETS if getattr(type(found), "download", None) not in (None, PreparedDataset.download)]
    said = ganeval("data", "prepare", "--help").stdout.lower().replace("stl-10", "stl10")
    listed = re.search("downloaded where torchvision can: ([^.]*)", " ".join(said.split()))
    assert listed
    families = listed[1].split(", ")
    assert [name for name in can if not any(family in name for family in families)] == []
    assert [family for family in families if not any(family in name for name in can)] == []
    docs = re.search(r"# downloaded \((.*)\)", (Path(__file__).parents[2] / "docs" / "datasets.md").read_text())
    assert docs
    assert sorted(docs[1].split(", ")) == sorted(set(can) - {"stl10-unlabeled"})  # which is the archive of stl10


def test_the_listing_says_what_is_prepared_and_a_damaged_one_hides_no_other(
    ganeval: Command, animals: Path, tmp_path: Path
) -> None:
    before = {line.split()[0]: line for line in ganeval("ls", "datasets").stdout.splitlines()}
    assert before["afhq"].split(maxsplit=1)[1].startswith("not prepared: 3 classes, 3 x 256 px, train 60, test 30; Choi")
    assert before["digits"].split(maxsplit=1)[1].startswith("ready: 10 classes")
    for size in (64, 8):
        ganeval("data", "prepare", "afhq", "--from", animals, "--resolution", size)
    after = {line.split()[0]: line for line in ganeval("ls", "datasets").stdout.splitlines()}
    assert after["afhq"].split(maxsplit=1)[1].startswith("prepared at 8, 64 px: 3 classes")
    (tmp_path / "home" / "data" / "afhq-8" / "index.json").write_text("{}")
    damaged = ganeval("ls", "datasets")
    assert damaged.exit_code == 0
    assert "index.json is damaged" in damaged.stdout
    assert len(damaged.stdout.splitlines()) == len(before)


def test_a_folder_of_out_is_used_by_its_path(ganeval: Command, animals: Path, tmp_path: Path) -> None:
    done = ganeval("data", "prepare", "afhq", "--from", animals, "--resolution", 32, "--out", tmp_path / "mine")
    assert done.stdout == f"{tmp_path / 'mine'}\n"
    assert ganeval("data", "verify", "afhq").exit_code == 2
    assert len(ganeval("data", "verify", tmp_path / "mine").stdout.splitlines()) == 2
    again = ganeval("data", "prepare", "afhq", "--from", animals, "--resolution", 32, "--out", tmp_path / "mine")
    assert f"{tmp_path / 'mine'} exists: remove it to prepare 'afhq' again" in again.stderr
