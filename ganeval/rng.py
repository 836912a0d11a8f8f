"""Chance as a function of what it is for: nothing depends on how many numbers were drawn before."""

from __future__ import annotations

import hashlib
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganeval.errors import UserError

Prior = Literal["gaussian", "uniform"]
LabelPlan = Literal["balanced", "uniform", "reference"]

LARGEST_SEED = 2**64 - 1
"""Of samples: Philox's key takes the seed as it is. Every other seed is hashed and may be any number."""


def derived_seed(*parts: object) -> int:
    """A 63-bit seed that is a function of ``parts`` (numbers and words) alone."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator_for(device: torch.device, *parts: object) -> torch.Generator:
    """A torch generator on ``device``, seeded by ``parts``."""
    return torch.Generator(device).manual_seed(derived_seed(*parts))


def uniforms(seed: int, start: int, stop: int, width: int) -> NDArray[np.float64]:
    """Rows ``start`` to ``stop`` of an endless table of uniform numbers in (0, 1): (stop - start, width) float64.

    Row i is a function of (seed, i) alone. Philox4x64 is counter-based and its raw stream is stable across NumPy
    versions; a row begins at a whole counter. Raises ``UserError`` for a seed below 0 or above :data:`LARGEST_SEED`.
    """
    if not 0 <= seed <= LARGEST_SEED:
        raise UserError(f"seed {seed}: give a whole number from 0 to {LARGEST_SEED}")
    padded = -(-width // 4) * 4
    bits = np.random.Philox(key=np.array([seed, 0], dtype=np.uint64))
    bits.advance(start * (padded // 4))
    raw = bits.random_raw((stop - start) * padded).reshape(stop - start, padded)[:, :width]
    uniform: NDArray[np.float64] = ((raw >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52
    return uniform


def truncated_latents(seed: int, start: int, stop: int, z_dim: int, bound: float) -> Tensor:
    """Latents of the truncated normal distribution: N(0, 1) given that every |z| <= ``bound`` > 0; shaped as :func:`latents`.

    What drawing again until |z| <= ``bound`` gives (Brock et al., ICLR 2019, arXiv 1809.11096, section 3.1), by the inverse of
    the distribution function: sample i depends on (seed, i) alone.
    """
    u = torch.from_numpy(uniforms(seed, start, stop, z_dim))
    below = torch.special.ndtr(torch.tensor(-bound, dtype=torch.float64))
    z: Tensor = torch.special.ndtri(below + u * (1 - 2 * below))
    bound = min(bound, torch.finfo(torch.float32).max)
    return z.float().clamp(-bound, bound)


def latents(seed: int, start: int, stop: int, z_dim: int, prior: Prior = "gaussian") -> Tensor:
    """Latents ``z`` of samples ``start`` to ``stop``, (stop - start, z_dim) float32 on the CPU.

    N(0, 1) by Box and Muller's transform, or U(-1, 1). Sample i depends on (seed, i) alone.
    """
    if prior == "uniform":
        return torch.from_numpy((2 * uniforms(seed, start, stop, z_dim) - 1).astype(np.float32))
    half = -(-z_dim // 2)
    u = uniforms(seed, start, stop, 2 * half)
    radius, angle = np.sqrt(-2 * np.log(u[:, :half])), 2 * np.pi * u[:, half:]
    z = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)], axis=1)[:, :z_dim]
    return torch.from_numpy(z.astype(np.float32))
