"""Kernel distance: agreement with torch-fidelity, a hand-computed case, the estimator's lack of bias."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch_fidelity.defaults import DEFAULTS
from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, KEY_METRIC_KID_STD, kid_features_to_metric

from ganeval.errors import MetricError
from ganeval.features import FeatureBank
from ganeval.metrics import kernel
from ganeval.metrics.kernel import Kernel, Subsets, kernel_distance, kernel_distances_without, squared_discrepancy, sums_within
from ganeval.uncertainty import jackknife


def features(seed: int, count: int, dimensions: int = 48, shift: float = 0.0) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal((count, dimensions)) + shift).astype(np.float32)


@pytest.mark.parametrize(("n", "m", "subset_size", "seed"), [(300, 500, 100, 2020), (250, 201, 200, 7)])
def test_agrees_with_torch_fidelity(n: int, m: int, subset_size: int, seed: int) -> None:
    x, y = features(1, n), features(2, m, shift=0.3)
    ours = kernel_distance(x, y, subsets=20, subset_size=subset_size, seed=seed)
    options = {"kid_subsets": 20, "kid_subset_size": subset_size, "rng_seed": seed, "verbose": False}
    single = kid_features_to_metric(torch.from_numpy(x), torch.from_numpy(y), **options)
    assert ours.mean == pytest.approx(single[KEY_METRIC_KID_MEAN], rel=1e-5)
    assert ours.std == pytest.approx(single[KEY_METRIC_KID_STD], rel=1e-4)
    # Fed with float64 it leaves its float32 noise behind: the subsets and the estimator are the same.
    double = kid_features_to_metric(torch.from_numpy(x).double(), torch.from_numpy(y).double(), **options)
    assert ours.mean == pytest.approx(double[KEY_METRIC_KID_MEAN], rel=1e-11)
    assert ours.std == pytest.approx(double[KEY_METRIC_KID_STD], rel=1e-11)


def test_the_metric_takes_the_generated_set_first_and_torch_fidelitys_defaults() -> None:
    x, y = features(3, 120, 8), features(4, 101, 8, shift=0.2)
    metric = Kernel(subset_size=100)
    theirs = kid_features_to_metric(torch.from_numpy(x), torch.from_numpy(y), kid_subset_size=100, verbose=False)
    assert metric.compute(FeatureBank(x), FeatureBank(y)) == {"kid": pytest.approx(theirs[KEY_METRIC_KID_MEAN], rel=1e-5)}
    assert Kernel().subset_size == DEFAULTS["kid_subset_size"] == 1000


def test_three_against_two_samples_by_hand() -> None:
    # D = 1, k(x, y) = (xy + 1)^3. Within x: pairs (0,1), (0,2), (1,2) give 1, 1, 27; within y: (1, -1) gives 0.
    # Across: 1, 1, 8, 0, 27, -1.
    x, y = np.array([[0.0], [1.0], [2.0]]), np.array([[1.0], [-1.0]])
    assert squared_discrepancy(x, y) == pytest.approx(29 / 3 + 0 - 2 * 36 / 6, rel=1e-12)


def test_averages_to_zero_over_all_splits_of_one_population() -> None:
    # Unbiased: over all ways to deal six points into two halves, the mean of within- and between-pairs is the same.
    points = np.random.default_rng(0).standard_normal((6, 2))
    values = []
    for chosen in itertools.combinations(range(6), 3):
        rest = [i for i in range(6) if i not in chosen]
        values.append(squared_discrepancy(points[list(chosen)], points[rest]))
    assert np.mean(values) == pytest.approx(0, abs=1e-12)
    assert min(values) < 0 < max(values)


def test_full_subsets_do_not_depend_on_the_draw() -> None:
    x, y = features(5, 40), features(6, 40, shift=0.5)
    result = kernel_distance(x, y, subsets=5, subset_size=40, seed=1)
    assert result.std == pytest.approx(0, abs=1e-12)
    assert result.mean == pytest.approx(squared_discrepancy(x.astype(np.float64), y.astype(np.float64)), rel=1e-12)


def test_kernels_formed_once_are_those_of_every_pair_of_subsets(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y, drawn = features(5, 130), features(6, 90, shift=0.2), Subsets(number=30, size=40)
    group = np.arange(130) % 7
    whole = kernel_distances_without(x, y, group, drawn, sums_within(y, len(x), drawn))
    monkeypatch.setattr(kernel, "WHOLE", 0)
    apart = kernel_distances_without(x, y, group, drawn, sums_within(y, len(x), drawn))
    assert whole == pytest.approx(apart, rel=1e-11)
    assert len(set(whole)) == 8


def test_no_kernel_is_formed_where_subsets_cannot_be_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "_cubic", lambda x, y: pytest.fail("formed"))
    with pytest.raises(MetricError, match="subsets of 100 cannot be drawn"):
        Kernel(subset_size=100).compute(FeatureBank(features(1, 60)), FeatureBank(features(2, 300)))


def test_the_seed_draws_the_subsets() -> None:
    x, y = features(7, 60), features(8, 50, shift=0.1)
    first, again, other = (kernel_distance(x, y, subsets=3, subset_size=20, seed=seed).mean for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_mistakes_are_told() -> None:
    x = features(0, 30)
    with pytest.raises(MetricError, match=r"subsets of 1000 .* sets of 30 and 20 samples"):
        Kernel().compute(FeatureBank(x), FeatureBank(x[:20]))
    with pytest.raises(MetricError, match="subsets of 1 "):
        kernel_distance(x, x, subset_size=1)
    with pytest.raises(MetricError, match="48 and 9 feature dimensions"):
        kernel_distance(x, x[:, :9], subset_size=10)
    with pytest.raises(MetricError, match="features of sample 29 are not finite"):
        kernel_distance(np.where(np.arange(30)[:, None] == 29, np.nan, x), x, subset_size=10)
    with pytest.raises(MetricError, match="none was given"):
        Kernel().compute(FeatureBank(x), None)
    assert Kernel(subset_size=123).minimum == 123


def test_without_a_group_the_subsets_stay_as_they_are() -> None:
    rng = np.random.default_rng(20)
    x, y = rng.standard_normal((40, 3)), rng.standard_normal((50, 3)) + 0.3
    group = rng.permutation(40) % 5
    drawn = Subsets(3, 20)
    whole, *without = kernel_distances_without(x, y, group, drawn, sums_within(y, len(x), drawn))
    assert whole == kernel_distance(x, y, subsets=3, subset_size=20).mean
    stream, expected = np.random.RandomState(2020), []
    for _ in range(3):
        i, j = stream.choice(40, 20, replace=False), stream.choice(50, 20, replace=False)
        expected.append([squared_discrepancy(x[i[group[i] != g]], y[j]) for g in range(5)])
    assert without == pytest.approx(np.mean(expected, axis=0), rel=1e-9)
    assert min(np.abs(np.subtract(without, whole))) > 1e-5


def test_the_jackknife_sees_the_samples_and_not_the_draws() -> None:
    """With other draws for each group it would be several times the spread over generated sets; it was, once."""
    rng = np.random.default_rng(21)
    reference = FeatureBank(rng.standard_normal((500, 4)).astype(np.float32))
    metric = Kernel(subsets=4, subset_size=50)
    fakes = [FeatureBank((1.1 * rng.standard_normal((400, 4)) + 0.3).astype(np.float32)) for _ in range(80)]
    spread = np.std([metric.compute(fake, reference)["kid"] for fake in fakes], ddof=1)
    errors = [jackknife(metric, fake, reference)["kid"] for fake in fakes[:40]]
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(spread, rel=0.3)
