"""Intra-class distance: the plain computation class by class, and sensitive to what the distance of the whole does not see."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg

from ganeval.errors import MetricError
from ganeval.features import FeatureBank, moments_of
from ganeval.metrics.frechet import Frechet
from ganeval.metrics.intra_frechet import IntraFrechet, intra_class_distances


def bank(seed: int, counts: list[int], dimensions: int = 24, shift: float = 1.0) -> FeatureBank:
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(counts)), counts)
    features = np.abs(rng.standard_normal((len(labels), dimensions)) + shift * labels[:, None])
    order = rng.permutation(len(labels))
    return FeatureBank(features[order].astype(np.float32), None, labels[order])


def by_matrix_root(x: np.ndarray, y: np.ndarray) -> float:
    a, b = moments_of(x), moments_of(y)
    values, vectors = np.linalg.eigh(a.cov)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    cross = scipy.linalg.sqrtm(root @ b.cov @ root).real
    return float(np.square(a.mean - b.mean).sum() + np.trace(a.cov + b.cov - 2 * cross))


def test_agrees_with_the_plain_computation_of_each_class() -> None:
    # Fewer samples than dimensions on both sides, on one, on none.
    fake, real = bank(1, [10, 15, 100]), bank(2, [12, 90, 80], shift=1.2)
    found = intra_class_distances(fake, real)
    expected = {
        c: by_matrix_root(fake.features[fake.labels == c], real.features[real.labels == c]) for c in range(3)
    }  # fmt: skip
    assert list(found) == [0, 1, 2]
    assert found == pytest.approx(expected, rel=1e-6)
    assert IntraFrechet().compute(fake, real)["ifid"] == pytest.approx(np.mean(list(expected.values())), rel=1e-6)


def test_every_class_counts_the_same() -> None:
    fake, real = bank(3, [10, 200]), bank(4, [60, 60], shift=2.0)
    found = intra_class_distances(fake, real)
    assert found[0] != pytest.approx(found[1], rel=0.5)
    assert IntraFrechet().compute(fake, real)["ifid"] == pytest.approx((found[0] + found[1]) / 2, rel=1e-12)


def test_exchanged_classes_are_seen_here_and_nowhere_else() -> None:
    real, fake = bank(5, [200, 200], shift=3.0), bank(6, [200, 200], shift=3.0)
    exchanged = FeatureBank(fake.features, None, 1 - fake.labels)
    assert Frechet().compute(fake, real) == Frechet().compute(exchanged, real)
    assert IntraFrechet().compute(exchanged, real)["ifid"] > 20 * IntraFrechet().compute(fake, real)["ifid"]


@pytest.mark.parametrize(
    ("fakes", "reals", "said"),
    [
        ([5, 1], [5, 5], "class 1 has 1 samples and 5 reference images: 2 of each are needed at least"),
        ([5, 5], [5, 1], "class 1 has 5 samples and 1 reference images"),
        ([5, 5], [5], "class 1 has 5 samples and 0 reference images"),
        ([5], [5, 5], "class 1 has 0 samples and 5 reference images"),
        ([], [], "there are no samples"),
    ],
)
def test_a_class_without_images_is_an_error_not_left_out(fakes: list[int], reals: list[int], said: str) -> None:
    with pytest.raises(MetricError, match=said):
        IntraFrechet().compute(bank(7, fakes), bank(8, reals))


def test_labels_are_needed_on_both_sides() -> None:
    with_labels = bank(9, [5, 5])
    without = FeatureBank(with_labels.features)
    with pytest.raises(MetricError, match="the samples carry no class labels"):
        IntraFrechet().compute(without, with_labels)
    with pytest.raises(MetricError, match="the reference images carry no class labels"):
        IntraFrechet().compute(with_labels, without)
