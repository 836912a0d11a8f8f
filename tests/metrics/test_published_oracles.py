"""Values that other projects' tests and papers state, in their settings, that the tests beside this one do not hold already."""

from __future__ import annotations

import numpy as np
import pytest

from ganeval.features import FeatureBank, moments_of
from ganeval.metrics.am_score import AMScore
from ganeval.metrics.frechet import Frechet
from ganeval.metrics.prdc import prdc


@pytest.mark.parametrize("dimensions", [2, 4, 8, 32, 256])
@pytest.mark.parametrize("count", [2, 4, 16, 64, 512, 32_768])
def test_torch_fidelitys_grid_of_sizes_against_a_matrix_root(count: int, dimensions: int) -> None:
    """Random normal features; to five places, whether the covariances have full rank or not."""
    rng = np.random.default_rng(count * 1000 + dimensions)
    x, y = (rng.standard_normal((count, dimensions)).astype(np.float32) for _ in range(2))
    a, b = (np.cov(z, rowvar=False) for z in (x, y))
    values, vectors = np.linalg.eigh(a)
    root = vectors * np.sqrt(values.clip(0)) @ vectors.T
    overlap = np.linalg.svd(root @ np.linalg.cholesky(b + 1e-13 * np.eye(dimensions)), compute_uv=False).sum()
    expected = np.square(x.mean(0) - y.mean(0)).sum() + np.trace(a + b) - 2 * overlap
    assert Frechet().compute(FeatureBank(x), FeatureBank(y))["fid"] == pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_pytorch_fids_three_constant_images() -> None:
    """Images of grey levels 0, 127 and 255 as numbers in [0, 1]: means 0.5, and every covariance 0.25."""
    images = np.repeat(np.array([0, 127, 255], dtype=np.uint8), 4 * 4 * 3).reshape(3, -1)
    mean, cov, count = moments_of(images.astype(np.float32) / 255)
    assert mean == pytest.approx(np.full(48, 0.5), abs=1e-3)
    assert cov == pytest.approx(np.full((48, 48), 0.25), abs=1e-4)
    assert count == 3


def test_density_and_coverage_of_one_distribution() -> None:
    """E[density] = 1 and E[coverage] = 1 - 2^-k for equally many samples of one distribution (Naeem et al., section 3)."""
    rng = np.random.default_rng(0)
    found = [prdc(*rng.standard_normal((2, 1000, 8)), k=5) for _ in range(8)]
    assert np.mean([each.density for each in found]) == pytest.approx(1, abs=0.02)
    assert np.mean([each.coverage for each in found]) == pytest.approx(1 - 2**-5, abs=0.01)


@pytest.mark.parametrize("classes", [2, 10])
def test_sure_and_balanced_predictions_have_an_am_score_of_zero(classes: int) -> None:
    logits = (1e4 * np.tile(np.eye(classes), (3, 1))).astype(np.float32)
    bank = FeatureBank(logits, logits)
    found = AMScore().compute(bank, bank)
    assert found == {key: pytest.approx(0, abs=1e-12) for key in ("am", "am_entropy", "am_kl")}
