"""Draws are functions of (seed, index): whichever rows are asked for, in whatever pieces."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ganeval.errors import UserError
from ganeval.rng import LARGEST_SEED, derived_seed, generator_for, latents, truncated_latents, uniforms

WIDTHS = st.integers(1, 70)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**63), start=st.integers(0, 5000), count=st.integers(1, 40), width=WIDTHS)
def test_a_row_does_not_depend_on_its_neighbours(seed: int, start: int, count: int, width: int) -> None:
    whole = latents(seed, start, start + count, width)
    for offset in {0, count // 2, count - 1}:
        assert torch.equal(latents(seed, start + offset, start + offset + 1, width)[0], whole[offset])


def test_the_stream_is_pinned() -> None:
    """Samples of a checkpoint must stay the same across versions of this package and of NumPy."""
    assert uniforms(7, 3, 4, 3)[0].tolist() == [0.44205212947108785, 0.8445679063131063, 0.6363025248640956]


def test_the_largest_seed_and_one_beyond() -> None:
    assert latents(LARGEST_SEED, 0, 1, 4).isfinite().all()
    for seed in (-1, LARGEST_SEED + 1):
        with pytest.raises(UserError, match=f"seed {seed}: give a whole number from 0 to {LARGEST_SEED}"):
            latents(seed, 0, 1, 4)


def test_a_bound_that_float32_does_not_have_bounds_nothing() -> None:
    assert torch.equal(truncated_latents(0, 0, 9, 4, 1e300), truncated_latents(0, 0, 9, 4, 1e30))


@pytest.mark.parametrize("width", [1, 2, 5, 80])
def test_latents_are_standard_normal_and_independent(width: int) -> None:
    z = latents(11, 0, 20_000, width).numpy()
    assert stats.kstest(z[:, 0], "norm").pvalue > 1e-4
    assert stats.kstest(z[:, -1], "norm").pvalue > 1e-4
    correlation = np.corrcoef(z, rowvar=False) if width > 1 else np.eye(1)
    assert np.abs(correlation - np.eye(width)).max() < 0.05


def test_the_uniform_prior_fills_its_interval() -> None:
    z = latents(11, 0, 20_000, 3, "uniform").numpy()
    assert np.abs(z).max() < 1
    assert stats.kstest(z[:, 1], stats.uniform(-1, 2).cdf).pvalue > 1e-4


def test_seeds_and_purposes_are_told_apart() -> None:
    assert not torch.equal(latents(0, 0, 1, 8), latents(1, 0, 1, 8))
    assert derived_seed(1, "step", 2) != derived_seed(1, "step", 3) != derived_seed(12, "step")
    first, again, other = (torch.rand(3, generator=generator_for(torch.device("cpu"), *key)) for key in ((1, 2), (1, 2), (1, 3)))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
