"""DiffAugment in closed form."""

from __future__ import annotations

import pytest
import torch
from scipy.stats import kstest
from torch import Tensor

from ganeval.augment.chance import Draws
from ganeval.augment.diffaug import DiffAugment, cut_out, recoloured, translated
from ganeval.errors import UserError

COUNT = 3000


def draws(seed: int = 0, count: int = COUNT) -> Draws:
    return Draws(torch.Generator().manual_seed(seed), count)


def assert_uniform(values: Tensor, low: float, high: float) -> None:
    assert kstest(values.numpy(), "uniform", args=(low, high - low)).pvalue > 1e-4


@pytest.mark.parametrize("strength", [0.4, 1.0])
def test_colours_change_uniformly_in_the_papers_ranges(strength: float) -> None:
    pixels = torch.tensor([[0.6, -0.3, 0.0], [-0.4, 0.2, 0.2]], dtype=torch.float64)  # greys 0.1 and 0, mean 0.05
    images = pixels.t().reshape(1, 3, 1, 2).expand(COUNT, 3, 1, 2)
    out = recoloured(images, draws(), strength)
    brightness = out.mean((1, 2, 3)) - 0.05
    assert_uniform(brightness, -0.5 * strength, 0.5 * strength)
    greys = out.mean((1, 2))
    contrast = (greys[:, 0] - greys[:, 1]) / 0.1
    assert_uniform(contrast, 1 - 0.5 * strength, 1 + 0.5 * strength)
    saturation = (out[:, 0, 0, 0] - out[:, 1, 0, 0]) / 0.9 / contrast
    assert_uniform(saturation, 1 - strength, 1 + strength)
    together = torch.corrcoef(torch.stack([brightness, contrast, saturation]))
    assert (together - torch.eye(3)).abs().max() < 4.5 / COUNT**0.5
    expected = 0.05 + brightness[:, None, None] + contrast[:, None, None] * (
        (pixels.mean(1) - 0.05) + saturation[:, None, None] * (pixels - pixels.mean(1, keepdim=True)).t()
    )  # fmt: skip
    torch.testing.assert_close(out[:, :, 0], expected, rtol=0, atol=1e-12)


def test_grey_images_keep_their_saturation() -> None:
    images = torch.rand(20, 1, 4, 4, dtype=torch.float64)
    out = recoloured(images, draws(1, 20), 1.0)
    mean, out_mean = images.mean((1, 2, 3), keepdim=True), out.mean((1, 2, 3), keepdim=True)
    contrast = ((out - out_mean) / (images - mean)).flatten(1)
    torch.testing.assert_close(contrast, contrast[:, :1].expand_as(contrast))
    assert contrast.min() >= 0.5
    assert contrast.max() <= 1.5


def test_translations_are_whole_pixels_uniform_in_an_eighth_with_zeros_from_outside() -> None:
    size, most = 20, 3  # 20 / 8 = 2.5, rounded up
    image = torch.rand(3, size, size, generator=torch.Generator().manual_seed(9)) + 1
    padded = torch.nn.functional.pad(image, (most,) * 4)
    out = translated(image.expand(COUNT, 3, size, size), draws(2), 1.0)
    found = torch.zeros(2 * most + 1, 2 * most + 1)
    for down in range(-most, most + 1):
        for right in range(-most, most + 1):
            expected = padded[:, most - down : most - down + size, most - right : most - right + size]
            found[down + most, right + most] = (out == expected).flatten(1).all(1).sum()
    assert found.sum() == COUNT
    expected_count = COUNT / found.numel()
    assert ((found - expected_count) ** 2 / expected_count).sum() < 95  # chi-squared with 48 degrees of freedom: p = 1e-4


@pytest.mark.parametrize("size", [8, 9, 10, 15])
def test_cutouts_are_squares_of_half_the_size_whose_centres_are_uniform(size: int) -> None:
    side = int(size / 2 + 0.5)
    out = cut_out(torch.ones(COUNT, 2, size, size), draws(3), 1.0)
    assert torch.equal(out[:, 0], out[:, 1])
    gone = out[:, 0] == 0
    rows, columns = gone.any(2), gone.any(1)
    assert torch.equal(gone, rows[:, :, None] & columns[:, None, :])
    centres = range(size + 1 - side % 2)
    spans = [(max(c - side // 2, 0), min(c - side // 2 + side, size)) for c in centres]
    for axis in (rows, columns):
        first, length = axis.int().argmax(1), axis.sum(1)
        seen = [((first == a) & (length == b - a)).sum().item() for a, b in spans]
        assert sum(seen) == COUNT
        expected = COUNT / len(seen)
        assert sum((s - expected) ** 2 / expected for s in seen) < 45  # chi-squared with at most 15 degrees: p = 1e-4
    mean_length = sum(b - a for a, b in spans) / len(spans)
    assert gone.double().mean().item() == pytest.approx((mean_length / size) ** 2, rel=0.05)


@pytest.mark.parametrize(("size", "strength", "side"), [(8, 0.5, 2), (32, 0.25, 4)])
def test_strength_scales_the_cutout(size: int, strength: float, side: int) -> None:
    gone = cut_out(torch.ones(COUNT, 1, size, size), draws(3), strength)[:, 0] == 0
    assert gone.sum((1, 2)).max() == side**2


def test_policy_chooses_the_transforms_and_their_order() -> None:
    images = torch.rand(COUNT, 3, 8, 8) + 1
    for policy in (("color", "cutout"), ("cutout", "color"), ("translation",), ()):
        out = DiffAugment(policy).apply(images, {}, torch.Generator().manual_seed(1))
        has_zeros = (out == 0).flatten(1).any(1)
        assert has_zeros.any() == (policy != () and policy[-1] != "color")
    assert torch.equal(out, images)


def test_strength_out_of_range_is_refused() -> None:
    with pytest.raises(UserError, match=r"strength must be in \[0, 1\], got 2"):
        DiffAugment(strength=2)
