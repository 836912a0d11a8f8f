"""Writing files: atomically, but never in place of what is no file."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from ganeval.errors import UserError
from ganeval.files import require_writable, write_text


def test_a_pipe_is_written_and_stays_one(tmp_path: Path) -> None:
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    require_writable(pipe)
    write_text(pipe, "a card")
    reader.join(timeout=60)
    assert (read, pipe.is_fifo()) == (["a card"], True)


@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_one_and_what_it_leads_to_is_written(tmp_path: Path, there: bool) -> None:
    target, link = tmp_path / "elsewhere" / "card.json", tmp_path / "card.json"
    target.parent.mkdir()
    if there:
        target.write_text("old")
    link.symlink_to(target)
    require_writable(link)
    write_text(link, "new")
    assert (link.is_symlink(), target.read_text()) == (True, "new")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["card.json", "card.json", "elsewhere"]


def test_a_folder_is_no_place_for_a_file(tmp_path: Path) -> None:
    for write in (require_writable, lambda path: write_text(path, "new")):
        with pytest.raises(UserError, match="cannot write"):
            write(tmp_path)
