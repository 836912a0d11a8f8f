"""Every recipe trains: two steps with narrow networks, everything else as it is.

What is made smaller: widths, embeddings, batches (4, and 2 from 128 px on), the number of classes, accumulation and
discriminator updates (1 each). What would only begin later begins at once: LeCam, the average, and the adaptive augmentations, at
p = 1/2. Recipes that are then the same are trained once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count

import pytest
import torch
from torch import Tensor

from ganeval.augment.controller import AdaptiveAugmentation
from ganeval.conditioning.adc import ADC
from ganeval.conditioning.base import Conditioning
from ganeval.conditioning.proxies import ProxyScheme
from ganeval.conditioning.tac import TAC
from ganeval.losses.regularizers.lecam import LeCam
from ganeval.losses.regularizers.weight_clipping import WeightClipping
from ganeval.networks.base import Backbone, ImageShape
from ganeval.networks.big_resnet import BigGAN
from ganeval.networks.biggan_deep import DeepBackbone
from ganeval.networks.dcgan import DCGAN
from ganeval.networks.plans import G_WIDTHS
from ganeval.networks.resnet import ResNet
from ganeval.recipes.recipe import EMA, Adam, Citation, Recipe, Schedule
from ganeval.recipes.registry import TABLES
from ganeval.training.state import TrainState, initial_state
from ganeval.training.step import RealImages, discriminator_update, generator_update

CLASSES = 3


def narrow_backbone(backbone: Backbone, resolution: int) -> Backbone:
    if isinstance(backbone, ResNet | DCGAN):
        return replace(backbone, z_dim=4, g_channels=2, d_channels=2)
    assert isinstance(backbone, BigGAN | DeepBackbone)
    return replace(backbone, z_dim=len(G_WIDTHS[resolution]), shared_dim=2, g_channels=2, d_channels=2)


def narrow_conditioning(conditioning: Conditioning) -> Conditioning:
    if isinstance(conditioning, TAC | ADC):
        base = conditioning.base
        return replace(conditioning, base=replace(base, embed_dim=4) if isinstance(base, ProxyScheme) else base)
    return replace(conditioning, embed_dim=4) if isinstance(conditioning, ProxyScheme) else conditioning


def narrowed(recipe: Recipe) -> Recipe:
    """What is trained here in the place of ``recipe``."""
    augmentation = recipe.augmentation
    return replace(
        recipe,
        method="narrow",
        data=replace(recipe.data, dataset="noise"),
        backbone=narrow_backbone(recipe.backbone, recipe.data.resolution),
        conditioning=narrow_conditioning(recipe.conditioning),
        schedule=Schedule(steps=2, batch_size=2 if recipe.data.resolution >= 128 else 4, d_steps=1),
        optimizer=Adam(),
        ema=EMA(decay=0.5, start=0) if recipe.ema else None,
        regularizers=tuple(replace(part, start=0) if isinstance(part, LeCam) else part for part in recipe.regularizers),
        augmentation=replace(augmentation, initial_p=0.5) if isinstance(augmentation, AdaptiveAugmentation) else augmentation,
        citation=Citation("none"),
    )


def different_recipes() -> dict[str, Recipe]:
    """The narrowed recipes, each under the name of the first row that gives it."""
    rows = {f"{dataset}-{method}": narrowed(recipe) for dataset, table in TABLES for method, recipe in table.items()}
    first = {recipe: name for name, recipe in reversed(rows.items())}
    return {name: recipe for recipe, name in first.items()}


NARROW = different_recipes()


@pytest.mark.parametrize("name", NARROW)
def test_two_steps_are_finite_and_move_both_networks(name: str) -> None:
    recipe = NARROW[name]
    shape = ImageShape(1 if name.startswith("digits-") else 3, recipe.data.resolution)
    state = initial_state(recipe, shape, CLASSES, seed=0, device=torch.device("cpu"))
    before = {key: parameter.detach().clone() for key, parameter in parameters(state)}
    rng = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (12, shape.channels, shape.resolution, shape.resolution), generator=rng, dtype=torch.uint8)
    reals = RealImages(images, torch.arange(12) % CLASSES, recipe.data.flip, 0, torch.device("cpu"))
    batches = (reals.batch(recipe.schedule.batch_size, 4 * number, rng) for number in count())
    for _ in range(recipe.schedule.steps):
        log = discriminator_update(state, recipe, batches, rng) | generator_update(state, recipe, batches, rng)
        state.step += 1
        if state.ema:
            state.ema.update(state.generator, state.step)
    assert all(torch.isfinite(value) for value in log.values())
    moved = [key for key, parameter in parameters(state) if not torch.equal(parameter, before[key])]
    if any(isinstance(part, WeightClipping) for part in recipe.regularizers):
        # Through a narrow clipped critic the generator's gradient is far below Adam's epsilon.
        assert max(float(parameter.detach().abs().max()) for parameter in state.discriminator.parameters()) == pytest.approx(0.01)
        moved = [key for key in moved if key.startswith("discriminator.")]
        before = {key: value for key, value in before.items() if key.startswith("discriminator.")}
    # The adversarial bias has no gradient while all images are within the hinge; a narrow ReLU may be dead.
    assert len(moved) > 0.9 * len(before)


def parameters(state: TrainState) -> Iterator[tuple[str, Tensor]]:
    for name, network in (("generator", state.generator), ("discriminator", state.discriminator)):
        yield from ((f"{name}.{key}", parameter) for key, parameter in network.named_parameters())
