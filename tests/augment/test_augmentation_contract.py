"""What every augmentation promises, whatever it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd import gradcheck, gradgradcheck

from ganeval.augment.ada import ADA
from ganeval.augment.apa import APA
from ganeval.augment.base import Augmentation
from ganeval.augment.diffaug import DiffAugment
from ganeval.augment.geometry import filter_matrices
from ganeval.augment.simclr import SimCLR
from ganeval.conditioning.acgan import ACGAN
from ganeval.errors import UserError
from ganeval.losses.adversarial.hinge import Hinge
from ganeval.losses.base import State
from ganeval.networks.big_resnet import BigGAN
from ganeval.recipes.recipe import Data, Recipe, Schedule
from ganeval.recipes.schema import from_json, override, to_json

BUSY: dict[str, Augmentation] = {
    "ada": ADA(initial_p=0.8),
    "ada-bg": ADA(initial_p=0.8, pipe="bg"),
    "apa": APA(initial_p=0.5),
    "diffaug": DiffAugment(),
    "simclr": SimCLR(),
}
IDLE: dict[str, Augmentation] = {
    "ada p": ADA(),
    "ada strength": ADA(initial_p=1.0, strength=0.0),
    "apa p": APA(),
    "diffaug strength": DiffAugment(strength=0.0),
    "diffaug policy": DiffAugment(policy=()),
    "simclr strength": SimCLR(strength=0.0),
}


def shown(augmentation: Augmentation, real: Tensor, seed: int = 0, state: State | None = None) -> Tensor:
    """Real images as the discriminator sees them, some mixed with their negatives."""
    rng = torch.Generator().manual_seed(seed)
    state = augmentation.initial_state() if state is None else state
    return augmentation.apply(augmentation.mix(real, -real, state, rng), state, rng)


def some_images(count: int = 6, channels: int = 3, size: int = 16, dtype: torch.dtype = torch.float32) -> Tensor:
    drawn = torch.rand(count, channels, size, size, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    return (drawn * 2 - 1).to(dtype)


def test_every_member_is_tested_here() -> None:
    assert {type(augmentation) for augmentation in BUSY.values()} == set(Augmentation.members().values())


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(sorted(BUSY)),
    st.integers(1, 4),
    st.sampled_from([1, 3]),
    st.integers(8, 21),
    st.booleans(),
    st.integers(0, 2**31),
)
def test_any_shape_stays_finite_and_of_its_shape(
    name: str, count: int, channels: int, size: int, double: bool, seed: int
) -> None:
    images = some_images(count, channels, size, torch.float64 if double else torch.float32)
    out = shown(BUSY[name], images, seed)
    assert (out.shape, out.dtype, out.device) == (images.shape, images.dtype, images.device)
    assert torch.isfinite(out).all()


@pytest.mark.parametrize("name", BUSY)
def test_the_seed_decides_and_nothing_else(name: str) -> None:
    images = some_images()
    torch.manual_seed(1)
    first = shown(BUSY[name], images, 5)
    torch.manual_seed(2)
    assert torch.equal(shown(BUSY[name], images, 5), first)
    assert not torch.allclose(shown(BUSY[name], images, 6), first, atol=1e-3)


@pytest.mark.parametrize("name", BUSY)
def test_images_of_either_precision_meet_the_same_transforms(name: str) -> None:
    single = shown(BUSY[name], some_images())
    double = shown(BUSY[name], some_images(dtype=torch.float64))
    torch.testing.assert_close(single.double(), double, rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", BUSY)
def test_images_of_a_batch_are_changed_differently(name: str) -> None:
    out = shown(BUSY[name], some_images(1).expand(8, -1, -1, -1))
    assert len({tuple(image.flatten().tolist()) for image in out}) > (1 if name == "apa" else 6)


@pytest.mark.parametrize("name", IDLE)
@pytest.mark.parametrize("size", [8, 16, 32])
def test_nothing_happens_at_zero(name: str, size: int) -> None:
    for channels in (1, 3):
        images = some_images(5, channels, size)
        torch.testing.assert_close(shown(IDLE[name], images), images, rtol=0, atol=1e-6)


def as_function(augmentation: Augmentation, channels: int) -> tuple[Callable[[Tensor], Tensor], Tensor]:
    images = some_images(3, channels, 8, torch.float64).requires_grad_()
    return lambda real: shown(augmentation, real, 4), images


@pytest.mark.parametrize("name", BUSY)
@pytest.mark.parametrize("channels", [1, 3])
def test_gradients_agree_with_finite_differences_twice(name: str, channels: int) -> None:
    function, images = as_function(BUSY[name], channels)
    if name == "apa":  # fakes carry no gradient, so reals and fakes may not be the same tensor
        fake = -images.detach()
        function = lambda real: BUSY["apa"].mix(real, fake, BUSY["apa"].initial_state(), torch.Generator().manual_seed(4))  # noqa: E731
    assert gradcheck(function, images, fast_mode=True)
    assert gradgradcheck(lambda real: function(real).pow(3), images, fast_mode=True)
    (gradient,) = torch.autograd.grad(function(images).pow(2).sum(), images)
    assert gradient.abs().max() > 0


@pytest.mark.parametrize("name", BUSY)
def test_nothing_waits_for_the_device(name: str) -> None:
    """Fake tensors have no values: whatever wants to read one raises."""
    filter_matrices.cache_clear()
    augmentation = BUSY[name]
    with FakeTensorMode(allow_non_fake_inputs=True):
        state = {key: torch.empty((), dtype=torch.float64) for key in augmentation.initial_state()}
        out = shown(augmentation, torch.empty(4, 3, 16, 16), state=state)
        augmentation.observe(out.mean((1, 2, 3)), state)
    filter_matrices.cache_clear()
    assert out.shape == (4, 3, 16, 16)


def test_filters_made_in_inference_serve_in_training() -> None:
    filter_matrices.cache_clear()
    augmentation = ADA(initial_p=1.0)
    with torch.inference_mode():
        shown(augmentation, some_images())
    images = some_images().requires_grad_()
    shown(augmentation, images).sum().backward()
    assert images.grad is not None


RECIPE = Recipe("test", Data("digits", 16), BigGAN(z_dim=60), ACGAN(), Hinge(), Schedule(2), augmentation=DiffAugment())


@pytest.mark.parametrize("augmentation", [*BUSY.values(), DiffAugment(("cutout",)), DiffAugment(())])
def test_recipes_with_augmentations_survive_json(augmentation: Augmentation) -> None:
    recipe = replace(RECIPE, augmentation=augmentation)
    assert from_json(Recipe, to_json(recipe)) == recipe


@pytest.mark.parametrize(
    ("assignments", "expected"),
    [
        (["augmentation.policy=color,cutout"], DiffAugment(("color", "cutout"))),
        (["augmentation.policy=translation"], DiffAugment(("translation",))),
        (["augmentation=ada", "augmentation.target=0.7", "augmentation.pipe=bg"], ADA(target=0.7, pipe="bg")),
        (["augmentation=apa", "augmentation.kimg=100"], APA(kimg=100)),
        (["augmentation=simclr", "augmentation.min_area=0.2"], SimCLR(min_area=0.2)),
    ],
)
def test_overrides_reach_augmentations(assignments: list[str], expected: Augmentation) -> None:
    assert override(RECIPE, *assignments).augmentation == expected


@pytest.mark.parametrize(
    ("assignments", "said"),
    [
        (["augmentation.policy=colour"], "expected one of color, translation, cutout, or several separated by commas"),
        (["augmentation=ada", "augmentation.pipe=bgcf"], "expected one of bg, bgc"),
        (["augmentation=ada", "augmentation.target=2"], "must be in [-1, 1]"),
        (["augmentation=adda"], "did you mean ada"),
    ],
)
def test_bad_overrides_are_refused_in_one_line(assignments: list[str], said: str) -> None:
    with pytest.raises(UserError) as caught:
        override(RECIPE, *assignments)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
