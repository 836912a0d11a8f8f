"""A score does not depend on how the work was cut. Nothing is served from a cache: every score has a home of its own.

The order of files on the disk is tested where torch-fidelity is, in tests/extractors/test_peers.py.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from ganeval import defaults
from ganeval.data.registry import find_dataset
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


def test_the_order_of_images_matters_to_no_metric_of_our_protocols_and_to_two_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GANEVAL_HOME", str(tmp_path / "home"))
    images = find_dataset("digits").load("train", None)  # half as bright, or distances are those of a set from itself
    shuffled = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))

    def scored(name: str, order: Tensor, protocol: str) -> dict[str, Score]:
        pixels = (images.images[order] // 2).expand(-1, 3, -1, -1).permute(0, 2, 3, 1)
        np.savez(tmp_path / name, images=pixels.numpy(), labels=images.labels[order].numpy())
        return {
            each.key: each for each in score(tmp_path / name, protocol=protocol, dataset="digits", extractor="digits-cnn").scores
        }

    for protocol, some in (("ganeval-v1", {"kid", "is", "fid_inf", "f8"}), (defaults.PROTOCOL, {"kid", "is", "recall"})):
        a, b = (scored(f"{n}.npz", order, protocol) for n, order in enumerate((torch.arange(len(images)), shuffled)))
        assert a == b
        assert some <= a.keys()
    c, d = (scored(f"{n}.npz", order, "torch-fidelity") for n, order in enumerate((torch.arange(len(images)), shuffled)))
    assert {key for key in c if abs(float(c[key].value or 0) / float(d[key].value or 1) - 1) > 1e-9} == {"kid", "is"}
