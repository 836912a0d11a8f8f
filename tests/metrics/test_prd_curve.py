"""Precision and recall of distributions: closed forms of curves, and what clusters make of samples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganeval.errors import MetricError
from ganeval.features import FeatureBank
from ganeval.metrics.prd_curve import BETA, PRDCurve, best_f, cluster, prd_curve


def both(fake: list[float], reference: list[float]) -> tuple[float, float]:
    curve = prd_curve(np.array(fake, dtype=np.float64), np.array(reference, dtype=np.float64))
    return best_f(curve, BETA), best_f(curve, 1 / BETA)


def f(precision: float, recall: float, beta: float) -> float:
    return (1 + beta**2) * precision * recall / (beta**2 * precision + recall)


def blobs(seed: int, counts: list[int]) -> np.ndarray:
    """Tight clusters at whole numbers, ``counts[i]`` samples at i."""
    centres = np.repeat(np.arange(len(counts)), counts)[:, None]
    return (50 * centres + np.random.default_rng(seed).standard_normal((sum(counts), 2))).astype(np.float32)


def test_disjoint_distributions_have_nothing() -> None:
    assert both([1, 2, 0, 0], [0, 0, 1, 3]) == (0.0, 0.0)


def test_identical_distributions_have_all() -> None:
    assert both([1, 2, 5], [1, 2, 5]) == pytest.approx((1.0, 1.0), rel=1e-9)
    assert both([10, 20, 50], [1, 2, 5]) == pytest.approx((1.0, 1.0), rel=1e-9)


def test_half_of_the_modes_is_precise_and_forgetful() -> None:
    """All samples in half of the reference: precision 1 is reached with recall 1/2, at the slope 2 and beyond none better."""
    f8, f1_8 = both([1, 0], [1, 1])
    # Up to the slope 2 recall is 1/2 and precision l / 2; beyond it precision 1 and recall 1 / l: the corner is the best.
    assert (f8, f1_8) == pytest.approx((f(1, 0.5, 8), f(1, 0.5, 1 / 8)), rel=1e-3)
    assert f8 < 0.51
    assert f1_8 > 0.98
    assert both([1, 1], [1, 0]) == pytest.approx((f1_8, f8), rel=1e-3)  # the roles exchanged: the two exchanged


def test_the_corners_of_a_curve_by_hand() -> None:
    # P = (1/2, 1/2), Q = (3/4, 1/4): slopes 1/2 and 3/2 are the corners, with precision 1/2 and 1, recall 1 and 2/3.
    curve = prd_curve(np.array([3.0, 1.0]), np.array([1.0, 1.0]), angles=20001)
    assert best_f(curve, 8) == pytest.approx(max(f(0.5, 1, 8), f(1, 2 / 3, 8), f(0.75, 0.75, 8)), rel=1e-3)
    near = np.abs(curve.precision / np.maximum(curve.recall, 1e-12) - 1).argmin()
    assert curve.precision[near] == pytest.approx(0.75, abs=1e-3)  # at the slope 1: one less the total variation


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=2, max_size=20))
def test_exchanging_the_sets_exchanges_the_values(counts: list[tuple[int, int]]) -> None:
    fake, reference = [float(a) for a, _ in counts], [float(b) for _, b in counts]
    if min(sum(fake), sum(reference)) == 0:
        return
    f8, f1_8 = both(fake, reference)
    assert both(reference, fake) == pytest.approx((f1_8, f8), rel=1e-6, abs=1e-9)
    assert 0 <= min(f8, f1_8) <= max(f8, f1_8) <= 1


def test_samples_of_separate_clusters_give_the_closed_forms() -> None:
    metric = PRDCurve(clusters=4, runs=3)
    real = FeatureBank(blobs(0, [100, 100, 100, 100]))
    same = metric.compute(FeatureBank(blobs(1, [100, 100, 100, 100])), real)
    assert same == pytest.approx({"f8": 1.0, "f1_8": 1.0}, rel=1e-9)
    half = metric.compute(FeatureBank(blobs(2, [200, 200, 0, 0])), real)
    assert half == pytest.approx({"f8": f(1, 0.5, 8), "f1_8": f(1, 0.5, 1 / 8)}, rel=1e-3)
    elsewhere = PRDCurve(clusters=8, runs=3).compute(FeatureBank(blobs(3, [100] * 4) + np.float32(1000)), real)
    assert elsewhere == {"f8": 0.0, "f1_8": 0.0}


def test_the_larger_set_is_thinned_to_the_smaller() -> None:
    fake, real = blobs(4, [300, 100]), blobs(5, [50, 50])
    for clustering in cluster(fake, real, clusters=2, runs=3):
        assert (clustering.fake >= 0).sum() == 100
        assert clustering.reference.sum() == 100
    drawn = [tuple(np.flatnonzero(clustering.fake >= 0)) for clustering in cluster(fake, real, clusters=2, runs=3)]
    assert len(set(drawn)) == 3
    found = PRDCurve(clusters=2, runs=10).compute(FeatureBank(fake), FeatureBank(real))
    curve = prd_curve(np.array([3.0, 1.0]), np.array([1.0, 1.0]))
    assert found["f8"] == pytest.approx(best_f(curve, 8), abs=0.03)


def test_copies_of_few_images_leave_clusters_empty_without_a_warning(recwarn: pytest.WarningsRecorder) -> None:
    fake, real = np.repeat(blobs(6, [1, 1]), 20, axis=0), blobs(7, [20, 20])
    assert 0 <= PRDCurve(runs=2).compute(FeatureBank(fake), FeatureBank(real))["f8"] <= 1
    assert len(recwarn) == 0


def test_parameters_count_and_mistakes_are_told() -> None:
    fake, real = FeatureBank(blobs(8, [40, 20])), FeatureBank(blobs(9, [30, 30]))
    assert PRDCurve(seed=1).compute(fake, real) != PRDCurve(seed=2).compute(fake, real)
    assert PRDCurve().minimum == 20
    with pytest.raises(MetricError, match="at least 20 samples are needed in each set, got 19 and 60"):
        PRDCurve().compute(fake.take(np.arange(19)), real)
