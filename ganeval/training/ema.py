"""The moving average of the generator (Brock et al. 2019, arXiv:1809.11096, appendix C)."""

from __future__ import annotations

import copy

import torch
from torch import nn

from ganeval.recipes.recipe import EMA


class GeneratorEMA:
    """A copy of the generator whose parameters and BatchNorm statistics follow the original slowly.

    Before ``start`` it is a plain copy. The vectors ``u`` and ``v`` of spectral normalisation and integer buffers are copied,
    not averaged: an average of unit vectors is not a unit vector (PyTorch-StudioGAN averages them, and its own sampling
    has to undo it).
    """

    def __init__(self, generator: nn.Module, rule: EMA) -> None:
        self.rule = rule
        self.module = copy.deepcopy(generator).requires_grad_(False)

    @torch.no_grad()
    def update(self, generator: nn.Module, step: int) -> None:
        """Take in ``generator`` as it is after generator update number ``step`` (counted from 1)."""
        decay = self.rule.decay if step > self.rule.start else 0.0
        averages = dict(self.module.named_parameters()) | dict(self.module.named_buffers())
        sources = dict(generator.named_parameters()) | dict(generator.named_buffers())
        for name, average in averages.items():
            source = sources[name].detach()
            if _is_averaged(name, source):
                average.lerp_(source, 1.0 - decay)
            else:
                average.copy_(source)


def _is_averaged(name: str, tensor: torch.Tensor) -> bool:
    return tensor.is_floating_point() and name.rpartition(".")[2] not in ("u", "v")
