"""Rough distances never show: every count is that of float64, whatever the data, and so is every leave-group-out value."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ganeval.errors import MetricError
from ganeval.features import FeatureBank
from ganeval.metrics import distances, neighbours
from ganeval.metrics.balls import ROUNDING, neighbours_for
from ganeval.metrics.base import Metric
from ganeval.metrics.distances import clouds, rough_products, tile
from ganeval.metrics.neighbours import nearest
from ganeval.metrics.prdc import PRDC, Comparison, PrecisionRecallDensityCoverage, prdc
from ganeval.progress import heard_by

Points = NDArray[np.float32]


def in_float64(real: Points, fake: Points, k: int, comparison: Comparison) -> PRDC:
    """Every distance in float64 at once, centred on the mean of the real points: the definition, with its rim of ties."""
    centre = real.mean(axis=0, dtype=np.float64)
    x, y = real - centre, fake - centre

    def squares(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.square(a).sum(1)[:, None] + np.square(b).sum(1) - 2 * a @ b.T

    def reach(a: NDArray[np.float64]) -> NDArray[np.float64]:
        within = squares(a, a)
        np.fill_diagonal(within, np.inf)
        radius = np.sort(within, axis=1)[:, k - 1]
        rim = ROUNDING * (np.square(a).sum(1) + radius)
        return radius - rim if comparison == "less" else radius + rim

    across = squares(x, y)
    in_real, in_fake = across < reach(x)[:, None], across < reach(y)
    return PRDC(in_real.any(0).mean(), in_fake.any(1).mean(), in_real.sum() / (k * len(fake)), in_real.any(1).mean())


def noise(rng: np.random.Generator, count: int, width: int) -> Points:
    return rng.standard_normal((count, width)).astype(np.float32)


def duplicates(rng: np.random.Generator, count: int, width: int) -> Points:
    few = np.random.default_rng(0).standard_normal((max(count // 4, 2), width)).astype(np.float32)  # the same in both sets
    return few[rng.integers(0, len(few), count)]


def lattice(rng: np.random.Generator, count: int, width: int) -> Points:
    return rng.integers(0, 3, (count, width)).astype(np.float32)


def far_away(rng: np.random.Generator, count: int, width: int) -> Points:
    return noise(rng, count, width) + np.float32(1e4)


def clusters(rng: np.random.Generator, count: int, width: int) -> Points:
    return (rng.choice([-100.0, 100.0], (count, 1)) + 1e-2 * rng.standard_normal((count, width))).astype(np.float32)


def outliers(rng: np.random.Generator, count: int, width: int) -> Points:
    return (rng.standard_normal((count, width)) * np.exp(3 * rng.standard_normal((count, 1)))).astype(np.float32)


def near_ties(rng: np.random.Generator, count: int, width: int) -> Points:
    """Lattice points, moved by less than bfloat16 or float32 products can see."""
    return (lattice(rng, count, width) * (1 + 1e-6 * rng.standard_normal((count, width)))).astype(np.float32)


def rectified(rng: np.random.Generator, count: int, width: int) -> Points:
    return np.maximum(noise(rng, count, width) - 1, 0)


KINDS = (noise, duplicates, lattice, far_away, clusters, outliers, near_ties, rectified)

sets = st.builds(
    lambda kind, seed, n, m, width, scale: (
        kind(np.random.default_rng(seed), n, width) * np.float32(scale),
        kind(np.random.default_rng(seed + 1), m, width) * np.float32(scale),
    ),
    st.sampled_from(KINDS), st.integers(0, 2**31), st.integers(8, 90), st.integers(12, 90), st.sampled_from([1, 2, 5, 33, 200]),
    st.sampled_from([1e-30, 1e-12, 1.0, 1e9, 1e30]),
)  # fmt: skip
comparisons: st.SearchStrategy[Comparison] = st.sampled_from(["less", "less_equal"])


@pytest.fixture(params=[True, False], ids=["bfloat16", "float32"])
def _processor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distances, "_multiplies_bfloat16", lambda: request.param)


@pytest.mark.usefixtures("_processor")
class TestAnyData:
    @settings(deadline=None, max_examples=120)
    @given(sets=sets, k=st.integers(1, 5), comparison=comparisons, block=st.sampled_from([16, 31, 4096]))
    def test_every_count_is_that_of_float64(
        self, sets: tuple[Points, Points], k: int, comparison: Comparison, block: int
    ) -> None:
        real, fake = sets
        assert tuple(prdc(real, fake, k, comparison, block)) == pytest.approx(in_float64(real, fake, k, comparison), rel=1e-14)

    @settings(deadline=None, max_examples=60)
    @given(sets=sets, k=st.integers(1, 4), comparison=comparisons, groups=st.integers(2, 12), seed=st.integers(0, 99))
    def test_leaving_groups_out_gives_what_the_smaller_sets_give(
        self, sets: tuple[Points, Points], k: int, comparison: Comparison, groups: int, seed: int
    ) -> None:
        real, fake = (FeatureBank(points) for points in sets)
        group = np.random.default_rng(seed).permutation(len(fake)) % groups
        metric = PrecisionRecallDensityCoverage(k, comparison)
        assert metric.without_groups(fake, real, group) == Metric.without_groups(metric, fake, real, group)

    @settings(deadline=None, max_examples=60)
    @given(sets=sets)
    def test_rough_distances_keep_their_bound(self, sets: tuple[Points, Points]) -> None:
        x, y = clouds(*sets)
        with rough_products():
            pairs = tile(x, y, slice(0, len(x)), slice(0, len(y)))
        i, j, lower, upper = pairs.bounds_at(np.arange(len(x) * len(y)))
        exact = np.square(sets[0][i].astype(np.float64) - sets[1][j]).sum(1)
        assert (lower <= exact * (1 + 1e-12)).all()
        assert (upper >= exact * (1 - 1e-12)).all()

    @settings(deadline=None, max_examples=60)
    @given(sets=sets, count=st.integers(1, 7), block=st.sampled_from([8, 50]))
    def test_nearest_neighbours_are_the_nearest(self, sets: tuple[Points, Points], count: int, block: int) -> None:
        points = sets[0].astype(np.float64)
        every = np.square(points[:, None] - points).sum(axis=2)
        found = nearest(clouds(sets[0])[0], count, block, "test")
        np.testing.assert_allclose(found.squared, every[np.arange(len(points))[:, None], found.who], rtol=1e-13)
        assert (found.who != np.arange(len(points))[:, None]).all()
        np.fill_diagonal(every, np.inf)
        norms = np.square(points - points.mean(axis=0)).sum(axis=1)
        gap = np.abs(found.squared - np.sort(every, axis=1)[:, :count])
        assert (gap <= ROUNDING * (norms[:, None] + found.squared)).all()


def test_most_pairs_of_usual_features_are_settled_by_rough_distances(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    mixing = rng.standard_normal((24, 512))
    real, fake = (np.maximum(rng.standard_normal((600, 24)) @ mixing * s, 0).astype(np.float32) for s in (1, 0.9))
    seen: list[int] = []
    exactly: Callable[..., NDArray[np.float64]] = distances.squared_distances

    def counting(*pair: NDArray[np.float32]) -> NDArray[np.float64]:
        seen.append(len(pair[2]))
        return exactly(*pair)

    for module in (distances, neighbours):
        monkeypatch.setattr(module, "squared_distances", counting)
    assert tuple(prdc(real, fake)) == pytest.approx(in_float64(real, fake, 5, "less"), rel=1e-14)
    assert 2 * 600 * 5 <= sum(seen) < 0.04 * 3 * 600**2


@pytest.mark.parametrize("groups", [2, 10, 40])
def test_too_few_neighbours_outside_of_a_group_are_searched_again(groups: int) -> None:
    # The samples of a group lie side by side: without it the neighbours are elsewhere, and further than any that were found.
    rng = np.random.default_rng(1)
    group = np.arange(120) % groups
    fake = FeatureBank((10 * group[:, None] + 0.01 * rng.standard_normal((120, 3))).astype(np.float32))
    real = FeatureBank(rng.uniform(0, 10 * groups, (100, 1)).astype(np.float32) + np.zeros(3, np.float32))
    metric = PrecisionRecallDensityCoverage(k=3)
    assert neighbours_for(3, group) < 119
    assert metric.without_groups(fake, real, group) == Metric.without_groups(metric, fake, real, group)


def test_a_group_without_which_too_few_are_left_is_an_error() -> None:
    bank = FeatureBank(np.random.default_rng(2).standard_normal((12, 2)).astype(np.float32))
    group = np.array([0] * 8 + [1] * 4)
    with pytest.raises(MetricError, match="without a group of 8 there are no 6 samples left"):
        PrecisionRecallDensityCoverage(k=5).without_groups(bank, bank, group)


def test_neighbours_are_sought_once_per_bank(monkeypatch: pytest.MonkeyPatch) -> None:
    sought: list[str] = []
    real, fake = (FeatureBank(np.random.default_rng(s).standard_normal((300, 4)).astype(np.float32)) for s in (3, 4))
    metric, group = PrecisionRecallDensityCoverage(), np.arange(300) % 10

    def talk(what: str, done: int, total: int) -> None:
        if done == total:
            sought.append(what)

    with heard_by(talk):
        first = metric.compute(fake, real)
        metric.without_groups(fake, real, group)
        assert metric.compute(fake, real) == first
    across = "real against generated"
    assert sought == ["neighbours among real", "neighbours among generated", across, across, across]


def test_whoever_listens_hears_how_far_it_is() -> None:
    heard: list[tuple[str, int, int]] = []
    x = np.random.default_rng(5).standard_normal((50, 3)).astype(np.float32)
    with heard_by(lambda what, done, total: heard.append((what, done, total))):
        prdc(x, x + 1, k=2, block=20)
    assert [step for step in heard if step[0] == "neighbours among real"] == [
        ("neighbours among real", done, 6) for done in range(1, 7)
    ]
    assert heard[-1] == ("real against generated", 9, 9)
    prdc(x, x, k=2)
    assert len(heard) == 6 + 6 + 9
