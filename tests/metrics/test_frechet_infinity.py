"""FID-infinity: the bias of the number of generated samples is gone, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from ganeval.errors import MetricError
from ganeval.features import FeatureBank, Moments
from ganeval.metrics.frechet import Frechet, frechet_distance
from ganeval.metrics.frechet_infinity import FrechetInfinity, frechet_infinity
from ganeval.metrics.inception_score import score_of_split
from ganeval.metrics.inception_score_infinity import InceptionScoreInfinity, inception_score_infinity

D = 12


def gaussian(seed: int, count: int, scale: float = 1.3, shift: float = 0.2) -> np.ndarray:
    return (scale * np.random.default_rng(seed).standard_normal((count, D)) + shift).astype(np.float32)


STANDARD = Moments(np.zeros(D), np.eye(D), 10**9)


def test_the_known_distance_of_gaussians_without_the_bias() -> None:
    true = D * (0.2**2 + 0.3**2)
    plain, limit = [], []
    for seed in range(60):
        fake = gaussian(seed, 900)
        plain.append(frechet_distance(FeatureBank(fake).moments, STANDARD))
        limit.append(frechet_infinity(fake, STANDARD).limit)
    noise = np.std(limit, ddof=1) / np.sqrt(60)
    assert noise < 0.02
    assert np.mean(limit) == pytest.approx(true, abs=3 * noise)
    # What is gone is the bias to first order, from tr (I + E)^(1/2) = D + tr E / 2 - tr E^2 / 8 and E tr E^2 = (D^2 + D) / N.
    bias = (1.3**2 * D + 1.3 * (D**2 + D) / 4) / 900
    removed = np.subtract(plain, limit)
    assert bias > 0.07
    assert removed.std(ddof=1) / np.sqrt(60) < 0.01
    assert removed.mean() == pytest.approx(bias, abs=0.03)


def test_at_no_distance_it_scatters_around_zero() -> None:
    limits = [frechet_infinity(gaussian(seed, 900, scale=1.0, shift=0.0), STANDARD).limit for seed in range(24)]
    assert min(limits) < 0
    assert np.mean(limits) == pytest.approx(0, abs=0.02)
    biased = frechet_distance(FeatureBank(gaussian(0, 900, scale=1.0, shift=0.0)).moments, STANDARD)
    assert biased > 0.04


def test_the_generated_samples_are_extrapolated_and_the_reference_is_not() -> None:
    fake, real = gaussian(1, 3000), gaussian(2, 150, scale=1.0, shift=0.0)
    found = FrechetInfinity().compute(FeatureBank(fake), FeatureBank(real))["fid_inf"]
    assert found == frechet_infinity(fake, FeatureBank(real).moments).limit
    other = FrechetInfinity().compute(FeatureBank(real), FeatureBank(fake))["fid_inf"]
    plain = Frechet().compute(FeatureBank(fake), FeatureBank(real))["fid"]
    # The reference's bias is in both: only the small set as the generated one loses it.
    assert abs(plain - found) < 0.2 * (plain - other)
    assert plain - other > 0.2


def test_more_samples_than_dimensions_or_fewer_give_the_same_line() -> None:
    # 12 dimensions: subsets of 4 to 40 samples take both forms of the distance.
    assert np.isfinite(frechet_infinity(gaussian(5, 40), STANDARD).limit)
    with pytest.raises(MetricError, match="needs at least 30 samples, got 29"):
        frechet_infinity(gaussian(5, 29), STANDARD)


def test_another_seed_is_another_draw_within_the_fits_error() -> None:
    fake = gaussian(7, 2000)
    found = [frechet_infinity(fake, STANDARD, seed=seed) for seed in range(30)]
    limits = [each.limit for each in found]
    assert len(set(limits)) == 30
    # The spread over draws is what fit_error estimates; residuals grow towards small subsets, so it is right within a factor.
    assert 0.4 < np.std(limits, ddof=1) / np.mean([each.fit_error for each in found]) < 2.5


def test_the_score_without_the_bias_of_few_samples() -> None:
    # Predictions (p, 1 - p), p uniform: I = H(1/2) - E H(p) = ln 2 - 1/2, so IS = 2 exp(-1/2).
    true = 2 * np.exp(-0.5)
    plain, limit = [], []
    for seed in range(40):
        p = np.random.default_rng(seed).random((60, 1))
        log_probabilities = np.log(np.concatenate([p, 1 - p], axis=1))
        plain.append(score_of_split(log_probabilities))
        limit.append(inception_score_infinity(log_probabilities).limit)
    noise = np.std(limit, ddof=1) / np.sqrt(40)
    assert noise < 0.012
    assert np.mean(limit) == pytest.approx(true, abs=3 * noise)
    # Fewer samples show less of the classes: the score is too small.
    assert true - np.mean(plain) + 2 * noise > 0.001
    many = np.log(np.stack([np.linspace(1e-4, 1 - 1e-4, 20000), 1 - np.linspace(1e-4, 1 - 1e-4, 20000)], axis=1))
    assert inception_score_infinity(many).limit == pytest.approx(true, rel=2e-3)


def test_the_metrics_hand_over_their_parameters() -> None:
    fake, real = FeatureBank(gaussian(3, 200), gaussian(4, 200)), FeatureBank(gaussian(5, 200))
    assert FrechetInfinity(points=5, seed=1).compute(fake, real) == {
        "fid_inf": frechet_infinity(fake.features, real.moments, 5, 1).limit
    }
    assert InceptionScoreInfinity(points=5, seed=1).compute(fake, None) == {
        "is_inf": inception_score_infinity(fake.log_probabilities, 5, 1).limit
    }
    assert (FrechetInfinity(points=5).minimum, FrechetInfinity().minimum) == (20, 30)
    with pytest.raises(MetricError, match="12 and 11 feature dimensions"):
        FrechetInfinity().compute(fake, FeatureBank(real.features[:, 1:]))
    with pytest.raises(MetricError, match="no class logits"):
        InceptionScoreInfinity().compute(real, None)
