"""What goes wrong around a run: the disk, the folder, the data, another run. One line, status 2, and nothing is lost."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result

from ganeval.checkpoints import Folder, load_folder
from ganeval.files import UNFINISHED
from ganeval.sampling import resolve_checkpoint

TINY = (
    "backbone.g_channels=2", "backbone.d_channels=2", "conditioning.embed_dim=8", "schedule.batch_size=4", "schedule.d_steps=1"
)  # fmt: skip
RARELY = ("--log-every", "1000", "--snapshot-every", "1000", "--no-tensorboard")
Run = Callable[..., Result]


@pytest.fixture
def train(ganeval: Run) -> Run:
    """``ganeval train reacgan digits`` in this process, tiny."""
    return lambda *words, data="digits", method="reacgan": ganeval("train", method, data, *TINY, *RARELY, *words)


def intact(out: Path) -> Folder:
    """The checkpoint ``latest`` points to; it and all others load whole, and nothing half written lies about."""
    for checkpoint in (out / "checkpoints").iterdir():
        load_folder(checkpoint)
    assert not list(out.rglob(f"{UNFINISHED}*"))
    return load_folder(resolve_checkpoint(out))


def refused(done: Result, line: str) -> None:
    assert (done.exit_code, done.stderr) == (2, f"ganeval: {line}\n")


@contextlib.contextmanager
def mounted(path: Path, options: str) -> Iterator[Path]:
    """A tmpfs at ``path``; skips where this user may not mount."""
    path.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"mounting a small disk needs root: {done.stderr.strip()}")
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


@pytest.mark.skipif(shutil.which("mount") is None, reason="no mount on this system")
@pytest.mark.parametrize("viewer", ["--no-tensorboard", "--tensorboard"])
def test_a_full_disk_stops_the_run_and_the_same_command_goes_on(train: Run, tmp_path: Path, viewer: str) -> None:
    often = ("--checkpoint-every", 1, "--keep", 1000, "--log-every", 1, viewer)
    with mounted(tmp_path / "disk", "size=1200k") as disk:
        out = disk / "run"
        done = train("--out", out, "--steps", 100, *often)
        assert done.exit_code == 2
        (line,) = (line for line in done.stderr.splitlines() if line.startswith("ganeval: "))
        # The last bytes may be missing for the checkpoint, or for the pointer to it.
        where = re.escape(str(out)) + r"/(checkpoints/step-\d{8}|latest)"
        assert re.fullmatch(rf"ganeval: cannot write {where}: no space left on device", line)
        reached = intact(out).record["step"]
        assert reached >= 2
        shutil.rmtree(out / "checkpoints" / "step-00000001")  # some room
        again = train("--out", out, "--steps", reached + 2, "--checkpoint-every", 1, "--keep", 1)
        assert again.exit_code == 0, again.stderr
        resumed = intact(out)
        assert train("--out", tmp_path / "whole", "--steps", reached + 2).exit_code == 0
        assert resumed.file_sha256 == intact(tmp_path / "whole").file_sha256


def test_a_limit_on_files_is_a_full_disk_too(train: Run, tmp_path: Path) -> None:
    """Where nothing can be mounted: files may not grow beyond 9 KB, the optimisers' do."""
    out = tmp_path / "run"
    assert train("--out", out, "--steps", 1).exit_code == 0
    before = intact(out)
    words = ["train", "reacgan", "digits", *TINY, *RARELY, "--steps", "2", "--out", str(out)]
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (9000, {resource.RLIM_INFINITY}))"
    script = f"from ganeval.cli import main; {limit}; main({words!r})"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == f"ganeval: cannot write {out / 'checkpoints' / 'step-00000002'}: file too large"
    assert "Traceback" not in done.stderr
    assert intact(out).sha256 == before.sha256
    assert train("--out", out, "--steps", 2).exit_code == 0
    assert intact(out).record["step"] == 2


def test_a_folder_that_cannot_be_made_is_said_before_anything_is_computed(train: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    refused(train("--out", tmp_path / "file", "--steps", 1), f"{tmp_path / 'file'} is a file: choose another --out")
    below = tmp_path / "file" / "run"
    refused(train("--out", below, "--steps", 1), f"cannot write {below}: not a directory")
    assert (tmp_path / "file").read_text() == "precious"


@pytest.mark.skipif(shutil.which("mount") is None, reason="no mount on this system")
def test_a_run_on_a_disk_that_became_read_only_is_left_as_it_is(train: Run, tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=20m") as disk:
        out = disk / "run"
        assert train("--out", out, "--steps", 1).exit_code == 0
        before = intact(out)
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        refused(train("--out", out, "--steps", 2), f"cannot write {out / '.lock'}: read-only file system")
        refused(train("--out", disk / "new", "--steps", 1), f"cannot write {disk / 'new'}: read-only file system")
        assert intact(out).sha256 == before.sha256


def test_data_that_changed_since_the_run_began_are_refused(train: Run, real_folder: Path, tmp_path: Path) -> None:
    data, out = tmp_path / "photos", tmp_path / "run"
    shutil.copytree(real_folder, data)
    assert train("--out", out, "--steps", 1, data=data).exit_code == 0
    before = intact(out)
    first, second = sorted((data / "0").iterdir())[:2]
    content = first.read_bytes()
    shutil.copy(second, first)
    done = train("--out", out, "--steps", 2, data=data)
    assert done.exit_code == 2
    change = r"dataset\.sha256: '?[0-9a-f]{64}'? -> '?[0-9a-f]{64}'?"
    assert re.fullmatch(rf"ganeval: {out} holds another run \({change}\): choose another --out\n", done.stderr)
    first.unlink()
    done = train("--out", out, "--steps", 2, data=data)
    assert done.exit_code == 2
    assert re.match(rf"ganeval: {out} holds another run \(dataset\.count: 500 -> 499; {change}\)", done.stderr)
    assert intact(out).sha256 == before.sha256
    first.write_bytes(content)  # and as they were, the run goes on
    assert train("--out", out, "--steps", 2, data=data).exit_code == 0
    assert intact(out).record["step"] == 2


def test_the_folder_of_another_recipe_is_refused(train: Run, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert train("--out", out, "--steps", 1).exit_code == 0
    before = intact(out)
    line = f"{out} holds another run (schedule.batch_size: 4 -> 5): choose another --out"
    refused(train("schedule.batch_size=5", "--out", out), line)
    refused(train("--seed", 3, "--out", out), f"{out} holds another run (seed: 0 -> 3): choose another --out")
    assert intact(out).sha256 == before.sha256
    assert train("--out", out, "--steps", 2).exit_code == 0


def test_of_two_processes_in_one_folder_the_second_is_refused_and_the_first_goes_on(train: Run, tmp_path: Path) -> None:
    out = tmp_path / "run"
    words = ["train", "reacgan", "digits", *TINY, "--log-every", "1", "--no-tensorboard", "--out", str(out)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, "-m", "ganeval", *words, "--steps", "100000"], env=environment, stderr=subprocess.PIPE, text=True
    ) as first:
        deadline = time.monotonic() + 120
        while not (out / "log.jsonl").exists() and time.monotonic() < deadline and first.poll() is None:
            time.sleep(0.02)
        line = f"another process is training in {out}: wait for it or choose another --out"
        refused(train("--out", out, "--steps", 1), line)
        reached = (out / "log.jsonl").read_text().count("\n")
        while (out / "log.jsonl").read_text().count("\n") <= reached and time.monotonic() < deadline:
            time.sleep(0.02)
        assert first.poll() is None
        first.terminate()
        assert first.wait(timeout=120) == 143
    assert intact(out).record["step"] > reached
