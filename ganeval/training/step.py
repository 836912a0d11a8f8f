"""One update of each network: what is drawn, what is computed, what enters the loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ganeval.data.loader import batch_indices
from ganeval.data.pixels import to_float
from ganeval.losses.base import Stage
from ganeval.networks.layers import track_batch_statistics
from ganeval.recipes.recipe import Recipe
from ganeval.training.non_finite import require_finite_weights
from ganeval.training.state import AUGMENTATION, TrainState

Log = dict[str, Tensor]
Batch = tuple[Tensor, Tensor]


RESIDENT = 2**31
"""Training images up to this many bytes are kept on the device; more stay where they are, batches are moved."""


class RealImages:
    """The training images as an endless stream: batch ``position`` is a function of the seed, flips of the step's rng."""

    def __init__(self, images: Tensor, labels: Tensor, flip: bool, seed: int, device: torch.device) -> None:
        home = device if images.nbytes <= RESIDENT else images.device
        self.images, self.labels = images.to(home), labels.to(home)
        self.flip, self.seed, self.device = flip, seed, device

    def batch(self, size: int, position: int, rng: torch.Generator, stream: int = 0) -> Batch:
        """``size`` images (size, C, R, R) in [-1, 1] and their labels, from image ``position`` of the stream on."""
        index = batch_indices(len(self.labels), size, position, self.seed + stream).to(self.labels.device)
        images = to_float(self.images[index].to(self.device))
        if self.flip:
            mirrored = torch.rand(size, 1, 1, 1, generator=rng, device=images.device) < 0.5
            images = torch.where(mirrored, images.flip(3), images)
        return images, self.labels[index].to(self.device)


def discriminator_update(state: TrainState, recipe: Recipe, batches: Iterator[Batch], rng: torch.Generator) -> Log:
    """Update the discriminator once on ``schedule.accumulation`` batches of real images."""
    track_batch_statistics(state.generator, False)
    state.guard.begin((state.generator, state.discriminator), state.extras)
    state.d_optimizer.zero_grad(set_to_none=True)
    for _ in range(recipe.schedule.accumulation):
        loss, log = _discriminator_loss(state, recipe, next(batches), rng)
        (loss / recipe.schedule.accumulation).backward()
    if state.guard.passes(state.discriminator, "discriminator", state.step, log):
        state.d_optimizer.step()
        require_finite_weights(state.discriminator, "discriminator", state.step)
    for regularizer in recipe.regularizers:
        regularizer.after_d_update(state.discriminator)
    return log


def generator_update(state: TrainState, recipe: Recipe, batches: Iterator[Batch], rng: torch.Generator) -> Log:
    """Update the generator once on ``schedule.accumulation`` batches of latents; ``batches`` serves regularisers."""
    track_batch_statistics(state.generator, True)
    state.guard.begin((state.generator, state.discriminator), state.extras)
    state.g_optimizer.zero_grad(set_to_none=True)
    with frozen(state.discriminator):
        for _ in range(recipe.schedule.accumulation):
            loss, log = _generator_loss(state, recipe, batches, rng)
            (loss / recipe.schedule.accumulation).backward()
    if state.guard.passes(state.generator, "generator", state.step, log):
        state.g_optimizer.step()
        require_finite_weights(state.generator, "generator", state.step)
    return log


def _discriminator_loss(state: TrainState, recipe: Recipe, real_batch: Batch, rng: torch.Generator) -> tuple[Tensor, Log]:
    real, y_real = real_batch
    drawn, z, y_fake = _draw(state, recipe, len(y_real), rng)
    with torch.no_grad():
        fake = state.generator(z, y_fake)
    augment = _augmenter(state, recipe, rng)
    shown = recipe.augmentation.mix(real, fake, state.extras[AUGMENTATION], rng) if recipe.augmentation else real
    on_real = state.discriminator(augment(shown), y_real)
    on_fake = state.discriminator(augment(fake), y_fake)
    conditional = recipe.conditioning.d_loss(on_real, on_fake, y_real, y_fake)
    adversarial = recipe.adversarial.d_loss(on_real.adv, on_fake.adv) if recipe.adversarial else None
    loss = conditional if adversarial is None else conditional + adversarial
    stage = Stage(
        **_networks(state), real=shown, y_real=y_real, fake=fake, y_fake=y_fake, z=z, drawn_z=drawn,
        real_verdict=on_real, fake_verdict=on_fake, augment=augment, fresh_real=_no_batch, rng=rng,
    )  # fmt: skip
    for regularizer in recipe.regularizers:
        penalty = regularizer.d_penalty(stage, state.extras[regularizer.kind])
        loss = loss if penalty is None else loss + penalty
    if recipe.augmentation:
        recipe.augmentation.observe(on_real.adv.detach(), state.extras[AUGMENTATION])
    log = {"d_loss": loss, "d_conditional": conditional, "real_logit": on_real.adv.mean(), "fake_logit": on_fake.adv.mean()}
    log |= {} if adversarial is None else {"d_adversarial": adversarial}
    return loss, {name: value.detach() for name, value in log.items()}


def _generator_loss(state: TrainState, recipe: Recipe, batches: Iterator[Batch], rng: torch.Generator) -> tuple[Tensor, Log]:
    drawn, z, y_fake = _draw(state, recipe, recipe.schedule.batch_size, rng)
    fake = state.generator(z, y_fake)
    augment = _augmenter(state, recipe, rng)
    on_fake = state.discriminator(augment(fake), y_fake)
    conditional = recipe.conditioning.g_loss(on_fake, y_fake)
    judged = on_fake.adv
    for regularizer in recipe.regularizers:
        judged = regularizer.select(judged, state.step)
    loss = conditional + (recipe.adversarial.g_loss(judged) if recipe.adversarial else 0.0)

    def fresh_real() -> Batch:
        images, labels = next(batches)
        return augment(images), labels

    stage = Stage(
        **_networks(state), real=None, y_real=None, fake=fake, y_fake=y_fake, z=z, drawn_z=drawn,
        real_verdict=None, fake_verdict=on_fake, augment=augment, fresh_real=fresh_real, rng=rng,
    )  # fmt: skip
    for regularizer in recipe.regularizers:
        penalty = regularizer.g_penalty(stage, state.extras[regularizer.kind])
        loss = loss if penalty is None else loss + penalty
    return loss, {"g_loss": loss.detach(), "g_conditional": conditional.detach()}


def _draw(state: TrainState, recipe: Recipe, size: int, rng: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Latents of the recipe's prior, the same as the regularisers want them, and labels uniform over the classes."""
    device = rng.device
    y = torch.randint(state.generator.num_classes, (size,), generator=rng, device=device)
    if recipe.prior == "uniform":
        drawn = 2 * torch.rand(size, state.generator.z_dim, generator=rng, device=device) - 1
    else:
        drawn = torch.randn(size, state.generator.z_dim, generator=rng, device=device)
    z = drawn
    for regularizer in recipe.regularizers:
        z = regularizer.latents(z, y, state.generator, state.discriminator, rng)
    return drawn, z, y


def _augmenter(state: TrainState, recipe: Recipe, rng: torch.Generator) -> Callable[[Tensor], Tensor]:
    augmentation = recipe.augmentation
    if augmentation is None:
        return lambda images: images
    return lambda images: augmentation.apply(images, state.extras[AUGMENTATION], rng)


def _networks(state: TrainState) -> dict[str, Any]:
    return {"generator": state.generator, "discriminator": state.discriminator, "step": state.step}


def _no_batch() -> Batch:
    raise RuntimeError("the discriminator's update has its real images already")


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """No gradients for the parameters of ``network`` inside the block."""
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)
