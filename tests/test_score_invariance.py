"""A score does not depend on how the work was cut. Nothing is served from a cache: every score has a home of its own.

The order of files is tested where torch-fidelity is, in tests/extractors/test_peers.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from ganeval.extractors import classifier
from ganeval.sampling import generate
from ganeval.scorecard import Score
from ganeval.scoring import score

COUNT = 300
KEYS = ["fid", "is", "am", "top1"]


def fresh(run: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Score, ...]:
    """Values of ``run`` with nothing in the cache."""
    monkeypatch.setenv("GANEVAL_HOME", str(home))
    return score(run, num=COUNT, metrics=KEYS).scores


def test_the_batch_size_of_sampling_does_not_matter(tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = fresh(tiny_run, tmp_path / "whole", monkeypatch)
    assert len(expected) == len(KEYS)
    for batch_size in (7, 300):
        monkeypatch.setitem(generate.__kwdefaults__, "batch_size", batch_size)
        assert fresh(tiny_run, tmp_path / str(batch_size), monkeypatch) == expected


def test_the_pieces_in_which_features_are_extracted_do_not_matter(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = fresh(tiny_run, tmp_path / "whole", monkeypatch)
    monkeypatch.setattr(classifier, "CHUNK", classifier.BLOCK)
    assert fresh(tiny_run, tmp_path / "pieces", monkeypatch) == expected
