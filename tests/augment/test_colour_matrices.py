"""Colour matrices in closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from torch import Tensor

from ganeval.augment.colour import brightened, contrasted, grey, hue_turned, luma_flipped, recolour, saturated
from ganeval.errors import UserError

COLOUR = torch.tensor([0.7, -0.2, 0.1], dtype=torch.float64)
LUMA = COLOUR.mean()


def of_one(value: float) -> Tensor:
    return torch.tensor([value], dtype=torch.float64)


def through(matrices: Tensor, colour: Tensor = COLOUR) -> Tensor:
    images = colour.view(1, -1, 1, 1).expand(1, len(colour), 3, 3)
    out = recolour(images, matrices)
    assert torch.equal(out, out[:, :, :1, :1].expand_as(out))
    return out[0, :, 0, 0]


@pytest.mark.parametrize(
    ("matrices", "expected"),
    [
        (brightened(of_one(0.25)), COLOUR + 0.25),
        (contrasted(of_one(1.5)), COLOUR * 1.5),
        (saturated(of_one(0.5)), LUMA + 0.5 * (COLOUR - LUMA)),
        (saturated(of_one(0.0)), LUMA.expand(3)),
        (luma_flipped(of_one(1.0)), COLOUR - 2 * LUMA),
        (luma_flipped(of_one(0.0)), COLOUR),
        (hue_turned(of_one(2 * math.pi / 3)), COLOUR.roll(1)),
        (hue_turned(of_one(-2 * math.pi / 3)), COLOUR.roll(-1)),
    ],
)
def test_closed_forms_on_one_colour(matrices: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(through(matrices), expected, rtol=0, atol=1e-14)


def test_neutral_values_are_exactly_the_identity() -> None:
    zero, one = of_one(0.0), of_one(1.0)
    for matrix in (brightened(zero), contrasted(one), luma_flipped(zero), hue_turned(zero), saturated(one)):
        assert torch.equal(matrix[0], torch.eye(4, dtype=torch.float64))


@given(st.floats(-10, 10))
def test_hue_is_a_rotation_around_the_luma_axis(angle: float) -> None:
    matrix = hue_turned(of_one(angle))[0].numpy()
    expected = Rotation.from_rotvec(angle * np.ones(3) / math.sqrt(3)).as_matrix()
    np.testing.assert_allclose(matrix[:3, :3], expected, atol=1e-12)
    np.testing.assert_allclose(matrix[:3, :3] @ np.ones(3), np.ones(3), atol=1e-12)
    assert np.array_equal(matrix[3], [0, 0, 0, 1])
    assert np.array_equal(matrix[:3, 3], [0, 0, 0])


def test_luma_flip_twice_is_nothing() -> None:
    flip = luma_flipped(of_one(1.0))
    torch.testing.assert_close(flip @ flip, torch.eye(4, dtype=torch.float64)[None], rtol=0, atol=1e-15)
    assert through(flip).mean().item() == pytest.approx(-LUMA.item(), abs=1e-15)


@pytest.mark.parametrize(
    ("matrices", "expected"),
    [
        (brightened(of_one(0.25)), 0.65),
        (contrasted(of_one(1.5)), 0.6),
        (luma_flipped(of_one(1.0)), -0.4),
        (hue_turned(of_one(1.1)), 0.4),
        (saturated(of_one(3.0)), 0.4),
        (contrasted(of_one(2.0)) @ brightened(of_one(-0.1)), 0.6),
    ],
)
def test_one_channel_is_three_equal_ones(matrices: Tensor, expected: float) -> None:
    (value,) = through(matrices, torch.tensor([0.4], dtype=torch.float64))
    assert value.item() == pytest.approx(expected, abs=1e-14)
    three = through(matrices, torch.full((3,), 0.4, dtype=torch.float64))
    torch.testing.assert_close(three, value.expand(3), rtol=0, atol=1e-14)


def test_grey_is_the_luma_of_pillow() -> None:
    image = pytest.importorskip("PIL.Image")
    pixels = torch.randint(0, 256, (1, 3, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    expected = np.asarray(image.fromarray(pixels[0].permute(1, 2, 0).numpy()).convert("L"), dtype=float)
    np.testing.assert_allclose(grey(pixels.double())[0, 0].numpy(), expected, atol=0.51)
    assert torch.equal(grey(pixels[:, :1]), pixels[:, :1])


def test_two_channels_are_refused_in_one_line() -> None:
    with pytest.raises(UserError, match="1 or 3 channels, got 2"):
        recolour(torch.zeros(1, 2, 8, 8), torch.eye(4)[None])
