"""Every metric's own way of leaving groups out gives what computing it anew gives."""

from __future__ import annotations

import numpy as np
import pytest

from ganeval.features import FeatureBank
from ganeval.metrics import frechet
from ganeval.metrics.base import Metric
from ganeval.metrics.frechet import Frechet


def bank(seed: int, count: int, dimensions: int, shift: float = 0.0) -> FeatureBank:
    rng = np.random.default_rng(seed)
    mixing = rng.standard_normal((dimensions, dimensions)) / np.sqrt(dimensions)
    return FeatureBank(np.abs(rng.standard_normal((count, dimensions)) @ mixing + shift).astype(np.float32))


def groups_of(count: int, groups: int) -> np.ndarray:
    return np.random.RandomState(0).permutation(count) % groups


def values(metric: Metric, fake: FeatureBank, real: FeatureBank, group: np.ndarray, key: str) -> tuple[list[float], list[float]]:
    own, plain = metric.without_groups(fake, real, group), Metric.without_groups(metric, fake, real, group)
    assert len(own) == len(plain) == group.max() + 1
    return [value[key] for value in own], [value[key] for value in plain]


# The third leaves fewer samples than dimensions, the fourth has a reference of fewer; far from the origin nothing may cancel.
@pytest.mark.parametrize(
    ("fakes", "reals", "dimensions", "groups", "shift"),
    [(403, 500, 24, 10, 0.1), (60, 500, 24, 2, 0.1), (40, 500, 38, 10, 0.1), (400, 20, 24, 7, 0.1), (403, 500, 24, 10, 1e4)],
)
def test_of_the_frechet_distance(fakes: int, reals: int, dimensions: int, groups: int, shift: float) -> None:
    fake, real = bank(1, fakes, dimensions, shift), bank(2, reals, dimensions, shift)
    own, plain = values(Frechet(), fake, real, groups_of(fakes, groups), "fid")
    assert own == pytest.approx(plain, rel=1e-9)
    assert len(set(plain)) == groups


@pytest.mark.parametrize("singular_reference", [False, True])
def test_of_the_frechet_distance_where_features_are_dead_or_follow_from_others(singular_reference: bool) -> None:
    fake, real = bank(6, 300, 40), bank(7, 400, 40, 0.1)
    for each in (fake, real) if singular_reference else (fake,):
        each.features[:, 30:35], each.features[:, 35:] = 0, each.features[:, :5] * 0.5
    own, plain = values(Frechet(), fake, real, groups_of(300, 10), "fid")
    assert own == pytest.approx(plain, rel=1e-7)
    assert np.std(own) == pytest.approx(np.std(plain), rel=1e-5)


def test_fewer_samples_than_dimensions_take_the_short_way_to_the_same_distance() -> None:
    fake, real = bank(11, 30, 60), bank(12, 500, 60, 0.1)
    assert Frechet().compute(fake, real)["fid"] == pytest.approx(frechet.frechet_distance(fake.moments, real.moments), rel=1e-9)


def test_the_factor_of_a_reference_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    fake, real = bank(3, 200, 16), bank(4, 300, 16)
    factored: list[int] = []
    cholesky = frechet._cholesky
    monkeypatch.setattr(frechet, "_cholesky", lambda cov: factored.append(1) or cholesky(cov))
    Frechet().compute(fake, real)
    Frechet().without_groups(fake, real, groups_of(200, 10))
    Frechet().compute(bank(5, 200, 16), real)
    assert len(factored) == 1
