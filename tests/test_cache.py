"""The cache of feature banks: found by content, computed once, never served damaged."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ganeval.cache import Shelf, cached_bank, home, load_bank
from ganeval.checkpoints import sha256_of
from ganeval.errors import UserError
from ganeval.features import FeatureBank
from ganeval.files import UNFINISHED

KEY: dict[str, object] = {"source": {"images": "a"}, "extractor": "b", "count": 3, "seed": 0}


def bank(value: float = 1.0) -> FeatureBank:
    return FeatureBank(np.full((3, 2), value, np.float32), np.ones((3, 4), np.float32), np.array([0, 1, 2]))


class Computed:
    """Counts how often a bank had to be computed."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> FeatureBank:
        self.times += 1
        return bank(float(self.times))


@pytest.fixture(autouse=True)
def cold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GANEVAL_HOME", str(tmp_path / "cold"))
    return tmp_path / "cold"


def entry() -> Path:
    return home() / "banks" / sha256_of(KEY)


def test_the_second_time_nothing_is_computed() -> None:
    compute = Computed()
    first, second = cached_bank(KEY, compute), cached_bank(dict(reversed(KEY.items())), compute)
    assert compute.times == 1
    for name in ("features", "logits", "labels"):
        assert np.array_equal(getattr(first, name), getattr(second, name))
        assert getattr(first, name).dtype == getattr(second, name).dtype


@pytest.mark.parametrize("change", [{"source": {"images": "c"}}, {"extractor": "c"}, {"count": 4}, {"seed": 1}, {"more": 1}])
def test_the_key_covers_everything(change: dict[str, object]) -> None:
    compute = Computed()
    cached_bank(KEY, compute)
    assert cached_bank({**KEY, **change}, compute).features[0, 0] == 2
    assert compute.times == 2


@pytest.mark.parametrize("optional", ["logits", "labels"])
def test_what_a_bank_lacks_it_lacks_after_loading(optional: str) -> None:
    whole = bank()
    lean = FeatureBank(whole.features, *(None if name == optional else getattr(whole, name) for name in ("logits", "labels")))
    cached_bank(KEY, lambda: lean)
    assert getattr(load_bank(entry()), optional) is None


@pytest.mark.parametrize("damage", ["flip", "truncate", "manifest", "no manifest", "no tensors", "empty", "file"])
def test_a_damaged_entry_is_computed_anew(damage: str) -> None:
    compute = Computed()
    cached_bank(KEY, compute)
    tensors, manifest = entry() / "bank.safetensors", entry() / "manifest.json"
    content = tensors.read_bytes()
    if damage == "flip":
        tensors.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    elif damage == "truncate":
        tensors.write_bytes(content[:-5])
    elif damage == "manifest":
        manifest.write_text(manifest.read_text().replace('"seed": 0', '"seed": 9'))
    elif damage == "file":
        shutil.rmtree(tensors.parent)
        manifest.parent.write_bytes(content)
    else:
        for file in {"no manifest": [manifest], "no tensors": [tensors], "empty": [manifest, tensors]}[damage]:
            file.unlink()
    assert cached_bank(KEY, compute).features[0, 0] == 2
    assert cached_bank(KEY, compute).features[0, 0] == 2
    assert compute.times == 2


def test_a_failed_computation_leaves_nothing_and_keeps_its_own_error() -> None:
    def fail() -> FeatureBank:
        raise FileNotFoundError(2, "No such file", "image.png")

    with pytest.raises(FileNotFoundError, match=r"image\.png"):
        cached_bank(KEY, fail)
    assert not entry().exists()
    assert cached_bank(KEY, Computed()).features[0, 0] == 1


def test_what_a_killed_process_left_is_cleared_away() -> None:
    (home() / "banks").mkdir(parents=True)
    left = home() / "banks" / f"{UNFINISHED}{sha256_of(KEY)}-1234"
    others = home() / "banks" / f"{UNFINISHED}{'0' * 64}-1234"
    left.mkdir()
    others.mkdir()
    cached_bank(KEY, Computed())
    assert (left.exists(), others.exists()) == (False, True)


def test_the_entry_says_what_it_was_computed_from() -> None:
    cached_bank(KEY, Computed())
    assert json.loads((entry() / "manifest.json").read_text())["record"] == {"kind": "features", **KEY}


@pytest.mark.parametrize("place", ["/proc/nowhere", "file/below"])
def test_a_home_that_cannot_be_written_names_the_variable(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GANEVAL_HOME", place)
    with pytest.raises(UserError, match=r"cannot write .*set GANEVAL_HOME"):
        cached_bank(KEY, Computed())


def test_home_is_the_users_cache_unless_said_otherwise(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("GANEVAL_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert home() == tmp_path / "ganeval"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert home() == Path.home() / ".cache" / "ganeval"


EIGHT_PROCESSES = """
import json, multiprocessing, sys, time, uuid
from pathlib import Path
import numpy as np
from ganeval.cache import Shelf, cached_bank
from ganeval.features import FeatureBank

folder, key = Path(sys.argv[1]), json.loads(sys.argv[2])
fork = multiprocessing.get_context("fork")
ready = fork.Barrier(8, timeout=120)  # one that fails must not keep seven waiting

def compute():
    (folder / f"computed-{uuid.uuid4()}").write_text("")
    time.sleep(0.3)
    return FeatureBank(np.random.default_rng().random((50, 4), dtype=np.float32))

def find():
    (folder / f"found-{uuid.uuid4()}").write_text("")
    time.sleep(0.3)
    return {"neighbours": np.random.default_rng().random((50, 4))}

def work():
    ready.wait()
    (folder / f"answer-{uuid.uuid4()}").write_bytes(cached_bank(key, compute).features.tobytes())
    ready.wait()
    finding = Shelf(key).keep("neighbours", {"count": 4}, find)["neighbours"]
    (folder / f"finding-{uuid.uuid4()}").write_bytes(finding.tobytes())

processes = [fork.Process(target=work) for _ in range(8)]
for process in processes:
    process.start()
for process in processes:
    process.join()
sys.exit(sum(process.exitcode != 0 for process in processes))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks, to import torch once")
def test_eight_processes_on_one_cold_key_compute_it_once(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", EIGHT_PROCESSES, str(tmp_path), json.dumps(KEY)], check=True)
    for done, given in (("computed", "answer"), ("found", "finding")):
        assert len(list(tmp_path.glob(f"{done}-*"))) == 1
        answers = [path.read_bytes() for path in tmp_path.glob(f"{given}-*")]
        assert len(answers) == 8
        assert len(set(answers)) == 1


def test_findings_are_told_apart_by_kind_bank_part_and_what_they_are_about() -> None:
    shelf, found = Shelf({"source": "a", "extractor": "b"}), iter(range(9))
    asked = [
        (shelf, "moments", {}), (shelf, "neighbours", {}), (shelf, "neighbours", {"count": 5}),
        (Shelf({"source": "c", "extractor": "b"}), "neighbours", {}), (shelf.part({"class": 1}), "neighbours", {}),
        (shelf.part({"class": 2}), "neighbours", {}), (shelf.part({"class": 1}).part({"class": 1}), "neighbours", {}),
    ]  # fmt: skip
    for _ in range(2):
        numbers = [int(each.keep(kind, about, lambda: {"n": np.array(next(found))})["n"]) for each, kind, about in asked]
        assert numbers == list(range(7))
    assert shelf.known("moments") == {"n": 0}
    assert shelf.part({"class": 1}).known("moments") is None
