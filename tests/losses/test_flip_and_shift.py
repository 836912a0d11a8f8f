from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ganeval.augment.transforms import flip_and_shift


def every_outcome(image: np.ndarray) -> dict[tuple[bool, int, int], np.ndarray]:
    """The image under each mirror and shift, by padding and cropping: (C, H, W) each."""
    _, height, width = image.shape
    down, right = height // 8, width // 8
    outcomes = {}
    for mirrored in (False, True):
        source = image[:, :, ::-1] if mirrored else image
        padded = np.pad(source, ((0, 0), (down, down), (right, right)), mode="reflect")
        for y in range(-down, down + 1):
            for x in range(-right, right + 1):
                outcomes[mirrored, y, x] = padded[:, down - y : down - y + height, right - x : right - x + width]
    return outcomes


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 3), st.integers(1, 20), st.integers(1, 20), st.integers(0, 2**31))
def test_each_sample_is_one_of_the_mirrored_and_shifted_versions(channels: int, height: int, width: int, seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    images = torch.rand(5, channels, height, width, generator=draw, dtype=torch.float64)
    moved = flip_and_shift(images, draw)
    assert moved.shape == images.shape
    for before, after in zip(images.numpy(), moved.numpy(), strict=True):
        assert any(np.array_equal(after, outcome) for outcome in every_outcome(before).values())


def test_all_mirrors_and_shifts_occur_equally_often() -> None:
    image = torch.rand(1, 1, 16, 24, generator=torch.Generator().manual_seed(1))
    count = 6000
    moved = flip_and_shift(image.expand(count, 1, 16, 24), torch.Generator().manual_seed(2)).numpy()
    outcomes = every_outcome(image[0].numpy())
    assert len(outcomes) == 2 * 5 * 7
    found = np.array([(moved == outcome).all(axis=(1, 2, 3)).sum() for outcome in outcomes.values()])
    assert found.sum() == count
    expected = count / len(outcomes)
    assert ((found - expected) ** 2 / expected).sum() < 120  # chi-squared with 69 degrees of freedom: p = 1e-4


def test_small_images_are_only_mirrored() -> None:
    images = torch.arange(2 * 7 * 7.0).view(1, 2, 7, 7).expand(50, 2, 7, 7)
    moved = flip_and_shift(images, torch.Generator().manual_seed(0))
    mirrored = (moved == images.flip(3)).flatten(1).all(1)
    assert 10 < mirrored.sum() < 40
    assert torch.equal(moved[~mirrored], images[~mirrored])


def test_gradient_goes_back_to_the_pixels_that_were_read() -> None:
    images = torch.rand(4, 3, 16, 16, dtype=torch.float64, requires_grad=True)
    weights = torch.rand(4, 3, 16, 16, dtype=torch.float64)
    (gradient,) = torch.autograd.grad((flip_and_shift(images, torch.Generator().manual_seed(3)) * weights).sum(), images)
    torch.testing.assert_close(gradient.sum(dim=(1, 2, 3)), weights.sum(dim=(1, 2, 3)))
    direction = torch.rand_like(images)
    moved = flip_and_shift(direction, torch.Generator().manual_seed(3))
    assert (gradient * direction).sum().item() == pytest.approx((moved * weights).sum().item())
