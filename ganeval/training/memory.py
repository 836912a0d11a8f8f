"""How much memory a training step needs, counted on tensors without content."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import repeat

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from ganeval.augment.geometry import filter_matrices
from ganeval.errors import UserError
from ganeval.gather import nothing_gathered
from ganeval.networks.base import ImageShape
from ganeval.precision import HALF
from ganeval.processes import Processes
from ganeval.recipes.recipe import Recipe
from ganeval.training.engine import Engine
from ganeval.training.state import AUGMENTATION, TrainState, build_discriminator, build_generator
from ganeval.training.step import discriminator_pass, generator_pass


class OutOfMemory(UserError):
    """A step did not fit; the last checkpoint is whole."""

    exit_status = 4


@dataclass(frozen=True)
class Memory:
    """Bytes in one process. ``d_activations`` and ``g_activations``: what one pass of each update keeps for its backward pass.

    ``total`` is a lower bound: the backward pass, the convolutions' scratch space, the images and torch itself come on top.
    """

    parameters: int
    gradients: int
    optimizers: int
    ema: int
    d_activations: int
    g_activations: int

    @property
    def total(self) -> int:
        """All that is held at once: activations are those of one update at a time."""
        held = self.parameters + self.gradients + self.optimizers + self.ema
        return held + max(self.d_activations, self.g_activations)

    def to_json(self) -> dict[str, int]:
        """The fields and the total."""
        return {**asdict(self), "total": self.total}

    def __str__(self) -> str:
        return ", ".join(f"{name.replace('_', ' ')} {in_words(size)}" for name, size in self.to_json().items())


def in_words(size: int) -> str:
    """Bytes as people read them: MiB up to 10 GiB."""
    return f"{size / 2**20:.0f} MiB" if size < 10 * 2**30 else f"{size / 2**30:.1f} GiB"


def memory_of(recipe: Recipe, shape: ImageShape, num_classes: int, engine: Engine) -> Memory:
    """The memory of training ``recipe`` on images of ``shape`` by ``engine``. Nothing is computed and nothing allocated."""
    batch = recipe.schedule.batch_size // engine.processes.count
    recipe = replace(recipe, schedule=replace(recipe.schedule, batch_size=batch))
    filter_matrices.cache_clear()  # kept tensors with content and without must not meet
    try:
        with FakeTensorMode(allow_non_fake_inputs=True), nothing_gathered():
            state = _blank_state(recipe, shape, num_classes)
            for network in (state.generator, state.discriminator):
                network.computes_in = HALF.get(engine.precision)
            real = torch.empty(batch, shape.channels, shape.resolution, shape.resolution), torch.zeros(batch, dtype=torch.int64)
            rng = torch.Generator()
            with saved_bytes(state.generator, state.discriminator) as in_d:
                discriminator_pass(state, recipe, Processes(), real, rng)
            with saved_bytes(state.generator, state.discriminator) as in_g:
                generator_pass(state, recipe, Processes(), repeat(real), rng)
    finally:
        filter_matrices.cache_clear()
    weights = [parameter for network in (state.generator, state.discriminator) for parameter in network.parameters()]
    trained = sum(parameter.nbytes for parameter in weights if parameter.requires_grad)
    averaged = sum(tensor.nbytes for tensor in state.generator.state_dict().values()) if recipe.ema else 0
    return Memory(sum(parameter.nbytes for parameter in weights), trained, 2 * trained, averaged, sum(in_d), sum(in_g))


@contextmanager
def saved_bytes(*networks: nn.Module) -> Iterator[list[int]]:
    """The sizes of all storages that are saved for a backward pass inside the block, each once; those of weights left out.

    The list is complete when the block has ended.
    """
    weights = {parameter.untyped_storage()._cdata for network in networks for parameter in network.parameters()}
    storages: dict[int, torch.UntypedStorage] = {}  # held, so that no other takes the place of one that was counted
    sizes: list[int] = []

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in weights:
            storages[storage._cdata] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        yield sizes
    sizes.extend(storage.nbytes() for storage in storages.values())


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether ``error`` says that a GPU or the computer had no memory left."""
    return isinstance(error, torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error)


def explained(recipe: Recipe, shape: ImageShape, num_classes: int, engine: Engine, kept: str) -> OutOfMemory:
    """In one line: what a step takes, and how it takes less. ``kept`` says where the run can go on from."""
    batch, passes = recipe.schedule.batch_size, recipe.schedule.accumulation
    needed = memory_of(recipe, shape, num_classes, engine)
    return OutOfMemory(
        f"out of memory on {engine.device}: a step of this recipe takes at least {needed}; "
        f"set schedule.batch_size={max(batch // 2, 1)} schedule.accumulation={2 * passes} (another run), use more processes or "
        f"--precision bf16; {kept}"
    )


def _blank_state(recipe: Recipe, shape: ImageShape, num_classes: int) -> TrainState:
    """A state to count on: no average, and optimisers that hold nothing."""
    generator, discriminator = build_generator(recipe, shape, num_classes), build_discriminator(recipe, shape, num_classes)
    g_optimizer, d_optimizer = (torch.optim.SGD(network.parameters()) for network in (generator, discriminator))
    extras = {regularizer.kind: regularizer.initial_state() for regularizer in recipe.regularizers}
    if recipe.augmentation:
        extras[AUGMENTATION] = recipe.augmentation.initial_state()
    return TrainState(generator, discriminator, None, g_optimizer, d_optimizer, extras)
