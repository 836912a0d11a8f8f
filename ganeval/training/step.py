"""One update of each network: what is drawn, what is computed, what enters the loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ganeval.data.loader import batch_indices
from ganeval.data.pixels import to_float
from ganeval.losses.base import Stage
from ganeval.networks.layers import track_batch_statistics
from ganeval.processes import Processes
from ganeval.recipes.recipe import Recipe
from ganeval.training.non_finite import require_finite_weights
from ganeval.training.replicas import Log, Replica
from ganeval.training.state import AUGMENTATION, TrainState

Batch = tuple[Tensor, Tensor]


ALONE = Processes()

RESIDENT = 2**31
"""Training images up to this many bytes are kept on the device; more stay where they are, batches are moved."""


class RealImages:
    """The training images as an endless stream: batch ``position`` is a function of the seed, flips of the step's rng.

    Of every batch each of several ``processes`` gets its share.
    """

    def __init__(
        self, images: Tensor, labels: Tensor, flip: bool, seed: int, device: torch.device, processes: Processes = ALONE
    ) -> None:
        self.processes = processes
        home = device if images.nbytes <= RESIDENT else images.device
        self.images, self.labels = images.to(home), labels.to(home)
        self.flip, self.seed, self.device = flip, seed, device

    def batch(self, size: int, position: int, rng: torch.Generator, stream: int = 0) -> Batch:
        """``size`` images (size, C, R, R) in [-1, 1] and their labels, from image ``position`` of the stream on."""
        drawn = batch_indices(len(self.labels), size, position, self.seed + stream)
        index = self.processes.share(drawn).to(self.labels.device)
        images = to_float(self.images[index].to(self.device))
        if self.flip:
            mirrored = self.processes.share(torch.rand(size, 1, 1, 1, generator=rng, device=images.device) < 0.5)
            images = torch.where(mirrored, images.flip(3), images)
        return images, self.labels[index].to(self.device)


@dataclass(frozen=True)
class Replicas:
    """What this process computes of each update, among others that compute the rest."""

    processes: Processes
    d_loss: Replica
    g_loss: Replica


def replicate(state: TrainState, recipe: Recipe, processes: Processes = ALONE) -> Replicas:
    """Both losses of ``recipe`` for the networks of ``state``, to be made once, when the state has been loaded."""
    d_loss, g_loss = (partial(function, state, recipe, processes) for function in (discriminator_pass, generator_pass))
    return Replicas(
        processes,
        Replica(state.discriminator, d_loss, processes),
        Replica(state.generator, g_loss, processes),
    )


def discriminator_update(
    state: TrainState, recipe: Recipe, batches: Iterator[Batch], rng: torch.Generator, replicas: Replicas | None = None
) -> Log:
    """Update the discriminator once on ``schedule.accumulation`` batches of real images.

    Several processes give their ``replicas`` and batches that are shares; ``rng`` is the same in all of them.
    """
    replicas = replicas or replicate(state, recipe)
    passes = recipe.schedule.accumulation
    state.guard.begin((state.generator, state.discriminator), state.extras)
    state.d_optimizer.zero_grad(set_to_none=True)
    logs = []
    for done in range(1, passes + 1):
        with replicas.d_loss.unshared(done < passes):
            loss, log = replicas.d_loss.loss(next(batches), rng)
            state.d_scaler.scale(loss / passes).backward()
            logs.append(log)
    log = replicas.processes.mean(_mean(logs))
    state.d_scaler.unscale_(state.d_optimizer)
    taken = state.guard.passes(state.discriminator, "discriminator", state.step, log, state.d_scaler)
    if taken:
        state.d_scaler.step(state.d_optimizer)
        require_finite_weights(state.discriminator, "discriminator", state.step)
    _adapt(state.d_scaler, taken)
    for regularizer in recipe.regularizers:
        regularizer.after_d_update(state.discriminator)
    return log


def generator_update(
    state: TrainState, recipe: Recipe, batches: Iterator[Batch], rng: torch.Generator, replicas: Replicas | None = None
) -> Log:
    """Update the generator once on ``schedule.accumulation`` batches of latents; ``batches`` serves regularisers."""
    replicas = replicas or replicate(state, recipe)
    passes = recipe.schedule.accumulation
    state.guard.begin((state.generator, state.discriminator), state.extras)
    state.g_optimizer.zero_grad(set_to_none=True)
    logs = []
    for done in range(1, passes + 1):
        with replicas.g_loss.unshared(done < passes):
            loss, log = replicas.g_loss.loss(batches, rng)
            state.g_scaler.scale(loss / passes).backward()
            logs.append(log)
    log = replicas.processes.mean(_mean(logs))
    state.g_scaler.unscale_(state.g_optimizer)
    taken = state.guard.passes(state.generator, "generator", state.step, log, state.g_scaler)
    if taken:
        state.g_scaler.step(state.g_optimizer)
        require_finite_weights(state.generator, "generator", state.step)
    _adapt(state.g_scaler, taken)
    return log


def _adapt(scaler: torch.amp.GradScaler, done: bool) -> None:
    """After an update let ``scaler`` try a smaller factor where its own made it fail, or a larger one after many that did not.

    One that was not ``done``, for what no factor can mend, tells it nothing: the factor stays, and does not fall below 1.
    """
    scaler.update(None if done else scaler.get_scale())


def _mean(logs: list[Log]) -> Log:
    """Over the passes of an update: what is not finite in one of them shows."""
    return logs[0] if len(logs) == 1 else {name: torch.stack([log[name] for log in logs]).mean() for name in logs[0]}


def discriminator_pass(
    state: TrainState, recipe: Recipe, processes: Processes, real_batch: Batch, rng: torch.Generator
) -> tuple[Tensor, Log]:
    """The discriminator's loss on one batch (this process's share), with its graph."""
    track_batch_statistics(state.generator, False)
    real, y_real = real_batch
    drawn, z, y_fake = _draw(state, recipe, processes, len(y_real) * processes.count, rng)
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


def generator_pass(
    state: TrainState, recipe: Recipe, processes: Processes, batches: Iterator[Batch], rng: torch.Generator
) -> tuple[Tensor, Log]:
    """The generator's loss on one batch of latents (this process's share), with its graph and none of the discriminator's."""
    track_batch_statistics(state.generator, True)
    with frozen(state.discriminator):
        return _generator_loss(state, recipe, processes, batches, rng)


def _generator_loss(
    state: TrainState, recipe: Recipe, processes: Processes, batches: Iterator[Batch], rng: torch.Generator
) -> tuple[Tensor, Log]:
    drawn, z, y_fake = _draw(state, recipe, processes, recipe.schedule.batch_size, rng)
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


def _draw(
    state: TrainState, recipe: Recipe, processes: Processes, size: int, rng: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Latents of the recipe's prior, the same as the regularisers want them, and labels uniform over the classes.

    ``size`` of them are drawn, and each process keeps its share.
    """
    device = rng.device
    y = torch.randint(state.generator.num_classes, (size,), generator=rng, device=device)
    if recipe.prior == "uniform":
        drawn = 2 * torch.rand(size, state.generator.z_dim, generator=rng, device=device) - 1
    else:
        drawn = torch.randn(size, state.generator.z_dim, generator=rng, device=device)
    y, drawn = processes.share(y), processes.share(drawn)
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
