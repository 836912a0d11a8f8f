"""Every resizer gives what the tool it is named after gives, to 1e-3 grey levels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from cleanfid.resize import build_resizer
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor
from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

from ganeval.extractors.resize import (
    CLEAN,
    HALF_PIXEL_BILINEAR,
    PIL_BICUBIC,
    PIL_BILINEAR,
    PIL_LANCZOS,
    TF1_BILINEAR,
    Resizer,
    down_by_product,
    down_by_taps,
)

GREY_LEVELS = 1e-3
EVERY = (TF1_BILINEAR, HALF_PIXEL_BILINEAR, PIL_BILINEAR, PIL_BICUBIC, PIL_LANCZOS, CLEAN)
WIDTHS = [8, 32, 64, 299, 300, 513]


def noise(*shape: int) -> Tensor:
    """The hardest input: neighbouring pixels have nothing to do with each other, black and white among them."""
    values = np.random.default_rng(sum(shape)).integers(-60, 316, shape).clip(0, 255)
    return torch.from_numpy(values.astype(np.uint8))


def by_pillow(images: Tensor, size: int, resample: Image.Resampling) -> Tensor:
    """Pillow in mode "F", channel by channel."""
    channels = [Image.fromarray(channel.numpy().astype(np.float32)) for image in images for channel in image]
    resized = [np.asarray(channel.resize((size, size), resample)) for channel in channels]
    return torch.from_numpy(np.stack(resized)).view(*images.shape[:2], size, size)


def largest(difference: Tensor) -> float:
    return float(difference.abs().max())


@pytest.mark.parametrize("width", WIDTHS)
def test_tf1_is_torch_fidelitys(width: int) -> None:
    x = noise(2, 3, width, width)
    theirs = interpolate_bilinear_2d_like_tensorflow1x(x.float(), size=(299, 299), align_corners=False)
    assert largest(TF1_BILINEAR(x, 299) - theirs) < GREY_LEVELS


@pytest.mark.parametrize("size", [32, 224, 299])
@pytest.mark.parametrize("width", WIDTHS)
def test_half_pixel_is_torchs(width: int, size: int) -> None:
    x = noise(2, 3, width, width)
    theirs = F.interpolate(x.float(), size=(size, size), mode="bilinear", align_corners=False)
    assert largest(HALF_PIXEL_BILINEAR(x, size) - theirs) < GREY_LEVELS


@pytest.mark.parametrize("width", WIDTHS)
def test_clean_is_clean_fids(width: int) -> None:
    x = noise(2, 3, width, width)
    resize = build_resizer("clean")
    theirs = torch.stack([torch.from_numpy(resize(image.permute(1, 2, 0).numpy())).permute(2, 0, 1) for image in x])
    assert largest(CLEAN(x, 299) - theirs) < GREY_LEVELS


@pytest.mark.parametrize("size", [32, 224, 299])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (PIL_BILINEAR, Image.Resampling.BILINEAR),
        (PIL_BICUBIC, Image.Resampling.BICUBIC),
        (PIL_LANCZOS, Image.Resampling.LANCZOS),
    ],
)
def test_pillows_filters_are_pillows(ours: Resizer, theirs: Image.Resampling, width: int, size: int) -> None:
    x = noise(1, 3, width, width)
    assert largest(ours(x, size) - by_pillow(x, size, theirs)) < GREY_LEVELS


@pytest.mark.parametrize("size", [32, 299])
@pytest.mark.parametrize("width", [2, 31, 300])
@pytest.mark.parametrize("resizer", EVERY, ids=lambda resizer: resizer.name)
def test_what_a_gpu_computes_is_what_a_cpu_does_also_where_half_precision_is_allowed(
    resizer: Resizer, width: int, size: int
) -> None:
    planes = noise(3, width, 21).float()
    with torch.autocast("cpu", torch.bfloat16):
        by_taps, by_product = (down(planes, resizer.matrix, size) for down in (down_by_taps, down_by_product))
    assert by_taps.shape == by_product.shape == (3, size, 21)
    assert largest(by_taps - by_product) < GREY_LEVELS
    exact = resizer.matrix(width, size).double() @ planes.double()
    assert largest(by_product - exact) < GREY_LEVELS


def test_only_clean_cuts_the_overshoot() -> None:
    x = torch.zeros(1, 1, 32, 32, dtype=torch.uint8)
    x[..., 16:] = 255
    sharp, clean = PIL_BICUBIC(x, 299), CLEAN(x, 299)
    assert float(sharp.min()) < -5
    assert float(sharp.max()) > 260
    assert (float(clean.min()), float(clean.max())) == (0, 255)
    assert torch.equal(sharp.clamp(0, 255), clean)


def test_rows_and_columns_are_not_mixed_up() -> None:
    x = noise(1, 2, 20, 45)
    assert largest(PIL_LANCZOS(x, 31) - by_pillow(x, 31, Image.Resampling.LANCZOS)) < GREY_LEVELS


@pytest.mark.parametrize("resizer", EVERY, ids=lambda resizer: resizer.name)
def test_an_image_of_the_right_size_is_left_alone(resizer: Resizer) -> None:
    x = noise(2, 3, 32, 32)
    assert torch.equal(resizer(x, 32), x.float())


@pytest.mark.parametrize("width", [16, 100, 400])
@pytest.mark.parametrize("resizer", EVERY, ids=lambda resizer: resizer.name)
def test_pieces_do_not_show(resizer: Resizer, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    x = noise(3, 3, width, width)
    whole = resizer(x, 299)
    for piece in (299, 900):  # of 400 rows: one plane at a time; two, and one that is left
        monkeypatch.setattr("ganeval.extractors.resize.PIECE", piece)
        assert torch.equal(resizer(x, 299), whole)


@settings(deadline=None, max_examples=15)
@given(n=st.integers(2, 70), m=st.integers(2, 70), level=st.integers(0, 255))
@pytest.mark.parametrize("resizer", EVERY, ids=lambda resizer: resizer.name)
def test_a_flat_image_stays_flat(resizer: Resizer, n: int, m: int, level: int) -> None:
    made = resizer(torch.full((1, 1, n, n), level, dtype=torch.uint8), m)
    assert made.shape == (1, 1, m, m)
    assert made.dtype == torch.float32
    assert largest(made - level) < GREY_LEVELS


def test_the_matrices_are_made_once() -> None:
    first: Callable[[int, int], Tensor] = PIL_BICUBIC.matrix
    assert first(32, 299) is CLEAN.matrix(32, 299)
    assert TF1_BILINEAR.matrix(32, 299) is TF1_BILINEAR.matrix(32, 299)
