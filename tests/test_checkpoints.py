"""The checkpoint format: whatever is not exactly what was saved is refused, and nothing is ever executed."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ganeval.checkpoints import MANIFEST, canonical_json, load_folder, read_record, save_folder, sha256_of
from ganeval.errors import UserError
from ganeval.files import UNFINISHED

TENSORS = {
    "generator": {"a.weight": torch.arange(6, dtype=torch.float32).reshape(2, 3), "count": torch.tensor(7)},
    "ema": {"half": torch.tensor([1.5], dtype=torch.bfloat16), "empty": torch.empty(0, 3)},
}
RECORD = {"kind": "test", "step": 3, "nested": {"list": [1, 2.5, None, "x"]}}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "checkpoint"
    save_folder(path, TENSORS, RECORD)
    return path


def test_what_is_loaded_is_what_was_saved(saved: Path) -> None:
    folder = load_folder(saved)
    assert folder.record == RECORD == read_record(saved)
    assert folder.tensors.keys() == TENSORS.keys()
    for name, content in TENSORS.items():
        for key, value in content.items():
            assert folder.tensors[name][key].dtype == value.dtype
            assert torch.equal(folder.tensors[name][key], value)


def test_the_hash_is_of_the_content(saved: Path, tmp_path: Path) -> None:
    same = save_folder(tmp_path / "same", TENSORS, RECORD)
    other = save_folder(tmp_path / "other", TENSORS, {**RECORD, "step": 4})
    assert load_folder(saved).sha256 == same != other


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_flipped_bit_is_noticed(saved: Path, tmp_path: Path, data: st.DataObject) -> None:
    damaged = tmp_path / "damaged"
    shutil.rmtree(damaged, ignore_errors=True)
    shutil.copytree(saved, damaged)
    file = data.draw(st.sampled_from(sorted(path.name for path in saved.iterdir())))
    content = bytearray((damaged / file).read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    (damaged / file).write_bytes(content)
    with pytest.raises(UserError):
        load_folder(damaged)


@pytest.mark.parametrize("file", [MANIFEST, "generator.safetensors", "ema.safetensors"])
@pytest.mark.parametrize("length", [0, 1, -1])
def test_truncation_is_noticed(saved: Path, tmp_path: Path, file: str, length: int) -> None:
    damaged = Path(shutil.copytree(saved, tmp_path / "damaged"))
    (damaged / file).write_bytes((damaged / file).read_bytes()[:length])
    with pytest.raises(UserError, match="damaged"):
        load_folder(damaged)


def test_a_missing_file_is_named(saved: Path, tmp_path: Path) -> None:
    damaged = Path(shutil.copytree(saved, tmp_path / "damaged"))
    (damaged / "ema.safetensors").unlink()
    with pytest.raises(UserError, match=r"ema\.safetensors is missing"):
        load_folder(damaged)


def test_a_wanted_file_the_checkpoint_never_had_is_named(saved: Path) -> None:
    with pytest.raises(UserError, match=r"has no discriminator\.safetensors"):
        load_folder(saved, ["discriminator"])


class Malicious:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


def test_a_pickle_is_refused_and_not_executed(tmp_path: Path) -> None:
    trace = tmp_path / "executed"
    file = tmp_path / "checkpoint.pth"
    file.write_bytes(pickle.dumps(Malicious(trace)))
    with pytest.raises(UserError, match="never executed"):
        load_folder(file)
    inside = tmp_path / "folder"
    save_folder(inside, TENSORS, RECORD)
    (inside / "ema.safetensors").write_bytes(pickle.dumps(Malicious(trace)))
    with pytest.raises(UserError, match="damaged"):
        load_folder(inside)
    assert not trace.exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: m.update(format=2), "update ganeval"),
        (lambda m: m["files"].update({"../outside.safetensors": m["files"]["ema.safetensors"]}), "outside the checkpoint"),
        (lambda m: m["files"].update({"/etc/passwd": m["files"]["ema.safetensors"]}), "outside the checkpoint"),
    ],
)
def test_a_manifest_with_a_valid_hash_is_still_checked(saved: Path, tmp_path: Path, change: object, said: str) -> None:
    forged = Path(shutil.copytree(saved, tmp_path / "forged"))
    manifest = json.loads((forged / MANIFEST).read_text())
    manifest.pop("sha256")
    change(manifest)  # type: ignore[operator]
    (forged / MANIFEST).write_text(canonical_json({**manifest, "sha256": sha256_of(manifest)}))
    with pytest.raises(UserError, match=said):
        load_folder(forged)


@pytest.mark.parametrize("text", ["[]", "{}", "3", "not json", '{"sha256": 3}', '{"format": 1, "sha256": "x"}'])
def test_a_foreign_manifest_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(UserError, match="damaged"):
        load_folder(tmp_path)


def test_nothing_and_no_checkpoint_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no checkpoint at"):
        load_folder(tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"no manifest\.json"):
        load_folder(tmp_path)


def test_an_existing_folder_is_not_overwritten(saved: Path) -> None:
    before = {path.name: path.read_bytes() for path in saved.iterdir()}
    with pytest.raises(UserError, match="exists"):
        save_folder(saved, {}, {})
    assert {path.name: path.read_bytes() for path in saved.iterdir()} == before


def test_a_failed_save_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        save_folder(tmp_path / "checkpoint", TENSORS, {"bad": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_no_permission_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot write .*: (file exists|not a directory)"):
        save_folder(tmp_path / "file" / "checkpoint", TENSORS, RECORD)
    assert not list(tmp_path.glob(f"{UNFINISHED}*"))
