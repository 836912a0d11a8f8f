"""An archive reads like the folder it was packed from, and one that is cut off is refused."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ganeval.data.archives import find_root, images_below, table
from ganeval.data.places import Packed, Place, open_place
from ganeval.errors import UserError

FORMS = ("zip", "tar", "tar.gz", "tar.xz", "tar.bz2")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files in three levels, contents that do not compress."""
    root = tmp_path_factory.mktemp("packed") / "folder"
    for number, name in enumerate(["a.txt", "x/b.png", "x/y/c.JPG", "x/y/d.png", "x/y/e.txt", "z/f.png"]):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes((7 * number + i * i) % 251 for i in range(1500 + number)))
    return root


@pytest.fixture(scope="module")
def packed(folder: Path, pack: Callable[[Path, Path], Path]) -> dict[str, Path]:
    return {form: pack(folder, folder.parent / f"archive.{form}") for form in FORMS}


def listing(place: Place) -> dict[str, object]:
    """Everything below ``place``: file contents by name, folders as dictionaries."""
    return {entry.name: listing(entry) if entry.is_dir() else (entry.suffix, entry.read_bytes()) for entry in place.iterdir()}


@pytest.mark.parametrize("form", FORMS)
def test_an_archive_reads_like_its_folder(form: str, folder: Path, packed: dict[str, Path], tmp_path: Path) -> None:
    place = open_place(packed[form], tmp_path / "scratch")
    assert isinstance(place, Packed)
    assert listing(place) == listing(folder)
    assert str(place / "x" / "y") == f"{packed[form]}/x/y"
    for name in ("x/y/c.JPG", "x/y", "nothing", "x/nothing"):
        assert ((place / name).is_file(), (place / name).is_dir()) == ((folder / name).is_file(), (folder / name).is_dir())
    with pytest.raises(UserError, match=r"x/nothing is missing"):
        (place / "x" / "nothing").read_bytes()


@pytest.mark.parametrize("form", FORMS)
def test_several_threads_read_the_right_bytes(form: str, folder: Path, packed: dict[str, Path], tmp_path: Path) -> None:
    place, names = open_place(packed[form], tmp_path / "scratch"), ["x/y/c.JPG", "a.txt", "z/f.png", "x/b.png"] * 50
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda name: (place / name).read_bytes(), names)) == [(folder / name).read_bytes() for name in names]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kept", [0.0, 0.1, 0.3, 0.5, 0.6, 0.75, 0.9])
def test_an_archive_that_is_cut_off_is_refused(form: str, kept: float, packed: dict[str, Path], tmp_path: Path) -> None:
    data = packed[form].read_bytes()
    archive = tmp_path / f"cut.{form}"
    whole = len(data.rstrip(b"\0")) if form == "tar" else len(data)  # what follows is filling
    archive.write_bytes(data[: int(kept * whole)])
    with pytest.raises(UserError, match=r"cut\..* is damaged, cut off, or no tar or zip archive"):
        open_place(archive, tmp_path / "scratch")


@pytest.mark.parametrize("form", ["zip", "tar.gz", "tar.xz", "tar.bz2"])
def test_a_flipped_byte_in_the_middle_is_found_by_the_archives_own_checksum(
    form: str, packed: dict[str, Path], tmp_path: Path
) -> None:
    data = bytearray(packed[form].read_bytes())
    data[len(data) // 2] ^= 0x10
    (tmp_path / "flipped").write_bytes(data)
    with pytest.raises(UserError, match="flipped is damaged"):
        listing(open_place(tmp_path / "flipped", tmp_path / "scratch"))


def test_names_that_lead_outside_stay_names(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "evil.tar", "w") as archive:
        for name in ("../outside", "./inside", "/etc/absolute"):
            member = tarfile.TarInfo(name)
            member.size = 3
            archive.addfile(member, io.BytesIO(b"abc"))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    place = open_place(tmp_path / "evil.tar", tmp_path / "scratch")
    assert (place / "inside").read_bytes() == b"abc"
    assert not (place / "link").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["evil.tar"]


@pytest.mark.parametrize(("content", "said"), [(None, "nothing at"), (b"", "no tar or zip"), (b"text" * 400, "no tar or zip")])
def test_what_is_no_archive_is_refused(content: bytes | None, said: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "file").write_bytes(content)
    with pytest.raises(UserError, match=said):
        open_place(tmp_path / "file", tmp_path / "scratch")


def test_a_root_is_the_folder_or_its_subfolder_with_the_marker(folder: Path, packed: dict[str, Path], tmp_path: Path) -> None:
    assert find_root(folder, "a.txt") == folder
    assert find_root(folder, "c.JPG", "b.png") == folder / "x"
    assert find_root(folder, "y") == folder / "x"
    assert find_root(open_place(packed["zip"], tmp_path / "scratch"), "f.png").name == "z"
    with pytest.raises(UserError, match=r"folder has no c\.JPG"):
        find_root(folder, "c.JPG")


def test_images_below_come_folder_by_folder(folder: Path, packed: dict[str, Path], tmp_path: Path) -> None:
    expected = [folder / name for name in ("x/b.png", "x/y/c.JPG", "x/y/d.png", "z/f.png")]
    assert images_below(folder) == expected
    found = images_below(open_place(packed["tar.xz"], tmp_path / "scratch"))
    assert [path.name for path in found] == [path.name for path in expected]


def test_a_table_is_split_at_white_space_and_its_last_field_keeps_the_rest(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_bytes(b"1 a file.jpg\r\n\n2\t b\n")
    assert table(tmp_path / "list.txt", 2) == [["1", "a file.jpg"], ["2", "b"]]
    with pytest.raises(UserError, match=r"list\.txt line 3 has 2 fields instead of 3"):
        table(tmp_path / "list.txt", 3)
    with pytest.raises(UserError, match=r"other\.txt is missing"):
        table(tmp_path / "other.txt", 2)
