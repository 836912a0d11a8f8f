"""Inception Score: closed forms, agreement with torch-fidelity, order and bounds."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_fidelity.metric_isc import KEY_METRIC_ISC_MEAN, KEY_METRIC_ISC_STD, isc_features_to_metric

from ganeval.errors import MetricError
from ganeval.features import FeatureBank
from ganeval.metrics.inception_score import InceptionScore, inception_score, score_of_split


def bank(logits: np.ndarray) -> FeatureBank:
    return FeatureBank(np.zeros((len(logits), 1), dtype=np.float32), logits.astype(np.float32))


@pytest.mark.parametrize(
    ("count", "classes", "splits", "seed"), [(503, 20, 10, 2020), (97, 8, 4, 5), (60, 1008, 1, 0), (11, 3, 11, 1)]
)
def test_agrees_with_torch_fidelity(count: int, classes: int, splits: int, seed: int) -> None:
    logits = (4 * np.random.default_rng(0).standard_normal((count, classes))).astype(np.float32)
    ours = inception_score(bank(logits).log_probabilities, splits, seed)
    theirs = isc_features_to_metric(torch.from_numpy(logits), splits=splits, shuffle=True, rng_seed=seed)
    assert ours.mean == pytest.approx(theirs[KEY_METRIC_ISC_MEAN], rel=1e-12)
    assert ours.std == pytest.approx(theirs[KEY_METRIC_ISC_STD], rel=1e-9, abs=1e-12)


def test_the_defaults_are_torch_fidelitys() -> None:
    logits = np.random.default_rng(1).standard_normal((205, 6)).astype(np.float32)
    theirs = isc_features_to_metric(torch.from_numpy(logits))[KEY_METRIC_ISC_MEAN]
    assert InceptionScore().compute(bank(logits), None) == {"is": pytest.approx(theirs, rel=1e-12)}


@pytest.mark.parametrize("classes", [2, 10, 37])
def test_sure_and_balanced_predictions_score_the_number_of_classes(classes: int) -> None:
    logits = 1e4 * np.tile(np.eye(classes), (3, 1))
    assert inception_score(bank(logits).log_probabilities, splits=1).mean == pytest.approx(classes, rel=1e-12)


def test_constant_predictions_score_one() -> None:
    logits = np.tile(np.array([3.0, -2.0, 0.5, 0.0]), (50, 1))
    assert inception_score(bank(logits).log_probabilities, splits=5).mean == pytest.approx(1.0, abs=1e-12)
    assert inception_score(bank(1e4 * logits).log_probabilities, splits=5).mean == pytest.approx(1.0, abs=1e-12)


def test_samples_sorted_by_class_are_shuffled_before_they_are_split() -> None:
    logits = 1e4 * np.repeat(np.eye(4), 200, axis=0)
    in_order = np.mean([score_of_split(part) for part in np.split(bank(logits).log_probabilities, 4)])
    assert in_order == pytest.approx(1.0, abs=1e-12)
    assert 3.9 < inception_score(bank(logits).log_probabilities, splits=4).mean <= 4.0


def test_mistakes_are_told() -> None:
    few = bank(np.zeros((9, 3)))
    with pytest.raises(MetricError, match="9 samples cannot be cut into 10 splits"):
        InceptionScore().compute(few, None)
    with pytest.raises(MetricError, match="into 0 splits"):
        InceptionScore(splits=0).compute(few, None)
    with pytest.raises(MetricError, match="no class logits"):
        InceptionScore().compute(FeatureBank(np.zeros((20, 2), dtype=np.float32)), None)
    with pytest.raises(MetricError, match="log-probabilities of sample 1 are not finite"):
        inception_score(np.array([[0.0, 0.0], [np.nan, 0.0]]), splits=1)
    assert InceptionScore(splits=7).minimum == 7


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 30), classes=st.integers(1, 12), scale=st.floats(0, 1e3))
def test_lies_between_one_and_the_number_of_classes_whatever_the_order(seed: int, count: int, classes: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    log_probabilities = bank(scale * rng.standard_normal((count, classes))).log_probabilities
    score = score_of_split(log_probabilities)
    assert 1 - 1e-9 <= score <= classes * (1 + 1e-9)
    assert score_of_split(rng.permutation(log_probabilities)) == pytest.approx(score, rel=1e-9)
    assert score_of_split(rng.permutation(log_probabilities, axis=1)) == pytest.approx(score, rel=1e-9)
