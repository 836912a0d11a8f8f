"""Bad input on the command line: one line that says what is wrong, status 2, no traceback."""

from __future__ import annotations

import io
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganeval.cache import save_bank
from ganeval.extractors.registry import find_extractor
from ganeval.features import FeatureBank
from ganeval.sources.zip import LARGEST

Refused = Callable[..., str]
DIGITS = ("--dataset", "digits")


def png(size: tuple[int, int] = (16, 16)) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", size, 9).save(buffer, "PNG")
    return buffer.getvalue()


def archive(path: Path, members: list[tuple[str, bytes]]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members:
            packed.writestr(name, content)
    return path


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([("../0/a.png", png())], "has a member named '../0/a.png', which leads out of it"),
        ([("/0/a.png", png())], "has a member named '/0/a.png', which leads out of it"),
        ([("C:/a.png", png())], "has a member named 'C:/a.png', which leads out of it"),
        ([("0\\a.png", png())], "has a member named '0\\a.png', which leads out of it"),
        ([("0/a.png", png()), ("0/a.png", png())], "has two members named '0/a.png'"),
        ([("0/a.png", png()), ("0/./a.png", png())], "has two members named '0/a.png'"),
        ([("0", png()), ("0/a.png", png())], "has both a file and a folder named '0'"),
        ([("0/a.png", png()), ("b.png", png())], "has images beside its class folders (b.png)"),
        ([("0/a.png", png()), ("0/b/c.png", png())], "has a subfolder 'b': images belong directly into root/<class>/"),
        ([("0/a.png", png()), ("1/b.png", png())], "are not the classes of 'digits': missing 2, 3, 4, 5, 6 and 3 more"),
        ([("0/a.png", png()), ("1/notes.txt", b"")], "has no images"),
        ([("readme.txt", b"")], "has no images"),
        ([], "has no images"),
        ([(f"{i}/a.png", png((16, 16 + i % 2))) for i in range(10)], "has images of 2 sizes (16x16, 16x17)"),
    ],
)
def test_archives_of_a_wrong_layout(refused: Refused, tmp_path: Path, members: list[tuple[str, bytes]], said: str) -> None:
    line = refused("score", archive(tmp_path / "a.zip", members), *DIGITS)
    assert said in line
    assert str(tmp_path / "a.zip") in line


def test_a_bomb_is_not_opened(refused: Refused, tmp_path: Path) -> None:
    path = archive(tmp_path / "bomb.zip", [("0/a.png", bytes(LARGEST + 1))])
    assert path.stat().st_size < LARGEST // 500
    assert refused("score", path, *DIGITS) == (
        f"{path}/0/a.png would be {LARGEST + 1:,} bytes, more than the {LARGEST:,} of any image"
    )
    many = np.lib.format.header_data_from_array_1_0(np.zeros((1, 1, 1, 1), np.uint8)) | {"shape": (3, 6000, 6000, 3)}
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, many)
    path = archive(tmp_path / "bomb.npz", [("arr_0.npy", buffer.getvalue() + bytes(3 * 6000 * 6000 * 3))])
    assert refused("score", path, *DIGITS).startswith(f"{path}: one row of 'arr_0' is 108,000,000 bytes")


def test_an_encrypted_archive(refused: Refused, tmp_path: Path) -> None:
    content = bytearray(archive(tmp_path / "a.zip", [("0/a.png", png())]).read_bytes())
    content[content.index(b"PK\x03\x04") + 6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "a.zip").write_bytes(content)
    assert (
        refused("score", tmp_path / "a.zip", *DIGITS)
        == f"{tmp_path / 'a.zip'} is encrypted: pack the images again without a password"
    )


@pytest.mark.parametrize("suffix", [".zip", ".npz"])
@pytest.mark.parametrize("kept", [0.0, 0.3, 0.99])
def test_truncated_archives(
    refused: Refused, few_folder: Path, few_npz: Path, zipped: Callable[..., Path], tmp_path: Path, suffix: str, kept: float
) -> None:
    whole = (zipped(few_folder, tmp_path / "whole.zip") if suffix == ".zip" else few_npz).read_bytes()
    path = tmp_path / f"cut{suffix}"
    path.write_bytes(whole[: int(kept * len(whole))])
    assert refused("score", path, *DIGITS) == f"{path} is damaged, cut off, or no {suffix} file: make or download it again"


def test_one_flipped_byte_in_an_image_of_an_archive(
    refused: Refused, few_folder: Path, zipped: Callable[..., Path], tmp_path: Path
) -> None:
    path = zipped(few_folder, tmp_path / "few.zip")
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as packed:
        member = packed.infolist()[5]
    content[member.header_offset + 30 + len(member.filename) + 40] ^= 0x10
    path.write_bytes(content)
    assert refused("score", path, *DIGITS).startswith(f"{path} is damaged at {member.filename}")


def test_a_pickle_and_an_array_of_objects(refused: Refused, tmp_path: Path) -> None:
    np.savez(tmp_path / "objects.npz", images=np.array([{"a": 1}], dtype=object))
    line = refused("score", tmp_path / "objects.npz", *DIGITS)
    assert line == f"{tmp_path / 'objects.npz'}: 'images' holds Python objects, which are never opened: save arrays of numbers"
    (tmp_path / "pickle.npz").write_bytes(pickle.dumps({"images": np.zeros((2, 8, 8, 3), np.uint8)}))
    assert "pickle.npz is damaged, cut off, or no .npz file" in refused("score", tmp_path / "pickle.npz", *DIGITS)
    archive(tmp_path / "inside.npz", [("images.npy", pickle.dumps(np.zeros(3)))])
    assert "inside.npz is damaged, cut off, or no .npz file" in refused("score", tmp_path / "inside.npz", *DIGITS)
    archive(tmp_path / "strange.npz", [("images.pkl", pickle.dumps(np.zeros(3)))])
    assert "strange.npz holds 'images.pkl', which is no array" in refused("score", tmp_path / "strange.npz", *DIGITS)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (np.arange(40), "'labels' goes from 0 to 39, the 10 classes of 'digits' from 0 to 9"),
        (np.arange(40) % 10 - 1, "'labels' goes from -1 to 8, the 10 classes of 'digits' from 0 to 9"),
        (np.arange(39) % 10, "'labels' holds int64 of the shape (39,): 40 images need 40 whole numbers"),
        (np.eye(10)[np.arange(40) % 10], "'labels' holds float64 of the shape (40, 10): 40 images need 40 whole numbers"),
        (np.arange(40).astype(np.float32), "'labels' holds float32 of the shape (40,): 40 images need 40 whole numbers"),
    ],
)
def test_labels_that_do_not_fit(refused: Refused, tmp_path: Path, labels: np.ndarray, said: str) -> None:
    np.savez(tmp_path / "a.npz", images=np.zeros((40, 16, 16), np.uint8), labels=labels)
    assert refused("score", tmp_path / "a.npz", *DIGITS) == f"{tmp_path / 'a.npz'}: {said}"


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("arr_0", "images"), "has both images and arr_0: keep the images that are meant"),
        (("arr_0", "arr_1", "labels"), "has both labels and arr_1: keep the labels that are meant"),
        (("images", "mu", "sigma"), "has images beside mu and sigma: keep the images or the statistics"),
        (("images", "sigma"), "has images beside sigma: keep the images or the statistics"),
    ],
)
def test_arrays_of_which_two_could_be_meant(refused: Refused, tmp_path: Path, names: tuple[str, ...], said: str) -> None:
    arrays = {"mu": np.zeros(64), "sigma": np.eye(64), **dict.fromkeys(("labels", "arr_1"), np.arange(40) % 10)}
    np.savez(tmp_path / "a.npz", **{name: arrays.get(name, np.zeros((40, 16, 16), np.uint8)) for name in names})
    assert refused("score", tmp_path / "a.npz", *DIGITS) == f"{tmp_path / 'a.npz'} {said}"


def test_a_single_array(refused: Refused, few_npz: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", np.zeros((40, 16, 16), np.uint8))
    said = f"{tmp_path / 'images.npy'}: .npy files are not read: write an .npz with numpy.savez, of images or of mu and sigma"
    assert refused("score", tmp_path / "images.npy", *DIGITS) == said
    assert refused("score", few_npz, "--reference", tmp_path / "images.npy") == said


def test_arrays_of_other_names(refused: Refused, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros(3))
    line = refused("score", tmp_path / "a.npz", *DIGITS)
    assert (
        line
        == f"{tmp_path / 'a.npz'} has neither images nor arr_0 nor mu and sigma, but x: save the images as uint8 under 'images'"
    )


def test_half_of_the_statistics(refused: Refused, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", mu=np.zeros(3))
    line = refused("score", tmp_path / "a.npz", *DIGITS)
    assert line == f"{tmp_path / 'a.npz'} has neither images nor arr_0 nor mu and sigma, but mu: statistics are both"


@pytest.mark.parametrize("words", [("--num", "3"), ("--label-count", "3"), ("--z-dim", "3")])
def test_words_for_checkpoints_with_given_images(
    refused: Refused, few_folder: Path, few_npz: Path, tmp_path: Path, words: tuple[str, str]
) -> None:
    np.savez(tmp_path / "moments.npz", mu=np.zeros(64), sigma=np.eye(64))
    for path in (few_folder, few_npz, tmp_path / "moments.npz"):
        line = refused("score", path, *DIGITS, *words)
        assert line.startswith(
            "--num 3: the " if words[0] == "--num" else "--label-count and --z-dim are for foreign checkpoints"
        )
        assert str(path) in line


def test_words_for_foreign_checkpoints_with_one_of_ours(refused: Refused, tiny_run: Path) -> None:
    line = refused("score", tiny_run, "--label-count", "10")
    assert line.startswith("--label-count and --z-dim are for foreign checkpoints: ")


def features(path: Path, **record: object) -> Path:
    bank = FeatureBank(np.random.default_rng(0).standard_normal((300, 64)).astype(np.float32), labels=np.arange(300) % 10)
    save_bank(path, bank, {"source": {}, "extractor": find_extractor("digits-cnn").fingerprint, **record})
    return path


def test_features_of_another_extractor(refused: Refused, tmp_path: Path) -> None:
    path = features(tmp_path / "bank", extractor="0", extractor_name="inception")
    line = refused("score", path, *DIGITS)
    said = f"{path} has the features of inception, not of digits-cnn with these weights: choose it with --extractor"
    assert line == f"{said}, and --precision bf16 where its name ends in @bf16"
    assert refused("score", path) == f"{path} is a folder of features: say what it is held against with --dataset NAME"


def test_features_with_labels_of_other_classes(refused: Refused, tmp_path: Path) -> None:
    path = features(tmp_path / "bank", classes=["a", "b"])
    assert refused("score", path, *DIGITS).startswith(f"{path} has the labels of other classes than those of 'digits'")


def test_a_bank_that_is_not_finite_or_altered(refused: Refused, tmp_path: Path) -> None:
    from ganeval.checkpoints import save_folder

    values = torch.zeros(300, 64)
    values[7, 3] = float("nan")
    record = {"kind": "features", "source": {}, "extractor": find_extractor("digits-cnn").fingerprint}
    save_folder(tmp_path / "nan", {"bank": {"features": values}}, record)
    assert refused("score", tmp_path / "nan", *DIGITS) == f"{tmp_path / 'nan'}: features of sample 7 are not finite"
    save_folder(tmp_path / "halves", {"bank": {"features": torch.zeros(3, 64).half()}}, record)
    assert "is no bank of features" in refused("score", tmp_path / "halves", *DIGITS)
    save_folder(tmp_path / "empty", {"bank": {"labels": torch.zeros(3, dtype=torch.int64)}}, record)
    assert "is no bank of features" in refused("score", tmp_path / "empty", *DIGITS)
    file = features(tmp_path / "altered") / "bank.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"\xff")
    assert refused("score", tmp_path / "altered", *DIGITS).startswith(f"{file} is damaged")


def test_moments_give_nothing_but_a_distance(refused: Refused, tmp_path: Path) -> None:
    np.savez(tmp_path / "moments.npz", mu=np.zeros(64), sigma=np.eye(64))
    line = refused("score", tmp_path / "moments.npz", *DIGITS, "--metrics", "fid,is")
    assert line == "is: only a mean and a covariance are known of moments.npz, which give a Fréchet distance (fid) and no more"
    line = refused("score", tmp_path / "moments.npz", *DIGITS, "--save-features", tmp_path / "kept")
    assert line.startswith("--save-features: a mean and a covariance are all")


@pytest.mark.parametrize("option", [(), ("--reference",)])
def test_statistics_that_are_none(refused: Refused, few_npz: Path, tmp_path: Path, option: tuple[str, ...]) -> None:
    path = tmp_path / "bad.npz"
    for arrays, said in (
        ({"mu": np.full(64, np.nan), "sigma": np.eye(64)}, "mu has numbers that are not finite"),
        ({"mu": np.zeros(64), "sigma": -np.eye(64)}, "sigma has the eigenvalue -1, so it is no covariance"),
        ({"mu": np.zeros(64), "sigma": np.tri(64)}, "sigma is not symmetric, so it is no covariance"),
        ({"mu": np.zeros(64), "sigma": np.eye(3)}, "mu has the shape (64,) and sigma (3, 3)"),
    ):
        np.savez(path, **arrays)
        line = refused("score", few_npz, *DIGITS, *option, path) if option else refused("score", path, *DIGITS)
        assert line.startswith(f"{path}: {said}")
    if option:
        assert refused("score", few_npz, "--reference", "nowhere.npz").startswith(
            "no file nowhere.npz: give an .npz with mu and sigma"
        )


def test_a_pth_of_an_unknown_network_says_what_it_did_not_understand(refused: Refused, tmp_path: Path) -> None:
    path = tmp_path / "model=G-x.pth"
    torch.save({"state_dict": {"mapping.fc0.weight": torch.zeros(3, 3), "torgb.bias": torch.zeros(3)}}, path)
    line = refused("score", path, *DIGITS)
    assert line.startswith(f"{path}: has weights that ganeval does not know: ")
    assert "mapping.fc0.weight" in line
    assert "torgb.bias" in line


def test_unlabelled_images_beside_an_asked_for_accuracy(refused: Refused, few_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "flat").mkdir()
    for file in few_folder.glob("*/*.png"):
        shutil.copy(file, tmp_path / "flat")
    line = refused("score", tmp_path / "flat", *DIGITS, "--metrics", "fid,top1")
    assert line.startswith("top1: the images have no labels that count the dataset's classes")


def test_weights_of_a_wrong_hash(refused: Refused, few_npz: Path, tmp_path: Path) -> None:
    weights = tmp_path / "weights-inception-2015-12-05-6726825d.pth"
    weights.write_bytes(b"not what the name says")
    line = refused("score", few_npz, *DIGITS, "--extractor", f"inception:{weights}", "--metrics", "fid")
    assert str(weights) in line
