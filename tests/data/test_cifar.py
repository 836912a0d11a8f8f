"""CIFAR-10 and CIFAR-100 from archives in the official layout; torchvision reads the same archives as a peer."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torchvision import datasets

from ganeval.data.cifar import CIFAR10_CLASSES
from ganeval.data.prepare import prepare
from ganeval.data.prepared import PreparedDataset
from ganeval.data.registry import DATASETS
from ganeval.errors import UserError

Expecting = Callable[..., PreparedDataset]
EXPECTED = {"train": 20, "test": 3}


@pytest.fixture
def cifar10(tmp_path: Path, noise: Callable[..., Any], save_batch: Callable[..., Path]) -> Path:
    """The folder that holds ``cifar-10-batches-py``: five batches of 4 images and a test batch of 3."""
    root = tmp_path / "source" / "cifar-10-batches-py"
    for number, name in enumerate([*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"]):
        count = 3 if name == "test_batch" else 4
        labels = [(3 * number + i) % 10 for i in range(count)]
        save_batch(
            root / name,
            {"batch_label": name, "labels": labels, "data": noise(number, count, 3072), "filenames": ["x.png"] * count},
        )
    save_batch(root / "batches.meta", {"num_cases_per_batch": 4, "label_names": list(CIFAR10_CLASSES), "num_vis": 3072})
    return root.parent


@pytest.fixture
def peer(cifar10: Path, md5_of: Callable[..., dict[str, str]]) -> Callable[[bool], Any]:
    """torchvision's reader of the same files."""
    root = cifar10 / "cifar-10-batches-py"
    md5 = md5_of(*root.iterdir())

    class Peer(datasets.CIFAR10):
        train_list = [[name, md5[name]] for name, _ in datasets.CIFAR10.train_list]  # noqa: RUF012
        test_list = [[name, md5[name]] for name, _ in datasets.CIFAR10.test_list]  # noqa: RUF012
        meta = {**datasets.CIFAR10.meta, "md5": md5["batches.meta"]}  # noqa: RUF012

    return lambda train: Peer(str(cifar10), train=train)


@pytest.mark.parametrize("form", ["folder", "inner folder", "tar.gz", "zip"])
def test_every_form_of_the_archive_gives_torchvisions_images(
    form: str, cifar10: Path, peer: Callable[[bool], Any], tmp_path: Path, expecting: Expecting, pack: Callable[..., Path]
) -> None:
    archives = {"folder": cifar10, "inner folder": cifar10 / "cifar-10-batches-py"}
    source = archives.get(form) or pack(cifar10, tmp_path / f"cifar-10-python.{form}")
    dataset = expecting("cifar10", expected=EXPECTED)
    prepared = dataset.at(prepare(dataset, source, out=tmp_path / "out"))
    for split in ("train", "test"):
        found, official = prepared.load(split), peer(split == "train")
        assert np.array_equal(found.images.numpy(), official.data.transpose(0, 3, 1, 2))
        assert found.labels.tolist() == official.targets
        assert list(found.classes) == official.classes


def test_cifar100_takes_the_fine_labels(
    tmp_path: Path, noise: Callable[..., Any], save_batch: Callable[..., Path], expecting: Expecting
) -> None:
    root, names = tmp_path / "cifar-100-python", [f"thing {number:02}" for number in range(100)]
    for name, labels in (("train", [99, 0, 42]), ("test", [7])):
        pixels = noise(len(labels), len(labels), 3072)
        save_batch(root / name, {"data": pixels, "fine_labels": labels, "coarse_labels": [1] * len(labels)})
    save_batch(root / "meta", {"fine_label_names": names, "coarse_label_names": ["all"]})
    dataset = expecting("cifar100", expected={"train": 3, "test": 1})
    train = dataset.at(prepare(dataset, root, out=tmp_path / "out")).load("train")
    assert train.labels.tolist() == [99, 0, 42]
    assert list(train.classes) == names
    assert torch.equal(train.images, torch.from_numpy(noise(3, 3, 3072)).view(3, 3, 32, 32))


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_the_checksums_are_torchvisions(name: str) -> None:
    official = {"cifar10": datasets.CIFAR10, "cifar100": datasets.CIFAR100}[name]
    dataset = DATASETS.get(name)
    assert isinstance(dataset, PreparedDataset)
    sums = dataset.checksums()
    assert sums[official.filename] == official.tgz_md5
    assert sums[official.meta["filename"]] == official.meta["md5"]
    assert all(sums[file] == md5 for file, md5 in [*official.train_list, *official.test_list])
    assert len(sums) == 2 + len(official.train_list) + len(official.test_list)


@pytest.mark.parametrize("damaged", ["data_batch_3", "test_batch", "batches.meta"])
def test_a_file_with_another_md5_is_refused(
    damaged: str, cifar10: Path, tmp_path: Path, expecting: Expecting, md5_of: Callable[..., dict[str, str]]
) -> None:
    root = cifar10 / "cifar-10-batches-py"
    dataset = expecting("cifar10", md5_of(*root.iterdir()), expected=EXPECTED)
    prepare(dataset, cifar10, out=tmp_path / "intact")
    content = bytearray((root / damaged).read_bytes())
    content[-3] ^= 1
    (root / damaged).write_bytes(content)
    with pytest.raises(UserError, match=f"{damaged} is not the official file: its MD5 is not"):
        prepare(dataset, cifar10, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_archive_with_another_md5_is_refused_before_it_is_opened(
    cifar10: Path, tmp_path: Path, pack: Callable[..., Path], expecting: Expecting
) -> None:
    archive = pack(cifar10, tmp_path / "cifar-10-python.tar.gz")
    dataset = expecting("cifar10", {"cifar-10-python.tar.gz": "0" * 32}, expected=EXPECTED)
    with pytest.raises(UserError, match=r"cifar-10-python\.tar\.gz is not the official file: its MD5 is not 000"):
        prepare(dataset, archive, out=tmp_path / "out")


def test_a_missing_batch_is_named(cifar10: Path, tmp_path: Path, expecting: Expecting) -> None:
    (cifar10 / "cifar-10-batches-py" / "data_batch_4").unlink()
    with pytest.raises(UserError, match=r"data_batch_4 is missing \(expected: cifar-10-python.tar.gz\)"):
        prepare(expecting("cifar10", expected=EXPECTED), cifar10, out=tmp_path / "out")


class _Evil:
    def __init__(self, target: Path) -> None:
        self.target = str(target)

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.target,)


def test_a_pickle_that_wants_to_run_code_is_refused(cifar10: Path, tmp_path: Path, expecting: Expecting) -> None:
    (cifar10 / "cifar-10-batches-py" / "data_batch_2").write_bytes(
        pickle.dumps({"data": _Evil(tmp_path / "evil"), "labels": [1]})
    )
    with pytest.raises(UserError, match=r"data_batch_2 is no batch of CIFAR: it wants to run (posix|nt)\.mkdir"):
        prepare(expecting("cifar10", expected=EXPECTED), cifar10, out=tmp_path / "out")
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([1, 2], "it holds a list"),
        ({"data": np.zeros((2, 3071), np.uint8), "labels": [0, 1]}, "does not hold one row of 3072 uint8 pixels"),
        ({"data": np.zeros((2, 3072), np.float32), "labels": [0, 1]}, "does not hold one row of 3072 uint8 pixels"),
        ({"data": np.zeros((2, 3072), np.uint8), "labels": [0]}, "does not hold one row of 3072 uint8 pixels"),
        ({"labels": [0]}, "does not hold one row of 3072 uint8 pixels"),
    ],
)
def test_a_batch_of_another_form_is_refused(
    content: object, said: str, cifar10: Path, tmp_path: Path, save_batch: Callable[..., Path], expecting: Expecting
) -> None:
    save_batch(cifar10 / "cifar-10-batches-py" / "test_batch", content)
    with pytest.raises(UserError, match=said):
        prepare(expecting("cifar10", expected=EXPECTED), cifar10, out=tmp_path / "out")


def test_other_class_names_are_refused(
    cifar10: Path, tmp_path: Path, save_batch: Callable[..., Path], expecting: Expecting
) -> None:
    save_batch(cifar10 / "cifar-10-batches-py" / "batches.meta", {"label_names": [*CIFAR10_CLASSES[:9], "lorry"]})
    with pytest.raises(UserError, match="the classes are airplane, automobile"):
        prepare(expecting("cifar10", expected=EXPECTED), cifar10, out=tmp_path / "out")


def test_torchvision_downloads_where_nothing_is_given(
    cifar10: Path, tmp_path: Path, expecting: Expecting, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = []

    class Downloader:
        def __init__(self, root: str, download: bool) -> None:
            print("Files already downloaded")
            asked.append((Path(root).name, download))
            (cifar10 / "cifar-10-batches-py").rename(Path(root) / "cifar-10-batches-py")

    monkeypatch.setattr(datasets, "CIFAR10", Downloader)
    dataset = expecting("cifar10", expected=EXPECTED)
    assert len(dataset.at(prepare(dataset, out=tmp_path / "out")).load("train")) == 20
    assert asked == [("cifar10", True)]
    assert capsys.readouterr().out == ""


def test_a_download_that_fails_says_what_to_do(expecting: Expecting, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def offline(root: str, download: bool) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(datasets, "CIFAR10", offline)
    with pytest.raises(
        UserError, match=r"cannot be downloaded \(no route to host\): get it yourself and give it with --from PATH"
    ):
        prepare(expecting("cifar10"), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
