"""Datasets in binary files: STL-10, SVHN, MNIST and its stacks, LSUN. torchvision reads the same files as a peer."""

from __future__ import annotations

import gzip
import io
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.io import savemat
from torchvision import datasets
from torchvision.datasets.mnist import read_image_file, read_label_file

from ganeval.data.images import decode_image
from ganeval.data.prepare import prepare
from ganeval.data.prepared import PreparedDataset
from ganeval.errors import UserError

Expecting = Callable[..., PreparedDataset]
Noise = Callable[..., NDArray[np.uint8]]
STL10_CLASSES = ("airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck")


@pytest.fixture
def stl10(tmp_path: Path, noise: Noise) -> Path:
    """``stl10_binary`` with 4 training, 3 test and 2 unlabelled images."""
    root = tmp_path / "source" / "stl10_binary"
    root.mkdir(parents=True)
    for number, (part, count) in enumerate((("train", 4), ("test", 3), ("unlabeled", 2))):
        noise(number, count, 3, 96, 96).tofile(root / f"{part}_X.bin")
    np.array([1, 10, 3, 3], np.uint8).tofile(root / "train_y.bin")
    np.array([2, 1, 7], np.uint8).tofile(root / "test_y.bin")
    (root / "class_names.txt").write_text("\n".join(STL10_CLASSES) + "\n")
    (root / "fold_indices.txt").write_text("0 1\n")
    return root


@pytest.mark.parametrize("form", ["folder", "tar.gz"])
def test_stl10_is_torchvisions(
    form: str, stl10: Path, tmp_path: Path, pack: Callable[..., Path], expecting: Expecting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets.STL10, "_check_integrity", lambda self: True)
    source = stl10 if form == "folder" else pack(stl10.parent, tmp_path / "stl10_binary.tar.gz")
    dataset = expecting("stl10", expected={"train": 4, "test": 3})
    prepared = dataset.at(prepare(dataset, source, resolution=96, out=tmp_path / "out"))
    for split in ("train", "test"):
        found, peer = prepared.load(split, 96), datasets.STL10(str(stl10.parent), split)
        pictures = [np.asarray(peer[i][0]) for i in range(len(peer))]
        assert np.array_equal(found.images.numpy(), np.stack(pictures).transpose(0, 3, 1, 2))
        assert found.labels.tolist() == peer.labels.tolist()
        assert list(found.classes) == peer.classes
    unlabelled = expecting("stl10-unlabeled", expected={"train": 2})
    train = unlabelled.at(prepare(unlabelled, source, resolution=96, out=tmp_path / "unlabelled")).load("train", 96)
    peer = datasets.STL10(str(stl10.parent), "unlabeled")
    assert np.array_equal(train.images[1].numpy(), np.asarray(peer[1][0]).transpose(2, 0, 1))
    assert train.labels.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda root: (root / "train_X.bin").write_bytes((root / "train_X.bin").read_bytes()[:-1]), "train_X.bin is cut off"),
        (lambda root: (root / "train_y.bin").write_bytes(b"\x01\x02\x03"), "has 4 images and 3 labels in 'train'"),
        (lambda root: (root / "train_y.bin").write_bytes(b"\x01\x02\x03\x00"), "a label outside 0..9"),
        (lambda root: (root / "train_X.bin").write_bytes(b""), "has 0 images and 4 labels in 'train'"),
        (lambda root: (root / "test_X.bin").unlink(), "test_X.bin is missing"),
    ],
)
def test_an_stl10_that_is_not_the_official_is_refused(
    damage: Callable[[Path], object], said: str, stl10: Path, tmp_path: Path, expecting: Expecting
) -> None:
    damage(stl10)
    with pytest.raises(UserError, match=said):
        prepare(expecting("stl10", expected={"train": 4, "test": 3}), stl10, out=tmp_path / "out")


def test_an_stl10_with_another_md5_is_refused(
    stl10: Path, tmp_path: Path, expecting: Expecting, md5_of: Callable[..., dict[str, str]]
) -> None:
    md5 = {name: "0" * 32 if name == "train_X.bin" else sum_ for name, sum_ in md5_of(*stl10.iterdir()).items()}
    with pytest.raises(UserError, match=r"train_X\.bin is not the official file"):
        prepare(expecting("stl10", md5, expected={"train": 4, "test": 3}), stl10, out=tmp_path / "out")


@pytest.fixture
def svhn(tmp_path: Path, noise: Noise) -> Path:
    """The three ``.mat`` files, compressed as MATLAB 5 does; zero is labelled 10."""
    root = tmp_path / "svhn"
    root.mkdir()
    for number, (split, labels) in enumerate({"train": [1, 10, 9, 10], "test": [5, 2, 10], "extra": [4, 4]}.items()):
        pixels = noise(number, 32, 32, 3, len(labels))
        content = {"X": pixels, "y": np.array(labels, np.uint8)[:, None]}
        savemat(root / f"{split}_32x32.mat", content, do_compression=True)
    return root


def test_svhn_is_torchvisions_and_extra_is_optional(
    svhn: Path, tmp_path: Path, expecting: Expecting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets.SVHN, "_check_integrity", lambda self: True)
    dataset = expecting("svhn", expected={"train": 4, "test": 3, "extra": 2})
    prepared = dataset.at(prepare(dataset, svhn, out=tmp_path / "out"))
    for split in ("train", "test", "extra"):
        found, peer = prepared.load(split), datasets.SVHN(str(svhn), split)
        assert np.array_equal(found.images.numpy(), peer.data)
        assert found.labels.tolist() == peer.labels.tolist()
    (svhn / "extra_32x32.mat").unlink()
    without = dataset.at(prepare(dataset, svhn, out=tmp_path / "without"))
    assert without.splits == {"train": 4, "test": 3}
    with pytest.raises(UserError, match="has no split 'extra': it has"):
        without.load("extra")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda path: path.unlink(), "test_32x32.mat is missing"),
        (lambda path: path.write_bytes(path.read_bytes()[:-400]), "test_32x32.mat is no official .mat file of SVHN"),
        (lambda path: path.write_bytes(b"MATLAB 5.0"), "test_32x32.mat is no official .mat file of SVHN"),
        (
            lambda path: savemat(path, {"X": np.zeros((32, 32, 3, 2), np.uint8)}),
            "test_32x32.mat is no official .mat file of SVHN",
        ),
        (
            lambda path: savemat(path, {"X": np.zeros((32, 32, 3, 2), np.uint8), "y": np.ones((3, 1), np.uint8)}),
            "does not hold one image of 32x32x3 bytes for each of its labels",
        ),
    ],
)
def test_an_svhn_that_is_not_the_official_is_refused(
    damage: Callable[[Path], object], said: str, svhn: Path, tmp_path: Path, expecting: Expecting
) -> None:
    damage(svhn / "test_32x32.mat")
    with pytest.raises(UserError, match=said):
        prepare(expecting("svhn", expected={"train": 4, "test": 3, "extra": 2}), svhn, out=tmp_path / "out")


MNIST_COUNTS = {"train": 5, "test": 3}


@pytest.fixture
def mnist(tmp_path: Path, noise: Noise) -> Path:
    """``MNIST`` with ``raw/`` in it: the four idx files, packed and not."""
    root = tmp_path / "MNIST" / "raw"
    root.mkdir(parents=True)
    for number, (part, labels) in enumerate({"train": [5, 0, 4, 1, 9], "t10k": [7, 2, 1]}.items()):
        pixels = noise(number, len(labels), 28, 28)
        images = struct.pack(">iiii", 2051, len(labels), 28, 28) + pixels.tobytes()
        for name, data in (
            (f"{part}-images-idx3-ubyte", images),
            (f"{part}-labels-idx1-ubyte", struct.pack(">ii", 2049, len(labels)) + bytes(labels)),
        ):
            (root / name).write_bytes(data)
            (root / f"{name}.gz").write_bytes(gzip.compress(data))
    return root.parent


@pytest.mark.parametrize("packed", [True, False])
def test_mnist_is_torchvisions(packed: bool, mnist: Path, tmp_path: Path, expecting: Expecting) -> None:
    raw = mnist / "raw"
    peers = {
        split: (read_image_file(str(raw / f"{part}-images-idx3-ubyte")), read_label_file(str(raw / f"{part}-labels-idx1-ubyte")))
        for split, part in (("train", "train"), ("test", "t10k"))
    }
    for path in raw.iterdir():
        if (path.suffix == ".gz") != packed:
            path.unlink()
    dataset = expecting("mnist", expected=MNIST_COUNTS)
    prepared = dataset.at(prepare(dataset, mnist, resolution=28, out=tmp_path / "out"))
    for split, (images, labels) in peers.items():
        found = prepared.load(split, 28)
        assert torch.equal(found.images, images[:, None])
        assert torch.equal(found.labels, labels)


def test_mnist_at_its_own_resolution_is_enlarged_by_lanczos(
    mnist: Path, tmp_path: Path, noise: Noise, expecting: Expecting
) -> None:
    dataset = expecting("mnist", expected=MNIST_COUNTS)
    train = dataset.at(prepare(dataset, mnist, out=tmp_path / "out")).load("train")
    expected = Image.fromarray(noise(0, 5, 28, 28)[3]).resize((32, 32), Image.Resampling.LANCZOS)
    assert np.array_equal(train.images[3, 0].numpy(), np.asarray(expected))


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("t10k-labels-idx1-ubyte.gz", None, "t10k-labels-idx1-ubyte.gz is missing"),
        ("t10k-images-idx3-ubyte.gz", gzip.compress(b"x" * 900)[:-9], "is damaged or cut off"),
        ("t10k-images-idx3-ubyte.gz", b"no gzip", "is damaged or cut off"),
        ("t10k-images-idx3-ubyte.gz", gzip.compress(struct.pack(">ii", 2049, 3) + b"abc"), "is no idx file of 3 dimensions"),
        ("t10k-images-idx3-ubyte.gz", gzip.compress(struct.pack(">iiii", 2051, 3, 28, 28) + b"abc"), "is cut off: 3 values"),
        ("t10k-labels-idx1-ubyte.gz", gzip.compress(struct.pack(">ii", 2049, 2) + b"ab"), "3 images and 2 labels"),
        ("t10k-labels-idx1-ubyte.gz", gzip.compress(struct.pack(">ii", 2049, 3) + b"\x00\x01\x0a"), "a label outside 0..9"),
    ],
)  # fmt: skip
def test_an_mnist_that_is_not_the_official_is_refused(
    file: str, content: bytes | None, said: str, mnist: Path, tmp_path: Path, expecting: Expecting
) -> None:
    (mnist / "raw" / file).unlink()
    if content is not None:
        (mnist / "raw" / file).write_bytes(content)
    with pytest.raises(UserError, match=said):
        prepare(expecting("mnist", expected=MNIST_COUNTS), mnist, out=tmp_path / "out")


def test_stacked_mnist_is_three_digits_whose_label_is_the_number_they_spell(
    mnist: Path, tmp_path: Path, noise: Noise, expecting: Expecting
) -> None:
    dataset = expecting("stacked-mnist", expected={"train": 60, "test": 40})
    prepared = dataset.at(prepare(dataset, mnist, resolution=28, out=tmp_path / "out"))
    for split, seed, digits in (("train", 0, [5, 0, 4, 1, 9]), ("test", 1, [7, 2, 1])):
        found, planes = prepared.load(split, 28), torch.from_numpy(noise(seed, len(digits), 28, 28))
        drawn = torch.tensor([[int((plane == planes).all(dim=(1, 2)).nonzero()) for plane in image] for image in found.images])
        spelt = [100 * digits[r] + 10 * digits[g] + digits[b] for r, g, b in drawn.tolist()]
        assert found.labels.tolist() == spelt
        assert all(len(set(drawn[:, i].tolist())) == len(digits) for i in range(3)), "every digit is drawn for every colour"
        assert len({tuple(row) for row in drawn.tolist()}) > 15, (
            "two of the three would make at most 9 triples of the test digits"
        )
    again = dataset.at(prepare(dataset, mnist, resolution=28, out=tmp_path / "again"))
    assert again.load("train", 28).fingerprint == prepared.load("train", 28).fingerprint
    assert prepared.classes[7] == "007"


@pytest.fixture
def lsun(tmp_path: Path, noise: Noise) -> Path:
    """``bedroom_train_lmdb`` and ``bedroom_val_lmdb`` with 5 and 2 images as WebP."""
    lmdb = pytest.importorskip("lmdb", reason="lsun-bedroom is optional: pip install 'ganeval[lsun]'")
    root = tmp_path / "lsun"
    for number, (part, count) in enumerate((("train", 5), ("val", 2))):
        (root / f"bedroom_{part}_lmdb").mkdir(parents=True)
        with lmdb.open(str(root / f"bedroom_{part}_lmdb"), map_size=2**22) as database, database.begin(write=True) as transaction:
            for i in range(count):
                file = io.BytesIO()
                Image.fromarray(noise(10 * number + i, 20, 26, 3)).save(file, "WEBP")
                transaction.put(f"{(7 * i) % 10:040x}".encode(), file.getvalue())
    return root


def test_lsun_is_in_the_order_of_its_keys_as_in_torchvision(
    lsun: Path, tmp_path: Path, expecting: Expecting, monkeypatch: pytest.MonkeyPatch
) -> None:
    import lmdb

    dataset = expecting("lsun-bedroom", expected={"train": 5, "test": 2})
    prepared = dataset.at(prepare(dataset, lsun, resolution=16, out=tmp_path / "out"))
    for split, part in (("train", "train"), ("test", "val")):
        with (
            lmdb.open(str(lsun / f"bedroom_{part}_lmdb"), readonly=True, lock=False) as database,
            database.begin() as transaction,
        ):
            content = [bytes(value) for _, value in transaction.cursor()]
        expected = np.stack([decode_image(data, "x", 16, 3) for data in content])
        assert np.array_equal(prepared.load(split, 16).images.numpy(), expected)
    full = dataset.at(prepare(dataset, lsun, resolution=20, out=tmp_path / "full")).load("train", 20).images[2]
    monkeypatch.chdir(tmp_path)  # torchvision leaves a list of keys in the working folder
    peer: Any = datasets.LSUN(str(lsun), ["bedroom_train"])
    assert np.array_equal(np.asarray(peer[2][0])[:, 3:23].transpose(2, 0, 1), full.numpy())


def test_an_lsun_that_is_not_the_official_is_refused(
    lsun: Path, tmp_path: Path, expecting: Expecting, pack: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = expecting("lsun-bedroom", expected={"train": 5, "test": 2})
    with pytest.raises(UserError, match=r"bedroom_train_lmdb is in an archive: unpack it"):
        prepare(dataset, pack(lsun, tmp_path / "lsun.zip"), out=tmp_path / "out")
    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "lmdb", None)
        with pytest.raises(UserError, match=r"lsun-bedroom needs the package lmdb: pip install 'ganeval\[lsun\]'"):
            prepare(dataset, lsun, out=tmp_path / "out")
    data = lsun / "bedroom_val_lmdb" / "data.mdb"
    data.write_bytes(b"\x00" * 8192)
    with pytest.raises(UserError, match="bedroom_val_lmdb is no LMDB database, or it is damaged"):
        prepare(dataset, lsun, out=tmp_path / "out")
    data.unlink()
    with pytest.raises(UserError, match=r"data\.mdb is missing"):
        prepare(dataset, lsun, out=tmp_path / "out")
