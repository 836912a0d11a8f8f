from __future__ import annotations

import pytest
import torch

from ganeval.data.pixels import to_float, to_uint8
from ganeval.errors import UserError


def test_every_grey_level_survives_the_way_there_and_back() -> None:
    levels = torch.arange(256, dtype=torch.uint8)
    floats = to_float(levels)
    assert floats.dtype == torch.float32
    assert (floats[0].item(), floats[-1].item()) == (-1.0, 1.0)
    assert bool((floats.diff() > 0).all())
    assert torch.equal(to_uint8(floats), levels)


def test_values_outside_the_range_are_clipped() -> None:
    assert to_uint8(torch.tensor([-7.0, -1.004, 1.004, 7.0])).tolist() == [0, 0, 255, 255]


def test_quantisation_rounds_halves_up() -> None:
    between = 2 * (torch.arange(255, dtype=torch.float64) + 0.5) / 255 - 1
    step = 2 / 255
    assert to_uint8((between - 0.01 * step).float()).tolist() == list(range(255))
    assert to_uint8((between + 0.01 * step).float()).tolist() == list(range(1, 256))
    assert to_uint8(torch.tensor([0.0])).tolist() == [128]  # 127.5


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_a_value_that_is_not_finite_has_no_colour(bad: float) -> None:
    with pytest.raises(UserError, match="not finite"):
        to_uint8(torch.tensor([0.0, bad]))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floating_types_are_taken(dtype: torch.dtype) -> None:
    assert to_uint8(torch.tensor([-1.0, 0.0, 1.0], dtype=dtype)).tolist() == [0, 128, 255]
