"""SimCLR's augmentations in closed form."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.stats import kstest

from ganeval.augment.chance import Draws
from ganeval.augment.colour import grey
from ganeval.augment.simclr import SimCLR, cropped, jittered
from ganeval.errors import UserError

COUNT = 3000


def draws(seed: int = 0, count: int = COUNT) -> Draws:
    return Draws(torch.Generator().manual_seed(seed), count)


def test_crops_of_a_ramp_are_ramps_of_the_boxes_that_were_asked_for() -> None:
    size, min_area = 64, 0.2
    place = (torch.arange(size, dtype=torch.float64) + 0.5) / size
    images = torch.stack([place.expand(size, size), place[:, None].expand(size, size)]).expand(COUNT, 2, size, size)
    out = cropped(images, draws(), min_area, 4 / 3)
    inner = out[:, :, 8:-8, 8:-8]  # boxes at the border read no further than the outermost pixel centres
    torch.testing.assert_close(inner[:, 0], inner[:, 0, :1].expand_as(inner[:, 0]))
    torch.testing.assert_close(inner[:, 1], inner[:, 1, :, :1].expand_as(inner[:, 1]))
    width = (inner[:, 0, 0, -1] - inner[:, 0, 0, 0]) * size / 47
    height = (inner[:, 1, -1, 0] - inner[:, 1, 0, 0]) * size / 47
    middle = inner[:, 0, 0].mean(1)
    assert width.max() <= 1 + 1e-9
    assert (middle - width / 2).min() >= -1e-9
    assert (middle + width / 2).max() <= 1 + 1e-9
    free = (width < 0.95) & (height < 0.95)
    area, ratio = (width * height)[free], (width / height)[free].log()
    assert area.min() >= min_area - 1e-9
    assert ratio.abs().max() <= math.log(4 / 3) + 1e-9
    small = area < 0.6  # below this no box is cut to the image
    assert kstest(area[small].numpy(), "uniform", args=(min_area, 0.6 - min_area)).pvalue > 1e-4
    assert kstest(ratio[small].numpy(), "uniform", args=(-math.log(4 / 3), 2 * math.log(4 / 3))).pvalue > 1e-4
    start = ((middle - width / 2) / (1 - width))[free]
    assert kstest(start.numpy(), "uniform").pvalue > 1e-4


def test_a_crop_of_everything_is_the_image() -> None:
    images = torch.rand(5, 3, 16, 16)
    assert torch.equal(cropped(images, draws(0, 5), 1.0, 1.0), images)


@pytest.mark.parametrize("jitter", [0.5, 1.0])
def test_jitter_has_the_papers_ranges_and_probability(jitter: float) -> None:
    pixels = torch.tensor([[0.6, -0.3, 0.1], [-0.4, 0.2, 0.2]], dtype=torch.float64)
    images = pixels.t().reshape(1, 3, 1, 2).expand(COUNT, 3, 1, 2)
    out = jittered(images, draws(1), jitter)
    changed = (out != images).flatten(1).any(1)
    assert abs(changed.double().mean() - 0.8) < 4.5 * math.sqrt(0.16 / COUNT)
    out = out[changed]
    # Hue keeps the plain mean of the channels, in which saturation moves pixels away from their luma.
    angles = []
    for before, after in ((pixels[0], out[:, :, 0, 0]), (pixels[1], out[:, :, 0, 1])):
        across, turned = before - before.mean(), after - after.mean(1, keepdim=True)
        cross = torch.linalg.cross(across.expand_as(turned), turned).sum(1) / math.sqrt(3)
        angles.append(torch.atan2(cross, turned @ across))
        torch.testing.assert_close(angles[0], angles[-1])
    most = 0.4 * math.pi * jitter
    assert kstest(angles[0].numpy(), "uniform", args=(-most, 2 * most)).pvalue > 1e-4


@pytest.mark.parametrize("jitter", [0.5, 1.0])
def test_jitter_of_grey_pixels_is_brightness_then_contrast(jitter: float) -> None:
    images = torch.tensor([0.5, -0.7], dtype=torch.float64).view(1, 1, 1, 2).expand(COUNT, 3, 1, 2)
    out = jittered(images, draws(2), jitter)[:, 0, 0]
    out = out[(out != images[:, 0, 0]).any(1)]
    brightness = (out.mean(1) + 1) / 0.9  # the mean -0.1 counted from black
    contrast = (out[:, 0] - out[:, 1]) / 1.2 / brightness
    for factor in (brightness, contrast):
        assert kstest(factor.numpy(), "uniform", args=(1 - 0.8 * jitter, 1.6 * jitter)).pvalue > 1e-4


def test_one_image_in_five_becomes_grey_and_one_in_two_is_mirrored() -> None:
    ramp = torch.linspace(-1, 1, 16, dtype=torch.float64).expand(COUNT, 3, 16, 16) * torch.tensor([1, 0.2, 0.4]).view(3, 1, 1)
    out = SimCLR().apply(ramp, {}, torch.Generator().manual_seed(0))
    is_grey = (out - grey(out)).abs().amax((1, 2, 3)) < 1e-9
    assert abs(is_grey.double().mean() - 0.2) < 4.5 * math.sqrt(0.16 / COUNT)
    luma = grey(out)[:, 0, 8]
    assert abs((luma[:, 0] > luma[:, -1]).double().mean() - 0.5) < 4.5 * math.sqrt(0.25 / COUNT)


@pytest.mark.parametrize("wrong", [{"min_area": 0.0}, {"min_area": 1.1}, {"jitter": 2.0}, {"strength": -1.0}])
def test_parameters_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    (name,) = wrong
    with pytest.raises(UserError, match=rf"augmentation\.{name} must be"):
        SimCLR(**wrong)
