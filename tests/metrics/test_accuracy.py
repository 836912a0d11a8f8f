"""Classifier accuracy: hand cases, ties, agreement with torch's top-k."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ganeval.errors import MetricError
from ganeval.features import FeatureBank
from ganeval.metrics.accuracy import Accuracy, rank_of_label, top_accuracy


def bank(logits: np.ndarray, labels: np.ndarray | None) -> FeatureBank:
    return FeatureBank(np.zeros((len(logits), 1), dtype=np.float32), logits.astype(np.float32), labels)


def test_ranks_by_hand() -> None:
    logits = np.array([[0.1, 3.0, 2.0], [5.0, 1.0, 4.0], [0.0, -1.0, -2.0]])
    assert rank_of_label(logits, np.array([0, 2, 2])).tolist() == [2, 1, 2]
    assert [top_accuracy(logits, np.array([1, 2, 2]), k) for k in (1, 2, 3)] == [1 / 3, 2 / 3, 1.0]


def test_ties_go_to_the_smaller_index() -> None:
    logits = np.array([[1.0, 1.0, 0.0, 1.0]] * 4)
    assert rank_of_label(logits, np.arange(4)).tolist() == [0, 1, 3, 2]


def test_agrees_with_topk() -> None:
    rng = np.random.default_rng(0)
    logits, labels = rng.standard_normal((300, 12)).astype(np.float32), rng.integers(0, 12, 300)
    logits[np.arange(300), labels] += 1
    best = torch.from_numpy(logits).topk(5, dim=1).indices.numpy() == labels[:, None]
    values = Accuracy().compute(bank(logits, labels), None)
    assert values == {"top1": pytest.approx(best[:, 0].mean(), rel=1e-12), "top5": pytest.approx(best.any(1).mean(), rel=1e-12)}
    assert 0.1 < values["top1"] < values["top5"] < 0.95


@pytest.mark.parametrize(("classes", "keys"), [(2, {"top1"}), (5, {"top1"}), (6, {"top1", "top5"})])
def test_top5_is_absent_where_it_is_always_one(classes: int, keys: set[str]) -> None:
    assert set(Accuracy().compute(bank(np.zeros((3, classes)), np.zeros(3, dtype=np.int64)), None)) == keys


def test_mistakes_are_told() -> None:
    logits, labels = np.zeros((4, 3)), np.array([0, 1, 3, 2])
    with pytest.raises(MetricError, match="label 3 of sample 2 is none of the classifier's 3 classes"):
        Accuracy().compute(bank(logits, labels), None)
    with pytest.raises(MetricError, match="label -1 of sample 1"):
        top_accuracy(logits, np.array([0, -1, 0, 0]))
    with pytest.raises(MetricError, match="no conditioning labels"):
        Accuracy().compute(bank(logits, None), None)
    with pytest.raises(MetricError, match="no class logits"):
        Accuracy().compute(FeatureBank(np.zeros((4, 1), dtype=np.float32), labels=labels), None)
    with pytest.raises(MetricError, match="2 labels for the logits of 4 samples"):
        rank_of_label(logits, np.array([0, 1]))
    with pytest.raises(MetricError, match="at least 1 sample"):
        top_accuracy(np.zeros((0, 3)), np.zeros(0, dtype=np.int64))
    with pytest.raises(MetricError, match="logits of sample 0 are not finite"):
        top_accuracy(np.array([[np.nan, 0.0]]), np.array([1]))


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 20), classes=st.integers(1, 9))
def test_ranks_are_a_permutation_and_accuracy_grows_with_k(seed: int, count: int, classes: int) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.integers(0, 3, (count, classes)).astype(np.float32)  # many ties
    every = np.stack([rank_of_label(logits, np.full(count, label)) for label in range(classes)], axis=1)
    assert (np.sort(every, axis=1) == np.arange(classes)).all()
    assert (every[np.arange(count), logits.argmax(axis=1)] == 0).all()
    labels = rng.integers(0, classes, count)
    growing = [top_accuracy(logits, labels, k) for k in range(1, classes + 1)]
    assert growing == sorted(growing)
    assert growing[-1] == 1.0
