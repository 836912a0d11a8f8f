from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from ganeval.data.digits import Digits
from ganeval.data.folder import FolderDataset
from ganeval.data.registry import DATASETS, find_dataset
from ganeval.errors import UserError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "digits" / "a").mkdir(parents=True)
    Image.new("L", (4, 4)).save(tmp_path / "digits" / "a" / "0.png")
    return tmp_path / "digits"


def test_a_registered_name_is_found() -> None:
    assert isinstance(find_dataset("digits"), Digits)
    assert "digits" in DATASETS.names()


def test_a_folder_is_found_by_its_path_and_a_name_comes_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    assert isinstance(find_dataset("digits"), Digits)
    found = find_dataset(f".{os.sep}digits")
    assert isinstance(found, FolderDataset)
    assert found.name == "digits"


def test_a_mistyped_name_gives_the_nearest_and_the_other_way() -> None:
    with pytest.raises(UserError, match=r"unknown dataset 'digit': did you mean digits\? \(or a folder root/<class>/\*\)"):
        find_dataset("digit")


def test_a_file_is_no_dataset(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(b"")
    with pytest.raises(UserError, match=r"x\.npz is a file"):
        find_dataset(str(tmp_path / "x.npz"))
