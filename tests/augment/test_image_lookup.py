"""Bilinear reading between pixels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates
from torch.autograd import gradcheck, gradgradcheck

from ganeval.augment.lookup import bilinear


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 3), st.integers(2, 17), st.integers(2, 17), st.integers(0, 2**31))
def test_reads_what_scipy_reads(channels: int, height: int, width: int, seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    images = torch.rand(2, channels, height, width, generator=draw, dtype=torch.float64)
    x, y = (torch.rand(2, 5, 6, generator=draw, dtype=torch.float64) * (size - 1) for size in (width, height))
    read = bilinear(images, x, y).numpy()
    for n in range(2):
        for c in range(channels):
            expected = map_coordinates(images[n, c].numpy(), [y[n].numpy(), x[n].numpy()], order=1)
            np.testing.assert_allclose(read[n, c], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_whole_places_of_a_power_of_two_are_exact_to_the_last_pixel(dtype: torch.dtype) -> None:
    images = torch.rand(1, 3, 32, 64, dtype=dtype)
    y, x = torch.meshgrid(torch.arange(32, dtype=dtype), torch.arange(64, dtype=dtype), indexing="ij")
    assert torch.equal(bilinear(images, x[None], y[None]), images)


def test_can_be_differentiated_twice() -> None:
    images = torch.rand(2, 2, 3, 4, dtype=torch.float64, requires_grad=True)
    x, y = torch.rand(2, 3, 3, dtype=torch.float64) * 3, torch.rand(2, 3, 3, dtype=torch.float64) * 2
    assert gradcheck(lambda v: bilinear(v, x, y), images)
    assert gradgradcheck(lambda v: bilinear(v, x, y).pow(3), images)
