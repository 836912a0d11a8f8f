"""The line over 1 / N: exact on lines, the textbook error of its intercept, the sizes of the subsets."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from ganeval.errors import MetricError
from ganeval.features import Int64
from ganeval.metrics.extrapolation import extrapolate, fewest, fit_line


def test_a_value_with_a_bias_of_a_over_n_is_read_off_exactly() -> None:
    found = extrapolate(lambda chosen: 2.5 - 7.0 / len(chosen), 1000, points=15, seed=0)
    assert found.limit == pytest.approx(2.5, rel=1e-12)
    assert found.slope == pytest.approx(-7.0, rel=1e-10)
    assert found.fit_error < 1e-12


def test_the_error_is_that_of_the_intercept() -> None:
    rng = np.random.default_rng(1)
    x = np.linspace(1e-3, 1e-2, 15)
    y = 3 + 40 * x + 0.1 * rng.standard_normal(15)
    known = scipy.stats.linregress(x, y)
    found = fit_line(list(x), list(y))
    assert (found.limit, found.slope) == pytest.approx((known.intercept, known.slope), rel=1e-10)
    assert found.fit_error == pytest.approx(known.intercept_stderr, rel=1e-10)


def test_subsets_grow_in_equal_steps_from_a_tenth_to_all_and_repeat_no_sample() -> None:
    subsets: list[Int64] = []

    def remember(chosen: Int64) -> float:
        subsets.append(chosen)
        return 1.0

    extrapolate(remember, 5000, points=15, seed=3)
    assert [len(chosen) for chosen in subsets] == [int(size) for size in np.linspace(500, 5000, 15)]
    assert all(len(set(chosen)) == len(chosen) for chosen in subsets)
    assert sorted(subsets[-1]) == list(range(5000))
    assert not set(subsets[0]) <= set(subsets[1])  # drawn anew, not one inside the other


def test_too_few_samples_or_points_are_told() -> None:
    assert extrapolate(lambda chosen: 1.0, fewest(15), points=15, seed=0).limit == pytest.approx(1.0)
    with pytest.raises(MetricError, match="over 15 points needs at least 30 samples, got 29"):
        extrapolate(lambda chosen: 1.0, 29, points=15, seed=0)
    with pytest.raises(MetricError, match="at least 3 points to have an error, got 2"):
        extrapolate(lambda chosen: 1.0, 100, points=2, seed=0)
