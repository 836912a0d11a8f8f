"""Every kind of source, scored by the processes of one torchrun: the card and the files of a single process, to the bit."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ganeval.data.registry import find_dataset
from ganeval.extractors.registry import find_extractor

ROOT = Path(__file__).resolve().parents[1]
WORKER = Path(__file__).with_name("scoring_worker.py")
STUDIOGAN = ROOT.parent / "shared" / "oracle" / "checkpoints" / "cifar10-reacgan"

SCORED = ("folder", "zip", "npz", "statistics", "studiogan", "bf16", "saved", "features")

Told = dict[str, Any]

TWO_LAYERS = '''
"""Two layers that may compute in bfloat16."""
import torch
from ganeval.extractors.network import UNIT, Input, Known, NetworkExtractor
from ganeval.extractors.resize import PIL_BILINEAR

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.body = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3, stride=2), torch.nn.ReLU(), torch.nn.Conv2d(8, 5, 3))

    def forward(self, x):
        return self.body(x).mean(dim=(2, 3)), None

def two_layers(weights=None):
    return NetworkExtractor(Net(), Input(16, PIL_BILINEAR, UNIT), Known("two-layers", "ab" * 32, 5, "none"))
'''


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the path of Python: a package with the extractor ``two-layers``."""
    site = tmp_path_factory.mktemp("site")
    (site / "two_layers.py").write_text(TWO_LAYERS)
    info = site / "two_layers-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: two-layers\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[ganeval.extractors]\ntwo-layers = two_layers:two_layers\n")
    return site


@pytest.fixture(scope="module")
def cases(tiny_run: Path, real_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[object]]:
    """The words of every case by its name; {out} stands for a folder of each number of processes."""
    given = tmp_path_factory.mktemp("given")
    reals = find_dataset("digits").load("test")
    np.savez(given / "images.npz", arr_0=reals.images.permute(0, 2, 3, 1).numpy(), arr_1=reals.labels.numpy())
    np.savez(given / "few.npz", arr_0=reals.images[:300].permute(0, 2, 3, 1).numpy(), arr_1=reals.labels[:300].numpy())
    width = find_extractor("digits-cnn").feature_dim
    np.savez(given / "statistics.npz", mu=np.zeros(width), sigma=np.eye(width))
    with zipfile.ZipFile(given / "images.zip", "w") as archive:
        for file in real_folder.rglob("*.png"):
            archive.write(file, file.relative_to(real_folder))
    for name, index in (("broken-first", 20), ("broken-second", 400)):
        shutil.copytree(real_folder, given / name)
        (file,) = (given / name).rglob(f"{index:05d}.png")
        file.write_bytes(file.read_bytes()[:-20])  # the header is whole: only the process that decodes it finds out
    against, some = ["--dataset", "digits"], ["--metrics", "fid,is,precision,recall,top1"]
    words: dict[str, list[object]] = {
        "folder": [real_folder, *against, "--per-class", "{out}/classes.csv", "--metrics", "fid,kid,ifid"],
        "zip": [given / "images.zip", *against, *some, "--out", "{out}/card.json"],
        "npz": [given / "images.npz", *against, *some],
        "few": [given / "few.npz", *against, *some],
        "statistics": [real_folder, "--reference", given / "statistics.npz", "--extractor", "digits-cnn"],
        "bf16": [
            given / "images.npz",
            *against,
            "--extractor",
            "two-layers",
            "--precision",
            "bf16",
            "--metrics",
            "fid,precision",
        ],
        "saved": [tiny_run, "--num", 600, *some, "--save-images", "{out}/images", "--save-features", "{out}/features"],
        "features": ["{out}/features", *against, *some],
        "broken-first": [given / "broken-first", *against],
        "broken-second": [given / "broken-second", *against],
        "unwritable": [given / "few.npz", *against, "--out", given],
        "misspelt": [given / "few.npz", "--data", "digits"],
    }
    for file in STUDIOGAN.glob("model=G_ema*"):
        words["studiogan"] = [file, "--extractor", "digits-cnn", "--num", 300, "--reference", given / "statistics.npz"]
    return {name: ["score", *words, "--json", "--device", "cpu"] for name, words in words.items()}


@pytest.fixture(scope="module")
def become(cases: dict[str, list[object]], site: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """What became of the cases: a folder for one, two and three processes, which ran at the same time."""
    chosen = {1: list(cases), 2: [name for name in cases if name != "few"], 3: ["few", "broken-first"]}
    folders = {count: tmp_path_factory.mktemp(f"processes-{count}") for count in chosen}
    running = []
    for count, out in folders.items():
        words = {name: [str(word).replace("{out}", str(out)) for word in cases[name]] for name in chosen[count]}
        (out / "cases").write_text(json.dumps(words))
        kept = {**os.environ, "GANEVAL_HOME": str(out / "home"), "PYTHONPATH": f"{ROOT}:{site}", "OMP_NUM_THREADS": "1"}
        launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={count}"] if count > 1 else []
        command = [sys.executable, *launcher, str(WORKER), str(out / "cases"), str(out)]
        running.append(subprocess.Popen(command, env=kept, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
    for process in running:
        talk, _ = process.communicate(timeout=240)
        assert process.returncode == 0, talk
    return folders


def told(folder: Path, name: str, count: int) -> list[Told]:
    """What each of the ``count`` processes told of a case."""
    return [json.loads((folder / f"{name}.{rank}.json").read_text()) for rank in range(count)]


def numbers(card: str) -> dict[str, Any]:
    """Everything on a card that the number of processes has no say in."""
    return {name: value for name, value in json.loads(card).items() if name not in ("seconds", "environment")}


@pytest.mark.parametrize(("name", "count"), [*((name, 2) for name in SCORED), ("few", 3)])
def test_together_they_give_the_card_of_one(
    name: str, count: int, cases: dict[str, list[object]], become: dict[int, Path]
) -> None:
    if name not in cases:
        pytest.skip("no StudioGAN checkpoint at ../shared/oracle/checkpoints")
    (alone,), (first, *others) = told(become[1], name, 1), told(become[count], name, count)
    assert (alone["status"], first["status"]) == (0, 0), first["trace"]
    assert numbers(first["stdout"]) == numbers(alone["stdout"])
    assert first["stderr"] == alone["stderr"]
    assert {(other["status"], other["stdout"], other["stderr"]) for other in others} == {(0, "", "")}


def test_together_they_keep_the_files_of_one(become: dict[int, Path]) -> None:
    whole, shared = (
        {file.relative_to(folder): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}
        for folder in (become[1], become[2])
    )
    compared = {name for name in shared if name.parts[0] in ("images", "features", "classes.csv")}
    compared |= {name for name in shared if name.name == "bank.safetensors"}
    assert len([name for name in compared if name.parts[0] == "images"]) == 600
    assert {name.parts[0] for name in compared} == {"images", "features", "classes.csv", "home"}
    assert {name: shared[name] for name in compared} == {name: whole[name] for name in compared}
    assert (become[2] / "card.json").read_text() == told(become[2], "zip", 2)[0]["stdout"]


@pytest.mark.parametrize(
    ("name", "count", "said"),
    [
        ("broken-first", 2, "00020.png is damaged"),
        ("broken-second", 2, "00400.png is damaged"),
        ("broken-first", 3, "00020.png is damaged"),
        ("unwritable", 2, "is a folder"),
        ("misspelt", 2, "No such option"),
    ],
)
def test_what_breaks_in_one_is_said_once_and_ends_all(name: str, count: int, said: str, become: dict[int, Path]) -> None:
    processes = told(become[count], name, count)
    assert [(process["status"], process["stdout"]) for process in processes] == [(2, "")] * count
    (line,) = [process["stderr"] for process in processes if process["stderr"]]
    assert said in line
    assert line == told(become[1], name, 1)[0]["stderr"]
