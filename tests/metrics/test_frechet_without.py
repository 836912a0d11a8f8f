"""One pass over the features gives the moments and distances that one computation per group gives."""

from __future__ import annotations

import numpy as np
import pytest

from ganeval.errors import MetricError
from ganeval.features import FeatureBank, moments_of
from ganeval.metrics.frechet import Frechet
from ganeval.metrics.frechet_without import distances_without, moments_without


def bank(seed: int, count: int, dimensions: int = 10, shift: float = 0.0) -> FeatureBank:
    rng = np.random.default_rng(seed)
    mixing = rng.standard_normal((dimensions, dimensions))
    return FeatureBank((np.abs(rng.standard_normal((count, dimensions)) @ mixing) + shift).astype(np.float32))


def test_the_moments_of_all_but_one_group() -> None:
    x = bank(1, 83, shift=50.0).features
    group = np.random.default_rng(2).permutation(83) % 4
    for g, moments in enumerate(moments_without(x, group)):
        plain = moments_of(x[group != g])
        assert moments.count == plain.count
        assert moments.mean == pytest.approx(plain.mean, rel=1e-13)
        assert np.abs(moments.cov - plain.cov).max() < 1e-12 * np.abs(plain.cov).max()


@pytest.mark.parametrize(("fakes", "reals"), [(83, 90), (83, 6), (9, 90), (9, 8), (12, 90)])
def test_the_distances_of_all_but_one_group(fakes: int, reals: int) -> None:
    fake, real, group = bank(3, fakes, shift=0.5), bank(4, reals), np.arange(fakes) % 4
    expected = [Frechet().compute(fake.take(group != g), real)["fid"] for g in range(4)]
    assert distances_without(fake, real, group) == pytest.approx(expected, rel=1e-8)
    replicates = Frechet().replicate(fake, real, group)
    assert replicates.values == Frechet().compute(fake, real)
    assert [values["fid"] for values in replicates.without] == pytest.approx(expected, rel=1e-8)


def test_a_group_whose_absence_leaves_one_sample() -> None:
    fake, real, group = bank(5, 3), bank(6, 40), np.array([0, 0, 1])
    with pytest.raises(MetricError, match="at least 2 samples"):
        distances_without(fake, real, group)
    replicates = Frechet().replicate(fake, real, group)
    assert (replicates.without, replicates.values) == ((), Frechet().compute(fake, real))
