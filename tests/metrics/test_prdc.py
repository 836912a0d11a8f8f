"""Precision, recall, density, coverage: agreement with prdc and torch-fidelity, ties, blocks, orientation."""

from __future__ import annotations

import contextlib
import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from prdc import compute_prdc
from torch_fidelity.metric_prc import KEY_METRIC_PRECISION, KEY_METRIC_RECALL, prc_features_to_metric

from ganeval.errors import MetricError
from ganeval.features import FeatureBank
from ganeval.metrics.prdc import PRDC, Comparison, PrecisionRecallDensityCoverage, prdc


def features(seed: int, count: int, dimensions: int, scale: float = 1.0, offset: float = 0.0) -> np.ndarray:
    return (scale * np.random.default_rng(seed).standard_normal((count, dimensions)) + offset).astype(np.float32)


def by_definition(real: np.ndarray, fake: np.ndarray, k: int, comparison: Comparison) -> PRDC:
    """All distances at once, from differences: exact for small whole numbers."""
    real, fake = real.astype(np.float64), fake.astype(np.float64)

    def squares(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.square(x[:, None] - y[None]).sum(axis=2)

    inside = np.less if comparison == "less" else np.less_equal
    cross = squares(real, fake)
    in_real = inside(cross, np.sort(squares(real, real), axis=1)[:, k, None])
    in_fake = inside(cross, np.sort(squares(fake, fake), axis=1)[None, :, k])
    return PRDC(in_real.any(0).mean(), in_fake.any(1).mean(), in_real.sum() / (k * len(fake)), in_real.any(1).mean())


SETS = [(500, 300, 16, 0.8), (301, 700, 64, 1.1), (400, 400, 200, 1.0), (7, 900, 2, 1.5)]


@pytest.mark.parametrize(("n", "m", "dimensions", "scale"), SETS)
def test_agrees_with_prdc(n: int, m: int, dimensions: int, scale: float) -> None:
    real, fake = features(1, n, dimensions), features(2, m, dimensions, scale, offset=0.1)
    ours = prdc(real, fake, k=5, comparison="less", block=128)
    with contextlib.redirect_stdout(io.StringIO()):
        double = PRDC(**compute_prdc(real.astype(np.float64), fake.astype(np.float64), nearest_k=5))
        single = PRDC(**compute_prdc(real, fake, nearest_k=5))
    assert tuple(ours) == pytest.approx(double, rel=1e-14, abs=0)
    # Fed with float32 it rounds each distance to float32, which at one of these sizes moves one sample across a rim.
    assert (ours.precision, ours.recall, ours.coverage) == (single.precision, single.recall, single.coverage)
    assert abs(ours.density - single.density) * 5 * m <= 1 + 1e-6


@pytest.mark.parametrize(("n", "m", "dimensions", "scale"), SETS)
@pytest.mark.parametrize("part", [True, False])
def test_agrees_with_torch_fidelity(n: int, m: int, dimensions: int, scale: float, part: bool) -> None:
    real, fake = features(3, n, dimensions), features(4, m, dimensions, scale, offset=0.1)
    theirs = prc_features_to_metric(torch.from_numpy(fake), torch.from_numpy(real), save_cpu_ram=part, verbose=False)
    ours = prdc(real, fake, k=3, comparison="less_equal", block=128)
    # It averages in float32, so its counts are compared.
    assert round(theirs[KEY_METRIC_PRECISION] * m) == round(ours.precision * m)
    assert round(theirs[KEY_METRIC_RECALL] * n) == round(ours.recall * n)
    assert (ours.precision, ours.recall) == pytest.approx((theirs[KEY_METRIC_PRECISION], theirs[KEY_METRIC_RECALL]), rel=1e-6)


@pytest.mark.parametrize("comparison", ["less", "less_equal"])
@pytest.mark.parametrize("offset", [0, 1000])
@pytest.mark.parametrize("block", [1, 7, 4096])
def test_ties_on_a_grid_follow_the_comparison(comparison: Comparison, offset: int, block: int) -> None:
    # Whole numbers in the plane: full of duplicates, zero radii and samples exactly on the rim of a ball.
    rng = np.random.default_rng(5)
    real = (rng.integers(0, 6, (60, 2)) + offset).astype(np.float32)
    fake = (rng.integers(2, 9, (45, 2)) + offset).astype(np.float32)
    expected = by_definition(real, fake, 3, comparison)
    assert tuple(prdc(real, fake, 3, comparison, block)) == pytest.approx(expected, rel=1e-14, abs=0)
    assert by_definition(real, fake, 3, "less") != by_definition(real, fake, 3, "less_equal")


def test_identical_sets_are_ties_in_any_number_of_dimensions() -> None:
    x = features(6, 150, 300, offset=3.0)
    # Each sample lies in its own ball and in k - 1 others; the rim adds the k-th neighbour.
    assert prdc(x, x, k=5, comparison="less", block=64) == PRDC(1.0, 1.0, 1.0, 1.0)
    assert prdc(x, x, k=5, comparison="less_equal", block=64).density == pytest.approx(6 / 5, rel=1e-14)


def test_a_generator_of_one_image_shows_the_two_comparisons() -> None:
    real = features(7, 80, 20)
    fake = np.repeat(real[:1], 30, axis=0)
    strict, loose = (prdc(real, fake, k=5, comparison=comparison) for comparison in ("less", "less_equal"))
    assert strict.precision == loose.precision == 1.0
    assert (strict.recall, loose.recall) == (0.0, 1 / 80)


def test_tight_clusters_far_apart_do_not_drown_in_rounding() -> None:
    # Spread 0.01 at a distance of 100 from the mean: float32 products would be off by more than any squared radius.
    rng = np.random.default_rng(8)
    sides = np.where(np.arange(80) % 2, 1e2, -1e2)[:, None]
    real, fake = (sides[:count] + 1e-2 * rng.standard_normal((count, 3)) for count in (80, 50))
    assert tuple(prdc(real, fake, 3, "less")) == pytest.approx(by_definition(real, fake, 3, "less"), rel=1e-14)


def test_a_collapsed_generator_is_precise_and_forgetful() -> None:
    rng = np.random.default_rng(42)
    real, fake = 3.0 * rng.standard_normal((200, 16)), 0.1 * rng.standard_normal((180, 16))
    collapsed = prdc(real, fake, k=3, comparison="less_equal")
    assert collapsed.precision > 0.8
    assert collapsed.recall < 0.3
    scattered = prdc(fake, real, k=3, comparison="less_equal")
    assert (scattered.precision, scattered.recall) == (collapsed.recall, collapsed.precision)


def test_density_and_coverage_by_hand() -> None:
    # k = 1. Balls of the real samples: (-1, 1), (0, 2), (1, 19). Of the generated: (.4, .6), (.5, .7), (1.5, 58.5), (.6, 2.4).
    real, fake = np.array([[0.0], [1.0], [10.0]]), np.array([[0.5], [0.6], [30.0], [1.5]])
    # 0.5, 0.6 and 1.5 lie in two real balls each, 30 in none; 1 and 10 lie in a generated ball, 0 does not.
    assert prdc(real, fake, k=1) == PRDC(precision=3 / 4, recall=2 / 3, density=6 / 4, coverage=1.0)


def test_the_metric_puts_the_banks_in_their_places() -> None:
    real, fake = features(9, 90, 4, scale=3.0), features(10, 60, 4, scale=0.5)
    metric = PrecisionRecallDensityCoverage(k=3, comparison="less_equal")
    assert metric.compute(FeatureBank(fake), FeatureBank(real)) == prdc(real, fake, 3, "less_equal")._asdict()
    assert PrecisionRecallDensityCoverage() == replace(metric, k=5, comparison="less")
    assert metric.minimum == 4


def test_mistakes_are_told() -> None:
    x = features(0, 20, 3)
    with pytest.raises(MetricError, match="at least 6 samples are needed in each set, got 20 and 5"):
        prdc(x, x[:5], k=5)
    assert prdc(x, x[:6], k=5).precision > 0
    with pytest.raises(MetricError, match="at least 1, got 0"):
        prdc(x, x, k=0)
    with pytest.raises(MetricError, match="unknown comparison '<=': known are less, less_equal"):
        prdc(x, x, comparison="<=")  # type: ignore[arg-type]
    with pytest.raises(MetricError, match="3 and 2 feature dimensions"):
        prdc(x, x[:, :2])
    with pytest.raises(MetricError, match="features of sample 4 are not finite"):
        prdc(np.where(np.arange(20)[:, None] == 4, np.nan, x), x)
    with pytest.raises(MetricError, match="none was given"):
        PrecisionRecallDensityCoverage().compute(FeatureBank(x), None)


@settings(deadline=None, max_examples=50)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(6, 40),
    m=st.integers(6, 40),
    k=st.integers(1, 5),
    block=st.integers(1, 50),
    comparison=st.sampled_from(["less", "less_equal"]),
)
def test_blind_to_blocks_order_place_and_direction(seed: int, n: int, m: int, k: int, block: int, comparison: Comparison) -> None:
    rng = np.random.default_rng(seed)
    real, fake = rng.standard_normal((n, 4)), rng.standard_normal((m, 4)) + 0.5
    values = prdc(real, fake, k, comparison)
    assert tuple(values) == pytest.approx(by_definition(real, fake, k, comparison), rel=1e-14)
    assert prdc(real, fake, k, comparison, block) == values
    assert prdc(rng.permutation(real), rng.permutation(fake), k, comparison) == values
    turn, place = np.linalg.qr(rng.standard_normal((4, 4)))[0], 1e5 * rng.standard_normal(4)
    assert prdc(real @ turn + place, fake @ turn + place, k, comparison) == values
    wider = prdc(real, fake, k + 1, comparison) if min(n, m) > k + 1 else values
    assert all(after >= before for before, after in zip(values[:2], wider[:2], strict=True))
    assert min(values) >= 0
    assert max(values.precision, values.recall, values.coverage) <= 1
