"""How a run is computed: on which device, in which precision, compiled or not. What is computed is the recipe's."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import torch

from ganeval.errors import UserError
from ganeval.networks.sync_batch_norm import synchronise
from ganeval.precision import HALF, Precision
from ganeval.processes import Processes
from ganeval.recipes.recipe import Recipe
from ganeval.training.state import TrainState


@dataclass(frozen=True)
class Engine:
    """``precision`` of the networks' passes (weights and losses are float32 in each); ``compile``: by torch.compile.

    fp16 scales the losses, one factor per network. ``processes``: this one among those that share every batch. Two engines
    give the same up to rounding, not bit for bit.
    """

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    precision: Precision = "fp32"
    compile: bool = False
    processes: Processes = field(default_factory=Processes)

    def identity(self) -> dict[str, Any]:
        """What a run remembers of its engine: the settings that change its numbers and are not the plain ones."""
        return {name: getattr(self, name) for name, plain in PLAIN.items() if getattr(self, name) != plain}

    def check(self, recipe: Recipe) -> None:
        """Raise ``UserError`` where ``recipe`` cannot be computed so."""
        size, count = recipe.schedule.batch_size, self.processes.count
        if size % count:
            raise UserError(
                f"schedule.batch_size is {size}, which {count} processes cannot share: set it to a multiple of {count}"
            )
        twice = [part.kind for part in recipe.regularizers if part.differentiates_gradients]
        if self.compile and twice:
            raise UserError(f"torch.compile cannot differentiate twice, which {', '.join(twice)} needs: leave out --compile")
        if self.precision == "bf16" and self.device.type == "cuda" and not torch.cuda.is_bf16_supported(False):
            raise UserError("this GPU does not compute in bf16: use --precision fp16 or fp32")

    def apply_to(self, state: TrainState, recipe: Recipe) -> None:
        """Make the networks of ``state`` compute so. Names and types of what is saved do not change."""
        twice = any(part.differentiates_gradients for part in recipe.regularizers)
        for network in (state.generator, state.discriminator):
            if self.processes.count > 1:
                synchronise(network, twice)
            network.computes_in = HALF.get(self.precision)
            if self.compile:
                network.compile()
        if self.precision == "fp16":
            state.g_scaler, state.d_scaler = (torch.amp.GradScaler(self.device.type) for _ in range(2))


PLAIN: dict[str, Any] = {setting.name: setting.default for setting in fields(Engine) if setting.name in ("precision", "compile")}
"""The engine of a run that says nothing of one."""
