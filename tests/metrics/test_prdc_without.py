"""One pass over the distances gives what one computation per group gives, ties and all."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ganeval.errors import MetricError
from ganeval.features import FeatureBank
from ganeval.metrics.prdc import Comparison, PrecisionRecallDensityCoverage, prdc
from ganeval.metrics.prdc_without import prdc_without


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1), n=st.integers(7, 60), m=st.integers(20, 60), k=st.integers(1, 5), groups=st.integers(2, 6),
    block=st.integers(1, 70), comparison=st.sampled_from(["less", "less_equal"]), grid=st.booleans(),
)  # fmt: skip
def test_agrees_with_one_computation_per_group(
    seed: int, n: int, m: int, k: int, groups: int, block: int, comparison: Comparison, grid: bool
) -> None:
    rng = np.random.default_rng(seed)
    real, fake = rng.standard_normal((n, 3)), 0.9 * rng.standard_normal((m, 3)) + 0.3
    if grid:  # full of duplicates and samples on the rim
        real, fake = np.round(2 * real), np.round(2 * fake)
    group = rng.permutation(m) % groups
    found = prdc_without(real, fake, group, k, comparison, block)
    assert found == [prdc(real, fake[group != g], k, comparison) for g in range(groups)]


def test_the_metric_takes_it() -> None:
    rng = np.random.default_rng(1)
    fake, real = (FeatureBank(rng.standard_normal((count, 4)).astype(np.float32)) for count in (60, 80))
    metric, group = PrecisionRecallDensityCoverage(k=3), np.arange(60) % 5
    replicates = metric.replicate(fake, real, group)
    assert replicates.values == metric.compute(fake, real)
    assert list(replicates.without) == [metric.compute(fake.take(group != g), real) for g in range(5)]
    assert len({values["density"] for values in replicates.without}) > 2


def test_too_few_samples_without_a_group() -> None:
    rng = np.random.default_rng(2)
    real, fake = rng.standard_normal((30, 3)), rng.standard_normal((10, 3))
    assert len(prdc_without(real, fake, np.arange(10) % 2, 4, "less")) == 2
    with pytest.raises(MetricError, match="at least 6 samples are needed in each set, got 30 and 5"):
        prdc_without(real, fake, np.arange(10) % 2, 5, "less")
    metric = PrecisionRecallDensityCoverage(k=5)
    replicates = metric.replicate(FeatureBank(fake), FeatureBank(real), np.arange(10) % 2)
    assert replicates.without == ()
    assert replicates.values == metric.compute(FeatureBank(fake), FeatureBank(real))
