"""The warp against exact shifts, mirrors and turns, and against functions that are known between the pixels."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ganeval.augment.geometry import ANALYSIS, SYNTHESIS, filter_matrices, moved, scaled, turned, warp


def each(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def some_images(count: int, size: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(1), dtype=torch.float64).to(dtype) * 2 - 1


def taps(half: tuple[float, ...]) -> np.ndarray:
    return np.array(half[:0:-1] + half)


def test_the_filters_are_a_biorthogonal_pair_with_four_vanishing_moments() -> None:
    synthesis, analysis = taps(SYNTHESIS), taps(ANALYSIS)
    assert synthesis.sum() == pytest.approx(2, abs=1e-12)
    assert analysis.sum() == pytest.approx(1, abs=1e-12)
    product = np.convolve(synthesis, analysis)
    middle = len(product) // 2
    np.testing.assert_allclose(product[middle % 2 :: 2], np.arange(middle % 2, len(product), 2) == middle, atol=1e-12)
    for half in (synthesis, analysis):
        place = np.arange(len(half)) - len(half) // 2
        for power in range(4):
            assert ((-1.0) ** place * place**power * half).sum() == pytest.approx(0, abs=1e-9)


def test_enlarging_puts_a_cubic_on_the_half_pixels() -> None:
    size = 20
    enlarge, shrink = filter_matrices(size, torch.float64, torch.device("cpu"))
    pixel = torch.arange(size, dtype=torch.float64)
    place = torch.arange(2 * size, dtype=torch.float64) / 2

    def cubic(x: Tensor) -> Tensor:
        return 0.5 - 0.3 * x + 0.02 * x**2 - 0.003 * x**3

    inside = slice(4, 2 * size - 5)
    torch.testing.assert_close((enlarge @ cubic(pixel))[inside], cubic(place)[inside], rtol=0, atol=1e-10)
    outside = torch.arange(-6, 2 * size + 5, dtype=torch.float64) / 2
    torch.testing.assert_close(shrink @ cubic(outside), cubic(pixel), rtol=0, atol=1e-10)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.float64, 1e-12)])
@pytest.mark.parametrize("size", [8, 16, 32, 64])
def test_images_that_do_not_move_stay_the_same(size: int, dtype: torch.dtype, tolerance: float) -> None:
    images = some_images(2, size, dtype)
    still = torch.eye(3, dtype=torch.float64).expand(2, 3, 3)
    torch.testing.assert_close(warp(images, still), images, rtol=0, atol=tolerance)


@pytest.mark.parametrize("size", [8, 9, 15, 32])
def test_quarter_turns_and_mirrors_are_exact(size: int) -> None:
    images = some_images(4, size)
    turns = warp(images, turned(each(0, 1, 2, 3) * (math.pi / 2)))
    for count in range(4):
        torch.testing.assert_close(turns[count], images[count].rot90(count, (1, 2)), rtol=0, atol=1e-11)
    mirrors = warp(images, scaled(each(-1, 1, -1, 1), each(1, -1, -1, 1)))
    for image, mirror, axes in zip(images, mirrors, [(2,), (1,), (1, 2), ()], strict=True):
        torch.testing.assert_close(mirror, image.flip(axes), rtol=0, atol=1e-11)


@settings(max_examples=20, deadline=None)
@given(st.integers(8, 24), st.data())
def test_moves_by_whole_pixels_equal_shifted_images_reflected_at_the_border(size: int, data: st.DataObject) -> None:
    right, down = (data.draw(st.integers(1 - size, size - 1)) for _ in range(2))
    image = some_images(1, size)
    padded = np.pad(image[0].numpy(), ((0, 0), (size - 1, size - 1), (size - 1, size - 1)), mode="reflect")
    top, left = size - 1 - down, size - 1 - right
    expected = padded[:, top : top + size, left : left + size]
    np.testing.assert_allclose(warp(image, moved(each(right), each(down)))[0].numpy(), expected, rtol=0, atol=1e-11)


def waves(x: np.ndarray, y: np.ndarray, size: int) -> np.ndarray:
    """A smooth image without symmetry whose mirrored continuation is the function itself; centre at 0."""
    u, v = (math.pi * (c / (size - 1) + 0.5) for c in (x, y))
    return 0.4 * np.cos(u) + 0.3 * np.cos(v) * np.cos(2 * u) - 0.2 * np.cos(2 * v)


# What each transform does to a place, right and down from the centre.
FORWARD = {
    "turn": (turned(each(0.7)), lambda x, y: (x * math.cos(0.7) + y * math.sin(0.7), -x * math.sin(0.7) + y * math.cos(0.7))),
    "scale": (scaled(each(1.3), each(0.8)), lambda x, y: (1.3 * x, 0.8 * y)),
    "move": (moved(each(2.37), each(-5.81)), lambda x, y: (x + 2.37, y - 5.81)),
    "turn, then move": (turned(each(2.1)) @ moved(each(4.5), each(1.2)), lambda x, y: (
        x * math.cos(2.1) + y * math.sin(2.1) + 4.5, -x * math.sin(2.1) + y * math.cos(2.1) + 1.2
    )),
}  # fmt: skip


@pytest.mark.parametrize("name", FORWARD)
def test_a_known_function_arrives_where_it_should(name: str) -> None:
    size = 48
    matrix, forward = FORWARD[name]
    centred = np.arange(size) - (size - 1) / 2
    x, y = np.meshgrid(centred, centred)
    warped = warp(torch.from_numpy(waves(x, y, size))[None, None], matrix)[0, 0].numpy()
    linear = np.array([np.subtract(forward(*unit), forward(0, 0)) for unit in ((1, 0), (0, 1))]).T
    back_x, back_y = np.tensordot(np.linalg.inv(linear), np.stack([x, y]) - np.reshape(forward(0, 0), (2, 1, 1)), axes=1)
    error = np.abs(warped - waves(back_x, back_y, size))
    assert error.max() < 6e-4  # bilinear reading at half pixels: at most 1/8 (1/2)^2 of the second derivatives
    assert np.abs(warped - waves(x, y, size)).max() > 0.2


@settings(max_examples=20, deadline=None)
@given(st.integers(8, 33), st.integers(0, 2**31), st.floats(-1, 1))
def test_a_constant_image_stays_constant_under_any_warp(size: int, seed: int, value: float) -> None:
    draw = torch.Generator().manual_seed(seed)
    matrices = torch.randn(3, 3, 3, generator=draw, dtype=torch.float64) * torch.tensor([1.0, 1.0, size])
    images = torch.full((3, 1, size, size), value, dtype=torch.float64)
    torch.testing.assert_close(warp(images, matrices), images, rtol=0, atol=1e-12)


def test_a_pattern_too_fine_for_the_shrunk_image_is_damped() -> None:
    stripes = (torch.arange(64) % 2 * 2.0 - 1).expand(1, 1, 64, 64)  # the highest frequency there is
    shrunk = warp(stripes, scaled(each(0.6), each(0.6)))[..., 16:48, 16:48]
    assert shrunk.abs().max() < 0.25
    plain = torch.nn.functional.interpolate(stripes, scale_factor=0.6, mode="bilinear")
    assert plain.abs().max() > 0.9
