"""What every test shares."""

from __future__ import annotations

import os

# Several test processes with several threads each on two cores spend their time waiting for each other.
os.environ["OMP_NUM_THREADS"] = "1"

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's cache."""
    monkeypatch.setenv("GANEVAL_HOME", str(tmp_path_factory.getbasetemp() / "home"))
