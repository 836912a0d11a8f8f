"""Preparing: all or nothing, once, and only what is the official archive."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from ganeval.data.folder import FolderDataset
from ganeval.data.places import Place
from ganeval.data.prepare import prepare, verify
from ganeval.data.prepared import PreparedDataset
from ganeval.data.raw import ArraySplit, Contents
from ganeval.data.registry import find_dataset
from ganeval.errors import UserError

if TYPE_CHECKING:
    from conftest import Dots

FILES = ("train.npy", "train-labels.npy", "test.npy", "test-labels.npy")


def test_a_prepared_folder_of_images_equals_the_folder(
    home: Path, tmp_path: Path, save_noise: Callable[..., Path], expecting: Callable[..., PreparedDataset]
) -> None:
    """Two different ways to the same pixels: the fingerprint is that of the content."""
    for i in range(12):
        save_noise(
            tmp_path / "animals" / ("test" if i > 8 else "train") / ("cat", "dog", "wild")[i % 3] / f"{i}.png", i, 9 + i, 12
        )
    dataset, folder = expecting("afhq", expected={"train": 9, "test": 3}), FolderDataset(tmp_path / "animals")
    prepare(dataset, tmp_path / "animals", resolution=8)
    for split in ("train", "test"):
        assert dataset.load(split, 8).fingerprint == folder.load(split, 8).fingerprint


def test_a_dataset_is_prepared_once(registered: Dots, home: Path, tmp_path: Path) -> None:
    folder = prepare(registered, tmp_path)
    assert folder == home / "data" / "dots-6"
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    with pytest.raises(UserError, match=r"dots-6 exists: remove it to prepare 'dots' again"):
        prepare(registered, tmp_path)
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_resolutions_stand_side_by_side(registered: Dots, tmp_path: Path) -> None:
    assert (registered.status, registered.splits) == ("not prepared", {"train": 9, "test": 4})
    prepare(registered, tmp_path, resolution=12)
    with pytest.raises(
        UserError, match="dataset 'dots' is not prepared at 6 pixels: run 'ganeval data prepare dots --from PATH'"
    ):
        registered.load("train")
    with pytest.raises(UserError, match=r"not prepared at 9 pixels: run 'ganeval data prepare dots --resolution 9 --from PATH'"):
        registered.load("train", 9)
    prepare(registered, tmp_path)
    assert registered.load("train", 12).resolution == 12
    assert registered.load("train").resolution == 6
    assert registered.status == "prepared at 6, 12 px"
    assert [line.split(":")[0] for line in verify(registered)] == ["dots train", "dots test"] * 2
    assert len(verify(registered, 12)) == 2


def test_a_prepared_folder_elsewhere_is_the_dataset_by_its_path(registered: Dots, tmp_path: Path) -> None:
    prepare(registered, tmp_path, resolution=12, out=tmp_path / "elsewhere")
    found = find_dataset(str(tmp_path / "elsewhere"))
    assert (found.name, found.status) == ("dots", "prepared at 12 px")
    assert found.load("train", 12).resolution == 12
    with pytest.raises(UserError, match=r"elsewhere is 'dots' at 12 pixels, not 'dots' at 6: choose data\.resolution=12"):
        found.load("train")
    assert registered.status == "not prepared"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"expected": {"train": 8, "test": 4}}, r"split 'train' has 9 images, expected 8 \(expected: a folder\)"),
        ({"expected": {"train": 9, "test": 4, "valid": 1}}, "there is no split 'valid'"),
        ({"class_names": None, "class_count": 3}, "there are 2 classes, expected 3"),
        ({"class_names": ("b", "a")}, "the classes are a, b ..., expected b, a ..."),
        ({"archive": "x.zip", "expected": {"train": 1}}, r"\(expected: x\.zip\)"),
    ],
)
def test_another_content_than_the_official_is_refused(
    changed: dict[str, object], said: str, registered: Dots, tmp_path: Path
) -> None:
    for name, value in changed.items():
        setattr(registered, name, value)
    with pytest.raises(UserError, match=said):
        prepare(registered, tmp_path)
    assert registered.status == "not prepared"


@pytest.mark.parametrize("label", [-1, 2])
def test_a_label_without_a_class_is_refused(
    label: int, registered: Dots, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def contents(source: Place) -> Contents:
        pixels, labels = registered.drawn("train")
        labels[5] = label
        return Contents(("a", "b"), {"train": ArraySplit(pixels, labels), "test": ArraySplit(*registered.drawn("test"))})

    monkeypatch.setattr(registered, "contents", contents)
    with pytest.raises(UserError, match=r"split 'train' has a label outside 0\.\.1"):
        prepare(registered, tmp_path)


def test_digits_and_folders_need_no_preparation(tmp_path: Path, real_folder: Path) -> None:
    for dataset in (find_dataset("digits"), find_dataset(str(real_folder))):
        with pytest.raises(UserError, match=f"dataset '{dataset.name}' needs no preparation"):
            prepare(dataset, tmp_path)
        assert dataset.status == "ready"
        assert verify(dataset)[0].startswith(f"{dataset.name} train: ")


def test_an_image_that_cannot_be_read_leaves_nothing(
    home: Path, tmp_path: Path, save_noise: Callable[..., Path], expecting: Callable[..., PreparedDataset]
) -> None:
    for i in range(6):
        save_noise(tmp_path / "animals" / ("test" if i > 2 else "train") / ("cat", "dog", "wild")[i % 3] / f"{i}.png", i)
    damaged = tmp_path / "animals" / "test" / "dog" / "4.png"
    damaged.write_bytes(damaged.read_bytes()[:-20])
    with pytest.raises(UserError, match=r"4\.png is damaged or no image"):
        prepare(expecting("afhq", expected={"train": 3, "test": 3}), tmp_path / "animals")
    assert [path.name for path in (home / "data").iterdir()] == [".afhq-256.lock"]


KILLED = """
import os, signal, sys
from pathlib import Path
from ganeval.data.prepare import prepare
from ganeval.data.raw import ArraySplit
sys.path.insert(0, sys.argv[1])
from conftest import Dots

content = ArraySplit.content
def content_or_kill(split, index):
    if len(split.labels) == 4 and index == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return content(split, index)
ArraySplit.content = content_or_kill
prepare(Dots(), Path(sys.argv[1]))
"""


def test_a_kill_leaves_nothing_that_counts_and_the_next_call_removes_it(registered: Dots, home: Path, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(Path(__file__).parent)], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    (leftover,) = home.glob("data/.unfinished-dots-6-*")
    assert (leftover / "train.npy").exists()
    assert registered.status == "not prepared"
    other = home / "data" / ".unfinished-dots-6-32-0123abcd"
    other.mkdir()
    prepare(registered, tmp_path)
    assert len(verify(registered)) == 2
    assert not leftover.exists()
    assert other.exists(), "it belongs to another dataset"


def test_two_processes_do_not_prepare_the_same(registered: Dots, home: Path, tmp_path: Path) -> None:
    (home / "data").mkdir(parents=True)
    lock, held, finished = FileLock(home / "data" / ".dots-6.lock"), threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            held.set()
            finished.wait(30)

    other = threading.Thread(target=hold)
    other.start()
    held.wait(30)
    try:
        with pytest.raises(UserError, match=r"another process is preparing .*dots-6: wait for it"):
            prepare(registered, tmp_path)
    finally:
        finished.set()
        other.join()
    prepare(registered, tmp_path)


def test_a_compressed_archive_leaves_no_unpacked_copy(
    home: Path,
    tmp_path: Path,
    save_noise: Callable[..., Path],
    pack: Callable[..., Path],
    expecting: Callable[..., PreparedDataset],
) -> None:
    for i in range(6):
        save_noise(tmp_path / "animals" / ("test" if i > 2 else "train") / ("cat", "dog", "wild")[i % 3] / f"{i}.png", i)
    archive = pack(tmp_path / "animals", tmp_path / "afhq.tar.xz")
    folder = prepare(expecting("afhq", expected={"train": 3, "test": 3}), archive, resolution=8)
    assert sorted(path.name for path in folder.iterdir()) == sorted([*FILES, "index.json"])
    source = json.loads((folder / "index.json").read_text())["source"]
    expected = {
        "name": "afhq.tar.xz",
        "bytes": archive.stat().st_size,
        "sha256": hashlib.sha256(archive.read_bytes()).hexdigest(),
    }
    assert source == expected
