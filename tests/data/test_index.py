"""What a prepared dataset is on disk, how it is mapped, and that no damage goes unnoticed."""

from __future__ import annotations

import hashlib
import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from ganeval.checkpoints import canonical_json, sha256_of
from ganeval.data import index as index_module
from ganeval.data.base import ImageSet
from ganeval.data.prepare import prepare, verify
from ganeval.data.registry import find_dataset
from ganeval.errors import UserError

if TYPE_CHECKING:
    from conftest import Dots

FILES = ("train.npy", "train-labels.npy", "test.npy", "test-labels.npy")


def test_what_is_mapped_is_what_would_be_in_memory(registered: Dots, tmp_path: Path) -> None:
    prepare(registered, tmp_path)
    for split in ("train", "test"):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            mapped = find_dataset("dots").load(split)
        pixels, labels = registered.drawn(split)
        memory = ImageSet(torch.from_numpy(pixels).permute(0, 3, 1, 2), torch.from_numpy(labels), ("a", "b"))
        assert torch.equal(mapped.images, memory.images)
        assert torch.equal(mapped.labels, memory.labels)
        assert mapped.classes == memory.classes
        assert mapped.recorded is not None
        assert memory.recorded is None
        assert mapped.fingerprint == memory.fingerprint
        assert ImageSet(mapped.images, mapped.labels, mapped.classes).fingerprint == memory.fingerprint


def test_images_are_mapped_and_not_read(registered: Dots, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(registered, tmp_path)
    loaded = []
    load = np.load
    monkeypatch.setattr(np, "load", lambda path, mmap_mode=None: loaded.append((path.name, mmap_mode)) or load(path, mmap_mode))
    registered.load("train")
    assert loaded == [("train.npy", "r"), ("train-labels.npy", None)]


def test_the_index_knows_every_file_the_source_and_itself(registered: Dots, tmp_path: Path) -> None:
    folder = prepare(registered, tmp_path, out=tmp_path / "out")
    content = json.loads((folder / "index.json").read_text())
    assert sorted(path.name for path in folder.iterdir()) == sorted([*FILES, "index.json"])
    for name in FILES:
        data = (folder / name).read_bytes()
        assert content["files"][name] == {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    parts = b"".join(hashlib.sha256(image.tobytes()).digest() for image in registered.drawn("train")[0])
    assert content["splits"]["train"]["source_sha256"] == hashlib.sha256(parts).hexdigest()
    assert (content["name"], content["resolution"], content["classes"]) == ("dots", 6, ["a", "b"])
    assert content["filter"] == registered.filter
    assert content.pop("sha256") == sha256_of(content)
    assert np.array_equal(np.load(folder / "train.npy"), registered.drawn("train")[0].transpose(0, 3, 1, 2))


@pytest.mark.parametrize("name", [*FILES, "index.json"])
def test_a_flipped_byte_in_any_file_is_found(name: str, registered: Dots, tmp_path: Path) -> None:
    file = prepare(registered, tmp_path) / name
    assert len(verify(registered)) == 2
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(UserError, match=f"{name} is damaged: its .* match"):
        verify(registered)
    with pytest.raises(UserError, match=f"{name} is damaged"):
        registered.load("test" if name.startswith("test") else "train")


def test_a_large_file_is_hashed_by_verify_alone(registered: Dots, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = prepare(registered, tmp_path)
    monkeypatch.setattr(index_module, "HASHED_ON_OPENING", (folder / "train.npy").stat().st_size - 1)
    content = bytearray((folder / "train.npy").read_bytes())
    content[-1] ^= 1
    (folder / "train.npy").write_bytes(content)
    assert len(registered.load("train")) == 9
    with pytest.raises(UserError, match=r"train\.npy is damaged: its SHA-256 does not match the index"):
        verify(registered)
    (folder / "train.npy").write_bytes(content[:-1])
    with pytest.raises(UserError, match=r"train\.npy is damaged: 1099 bytes instead of 1100"):
        registered.load("train")
    (folder / "train.npy").unlink()
    with pytest.raises(UserError, match=r"train\.npy is missing: remove .*dots-6 and prepare it again"):
        registered.load("train")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 2}, "was prepared by another version of ganeval"),
        ({"filter": "nearest"}, "was prepared by another version of ganeval"),
        ({"classes": ["a"]}, "was prepared by another version of ganeval"),
        ({"name": "spots"}, "is 'spots' at 6 pixels, not 'dots' at 6"),
    ],
)
def test_an_index_that_is_intact_but_of_something_else_is_refused(
    change: dict[str, object], said: str, registered: Dots, tmp_path: Path
) -> None:
    path = prepare(registered, tmp_path) / "index.json"
    content = {**json.loads(path.read_text()), **change}
    del content["sha256"]
    path.write_text(canonical_json({**content, "sha256": sha256_of(content)}))
    with pytest.raises(UserError, match=said):
        registered.load("train")


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"sha256": 3}'])
def test_an_index_that_is_none_is_refused(text: str, registered: Dots, tmp_path: Path) -> None:
    path = prepare(registered, tmp_path) / "index.json"
    path.write_text(text)
    with pytest.raises(UserError, match=r"index\.json is damaged: its content does not match its own SHA-256"):
        registered.load("train")


def test_pieces_do_not_change_what_is_written(registered: Dots, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = prepare(registered, tmp_path, out=tmp_path / "whole")
    monkeypatch.setattr(index_module, "CHUNK", 2 * 3 * 6 * 6)
    pieces = prepare(registered, tmp_path, out=tmp_path / "pieces")
    for name in (*FILES, "index.json"):
        assert (whole / name).read_bytes() == (pieces / name).read_bytes()
