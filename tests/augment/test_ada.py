"""ADA: what happens to an image, how often, how much and in which order."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from scipy.stats import kstest
from torch import Tensor

from ganeval.augment.ada import ADA, colour, geometry
from ganeval.augment.chance import Draws
from ganeval.errors import UserError

COUNT = 4000


def draws(seed: int = 0, count: int = COUNT) -> Draws:
    return Draws(torch.Generator().manual_seed(seed), count)


def probability(p: float) -> Tensor:
    return torch.tensor(p, dtype=torch.float64)


def assert_share(events: Tensor | np.ndarray, expected: float) -> None:
    """A share within 4.5 standard deviations of the binomial's."""
    share = float(np.mean(np.asarray(events, dtype=float)))
    assert abs(share - expected) < 4.5 * math.sqrt(expected * (1 - expected) / len(events))


def assert_follows(values: Tensor, law: str, *parameters: float) -> None:
    assert kstest(values.numpy(), law, args=parameters).pvalue > 1e-4


@dataclass(frozen=True)
class Recorded(Draws):
    """Everything happens, and what was drawn is kept."""

    log: list[Tensor] = field(default_factory=list)

    def uniform(self, low: float = 0.0, high: float = 1.0) -> Tensor:
        return self._kept(super().uniform(low, high))

    def normal(self, deviation: float = 1.0) -> Tensor:
        return self._kept(super().normal(deviation))

    def whole(self, low: int, high: int) -> Tensor:
        return self._kept(super().whole(low, high))

    def happens(self, probability: Tensor | float) -> Tensor:
        return torch.ones(self.count, dtype=torch.bool)

    def _kept(self, values: Tensor) -> Tensor:
        self.log.append(values)
        return values


def test_geometry_is_the_papers_composition() -> None:
    """G = move . turn . stretch . turn . zoom . whole move . quarters . mirror in places right and down, and back."""
    recorded = Recorded(torch.Generator().manual_seed(3), 20)
    back = geometry(recorded, probability(1.0), 1.0, 24).numpy()
    mirror, quarters, x, y, zoom, first, stretch, second, right, down = (values.numpy() for values in recorded.log)

    def rotation(angle: float) -> np.ndarray:  # against the clock as one sees it, y pointing down
        return np.array([[math.cos(angle), math.sin(angle), 0], [-math.sin(angle), math.cos(angle), 0], [0, 0, 1]])

    def translation(x: float, y: float) -> np.ndarray:
        return np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]])

    for i in range(20):
        forward = np.diag([1 - 2 * mirror[i], 1, 1])
        forward = rotation(quarters[i] * math.pi / 2) @ forward
        forward = translation(round(24 * x[i]), round(24 * y[i])) @ forward
        forward = np.diag([2 ** zoom[i], 2 ** zoom[i], 1]) @ forward
        forward = rotation(first[i]) @ forward
        forward = np.diag([2 ** stretch[i], 2 ** -stretch[i], 1]) @ forward
        forward = rotation(second[i]) @ forward
        forward = translation(24 * right[i], 24 * down[i]) @ forward
        np.testing.assert_allclose(back[i], np.linalg.inv(forward), atol=1e-12)
    assert len(set(mirror)) == 2
    assert set(quarters) == {0, 1, 2, 3}


def test_colour_is_the_papers_composition() -> None:
    recorded = Recorded(torch.Generator().manual_seed(3), 20)
    matrices = colour(recorded, probability(1.0), 1.0).numpy()
    brightness, contrast, flip, hue, saturation = (values.numpy() for values in recorded.log)
    axis = np.ones(3) / math.sqrt(3)
    luma = np.outer(axis, axis)
    for i in range(20):
        value = np.array([0.3, -0.6, 0.2])
        expected = (value + brightness[i]) * 2 ** contrast[i]
        expected = expected - 2 * flip[i] * luma @ expected
        expected = Rotation.from_rotvec(hue[i] * axis).apply(expected)
        expected = luma @ expected + 2 ** saturation[i] * (expected - luma @ expected)
        np.testing.assert_allclose(matrices[i] @ [*value, 1], [*expected, 1], atol=1e-12)


def test_ranges_are_the_papers() -> None:
    recorded = Recorded(torch.Generator().manual_seed(5), COUNT)
    geometry(recorded, probability(1.0), 1.0, 32)
    colour(recorded, probability(1.0), 1.0)
    turn, eighth = (-math.pi, 2 * math.pi), (-0.125, 0.25)
    laws = {2: eighth, 3: eighth, 4: 0.2, 5: turn, 6: 0.2, 7: turn, 8: 0.125, 9: 0.125, 10: 0.2, 11: 0.5, 13: turn, 14: 1.0}
    for place, law in laws.items():
        values = recorded.log[place]
        if isinstance(law, tuple):
            assert_follows(values, "uniform", *law)
        else:
            assert_follows(values, "norm", 0.0, law)
    for place, outcomes in ((0, 2), (1, 4), (12, 2)):
        for outcome in range(outcomes):
            assert_share(recorded.log[place] == outcome, 1 / outcomes)
    assert len(recorded.log) == 15


@pytest.mark.parametrize("p", [0.2, 0.7])
def test_each_transform_happens_with_its_probability(p: float) -> None:
    matrices = geometry(draws(1), probability(p), 1.0, 1000)
    linear = matrices[:, :2, :2]
    area = torch.linalg.det(linear)
    assert_share(area < 0, p / 2)  # mirrored: chosen with p, then in one case of two
    assert_share((area.abs() - 1).abs() > 1e-9, p)  # zoomed
    longest, shortest = torch.linalg.svdvals(linear).unbind(1)
    stretched = longest / shortest > 1 + 1e-6
    assert_share(stretched, p)
    still = ~stretched
    angle = torch.atan2(linear[:, 1, 0], linear[:, 0, 0])[still]
    upright = (angle * 2 / math.pi - (angle * 2 / math.pi).round()).abs() < 1e-6
    assert_share(upright, 1 - p)  # neither of the two turns
    whole = (matrices[:, :2, 2] - matrices[:, :2, 2].round()).abs().amax(1) < 1e-9
    untouched = still & ((area.abs() - 1).abs() < 1e-9) & ((linear.abs() - linear.abs().round()).abs().amax((1, 2)) < 1e-9)
    assert_share(whole[untouched], 1 - p)  # moved by fractions
    fixed = (matrices[:, :2, 2].abs().amax(1) < 1e-9)[untouched]
    assert_share(fixed, (1 - p) ** 2)  # moved at all


def test_colours_change_with_their_probability() -> None:
    p = 0.3
    matrices = colour(draws(2), probability(p), 1.0)
    axis = torch.full((3,), 3**-0.5, dtype=torch.float64)
    along = (axis @ matrices[:, :3, :3] @ axis).squeeze()
    assert_share(along < 0, p / 2)  # luma flip
    assert_share((along.abs() - 1).abs() > 1e-9, p)  # contrast
    assert_share(matrices[:, 0, 3] != 0, p)  # brightness
    across = matrices[:, :3, :3] - along[:, None, None] * torch.outer(axis, axis)
    saturation = across.square().sum((1, 2)).sqrt() / math.sqrt(2) / along.abs()
    assert_share((saturation - 1).abs() > 1e-9, p)
    symmetric = (across - across.mT).abs().amax((1, 2)) < 1e-9
    assert_share(~symmetric, p)  # hue


@pytest.mark.parametrize(("p", "strength"), [(0.0, 1.0), (1.0, 0.0)])
def test_matrices_are_exactly_the_identity_at_zero(p: float, strength: float) -> None:
    for size, matrices in ((3, geometry(draws(), probability(p), strength, 32)), (4, colour(draws(), probability(p), strength))):
        assert torch.equal(matrices, torch.eye(size, dtype=torch.float64).expand(COUNT, size, size))


def test_strength_scales_the_ranges() -> None:
    recorded = Recorded(torch.Generator().manual_seed(5), COUNT)
    geometry(recorded, probability(1.0), 0.5, 32)
    assert_follows(recorded.log[3], "uniform", -0.0625, 0.125)
    assert_follows(recorded.log[4], "norm", 0.0, 0.1)
    mirrored = torch.linalg.det(geometry(draws(4), probability(0.8), 0.5, 32)[:, :2, :2]) < 0
    assert_share(mirrored, 0.8 * 0.5 / 2)


def test_everything_at_once_changes_every_image_and_stays_finite() -> None:
    rng = torch.Generator().manual_seed(0)
    images = torch.rand(50, 3, 16, 16, generator=rng) * 2 - 1
    for pipe in ("bg", "bgc"):
        out = ADA(pipe=pipe).apply(images, {"p": probability(1.0)}, rng)
        assert out.shape == images.shape
        assert torch.isfinite(out).all()
        assert ((out - images).abs().amax((1, 2, 3)) > 0.01).all()


def test_bg_leaves_the_colours_alone() -> None:
    images = torch.tensor([0.8, -0.3, 0.1]).view(1, 3, 1, 1).expand(50, 3, 16, 16)
    state = {"p": probability(1.0)}
    torch.testing.assert_close(ADA(pipe="bg").apply(images, state, torch.Generator()), images, rtol=0, atol=1e-5)
    assert (ADA().apply(images, state, torch.Generator()) - images).abs().max() > 0.5


def test_the_mean_over_many_draws_forgets_the_direction() -> None:
    """Mirrors, turns and moves in all directions leave an image whose mean does not depend on the direction."""
    ramp = torch.linspace(-1, 1, 16, dtype=torch.float64).expand(COUNT, 1, 16, 16)
    mean = ADA(pipe="bg").apply(ramp, {"p": probability(1.0)}, torch.Generator().manual_seed(1)).mean((0, 1))
    assert mean.abs().max() < 0.05
    assert ramp.mean((0, 1)).abs().max() == 1


@pytest.mark.parametrize(
    "wrong", [{"strength": 1.5}, {"strength": -0.1}, {"initial_p": 2.0}, {"target": 60.0}, {"interval": 0}, {"kimg": 0}]
)
def test_parameters_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    (name,) = wrong
    with pytest.raises(UserError, match=rf"augmentation\.{name} .*must be"):
        ADA(**wrong)  # type: ignore[arg-type]
