"""What a score keeps where it is asked to: images that score again as they did, and features."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import Result

from ganeval.errors import UserError
from ganeval.files import UNFINISHED
from ganeval.sampling import generate, load_generator
from ganeval.scoring import score
from ganeval.sources.saving import Keep, Saved

COUNT = 70
KEYS = ["fid", "am", "precision", "top1"]


@pytest.mark.parametrize("name", ["images", "images.npz"])
@pytest.mark.parametrize("warm", [False, True])
def test_saved_images_score_exactly_as_they_did(
    name: str, warm: bool, tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, everything: Callable[..., tuple]
) -> None:
    if not warm:
        monkeypatch.setenv("GANEVAL_HOME", str(tmp_path / "home"))
    card = score(tiny_run, num=COUNT, metrics=KEYS)
    kept = score(tiny_run, num=COUNT, metrics=KEYS, keep=Keep(tmp_path / name))
    assert kept.scores == card.scores
    again = score(tmp_path / name, dataset="digits", metrics=KEYS)
    assert again.scores == card.scores
    assert again.source["kind"] == ("npz" if name.endswith("npz") else "folder")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(UNFINISHED)] == []


def test_the_images_are_those_that_were_generated(tiny_run: Path, tmp_path: Path, opened: Callable, everything: Callable) -> None:
    images, labels = (torch.cat(parts) for parts in zip(*generate(load_generator(tiny_run), COUNT), strict=True))
    for name in ("folder", "array.npz"):
        source = Saved(opened(tiny_run, None, num=COUNT)[0], tmp_path / name)
        source.finish()
        source.finish()
        found = everything(opened(tmp_path / name)[0])
        assert torch.equal(found[0], images)
        assert torch.equal(found[1], labels)
    assert sorted(path.name for path in (tmp_path / "folder" / "3").iterdir()) == [f"{i:05d}.png" for i in range(3, COUNT, 10)]
    with np.load(tmp_path / "array.npz", allow_pickle=False) as file:
        assert sorted(file.files) == ["arr_0", "arr_1"]
        assert (file["arr_0"].dtype, file["arr_0"].shape) == (np.uint8, (COUNT, 16, 16, 1))
        assert file["arr_1"].dtype == np.int64


@pytest.mark.parametrize("name", ["folder", "array.npz"])
def test_what_breaks_off_leaves_nothing(name: str, tiny_run: Path, tmp_path: Path, opened: Callable) -> None:
    source = Saved(opened(tiny_run, None, num=300)[0], tmp_path / name)
    batches = source.batches()
    next(batches)
    batches.close()
    assert list(tmp_path.iterdir()) == []
    source.finish()
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["folder", "array.npz"])
def test_of_two_that_write_one_name_the_first_to_finish_stays(
    name: str, tiny_run: Path, tmp_path: Path, opened: Callable, everything: Callable
) -> None:
    first, second = (Saved(opened(tiny_run, None, num=num)[0], tmp_path / name) for num in (300, 301))
    batches = second.batches()
    next(batches)
    first.finish()
    with pytest.raises(UserError, match=name):
        list(batches)
    expected = torch.cat([images for images, _ in generate(load_generator(tiny_run), 300)])
    assert torch.equal(everything(opened(tmp_path / name)[0])[0], expected)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_nothing_is_written_unasked(tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    score(tiny_run, num=COUNT, metrics=["fid"])
    assert list(tmp_path.iterdir()) == []


def test_saved_features_score_as_their_images_did(tiny_run: Path, tmp_path: Path, ganeval: Callable[..., Result]) -> None:
    card = score(tiny_run, num=COUNT, metrics=KEYS, keep=Keep(features=tmp_path / "features"))
    again = score(tmp_path / "features", dataset="digits", metrics=KEYS)
    assert again.scores == card.scores
    assert again.deviations == card.deviations
    assert again.source == {"kind": "features", "name": "features", "sha256": again.source["sha256"], "of": card.source}
    assert (again.resolution, again.counts) == (card.resolution, card.counts)
    done = ganeval(
        "score", tmp_path / "features", "--dataset", "digits", "--metrics", "fid", "--leaderboard", tmp_path / "boards"
    )
    assert done.exit_code == 0, done.output
    assert (tmp_path / "boards" / "measured" / "digits.csv").is_file()


def test_an_entry_of_the_cache_is_a_source(tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ganeval.cache import load_bank

    monkeypatch.setenv("GANEVAL_HOME", str(tmp_path / "home"))
    card = score(tiny_run, num=COUNT, metrics=["fid"])
    (entry,) = (path for path in (tmp_path / "home" / "banks").iterdir() if path.is_dir() and len(load_bank(path)) == COUNT)
    found = score(entry, dataset="digits", metrics=["fid"])
    assert found["fid"].value == card["fid"].value
    assert "how the images of the features came about is not recorded" in found.deviations


def test_a_name_that_asks_for_a_zip_becomes_no_folder(refused: Callable[..., str], tiny_run: Path, tmp_path: Path) -> None:
    for name in ("ck.zip", "CK.ZIP"):
        line = refused("score", tiny_run, "--num", COUNT, "--metrics", "fid", "--save-images", tmp_path / name)
        assert line == f"--save-images {tmp_path / name}: no .zip is written, give the name of a folder or of an .npz file"
    assert list(tmp_path.iterdir()) == []


def test_what_is_in_the_way_stays(tiny_run: Path, real_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    for keep in (Keep(images=tmp_path / "there"), Keep(features=tmp_path / "there")):
        with pytest.raises(UserError, match=r"there exists: choose another name"):
            score(tiny_run, num=COUNT, metrics=["fid"], keep=keep)
    with pytest.raises(UserError, match="--save-images: real is no checkpoint, nothing is generated"):
        score(real_folder, dataset="digits", metrics=["fid"], keep=Keep(images=tmp_path / "new"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["there"]
