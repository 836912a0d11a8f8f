"""What the log says about networks and machine beside the losses: read only at log steps, one synchronisation per network."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from ganeval.networks.spectral_norm import SpectralNorm
from ganeval.training.state import AUGMENTATION, TrainState

ITERATIONS = 15
"""Power iterations for a weight that keeps no singular vectors: the largest singular value to about 1 % (from below)."""


def measurements(state: TrainState) -> dict[str, float]:
    """Largest spectral norm per network, learning rates, memory, and the augmentation's probability where it has one."""
    values = {
        "g_sigma": largest_spectral_norm(state.generator),
        "d_sigma": largest_spectral_norm(state.discriminator),
        "g_lr": float(state.g_optimizer.param_groups[0]["lr"]),
        "d_lr": float(state.d_optimizer.param_groups[0]["lr"]),
    }
    probability = state.extras.get(AUGMENTATION, {}).get("p")
    if probability is not None:
        values["augment_p"] = float(probability)
    return values | memory(next(state.generator.parameters()).device)


@torch.no_grad()
def largest_spectral_norm(network: nn.Module) -> float:
    """The largest sigma of the weights (matrices: outputs x everything else) before any normalisation; 0 without weights.

    Layers under spectral normalisation keep their singular vectors; the others get a few power iterations from a fixed
    start, so that the value is a function of the weights alone.
    """
    sigmas = [sigma for module in network.modules() if (sigma := _sigma(module)) is not None]
    return float(torch.stack(sigmas).max()) if sigmas else 0.0


def _sigma(module: nn.Module) -> Tensor | None:
    if isinstance(module, SpectralNorm):
        sigma: Tensor = module.u.dot(module.matrix().mv(module.v))
        return sigma.float()
    weight = module._parameters.get("weight")
    if weight is None or weight.dim() < 2:
        return None
    transposed = isinstance(module, nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d)
    matrix = (weight.transpose(0, 1) if transposed else weight).flatten(1).float()
    # A start with irrational steps is orthogonal to no singular vector that a network has in practice.
    v = normalize(torch.sin(torch.arange(1, matrix.shape[1] + 1, device=matrix.device, dtype=matrix.dtype)), dim=0)
    for _ in range(ITERATIONS):
        v = normalize(matrix.t().mv(matrix.mv(v)), dim=0)
    longest: Tensor = matrix.mv(v).norm()
    return longest


def memory(device: torch.device) -> dict[str, float]:
    """MiB: resident memory of this process (its peak where the system does not tell the present), and of the accelerator.

    ``device_peak_mb`` is the most that tensors took on it since the process began.
    """
    values = {}
    resident = _resident()
    if resident is not None:
        values["rss_mb"] = round(resident / 2**20, 1)
    if device.type == "cuda":
        values["device_peak_mb"] = round(torch.cuda.max_memory_allocated(device) / 2**20, 1)
    elif device.type == "mps":
        values["device_mb"] = round(torch.mps.current_allocated_memory() / 2**20, 1)
    return values


def _resident() -> int | None:
    """Bytes of resident memory, ``None`` where the system has no word for it."""
    statm = Path("/proc/self/statm")
    if statm.is_file():
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
