"""Batch normalisation over the batches of all processes."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor, nn

from ganeval.gather import gather
from ganeval.networks.layers import BatchNorm
from ganeval.precision import in_full


class GatheredBatchNorm(BatchNorm):
    """Batch normalisation whose batch, in training mode, is that of all processes; each must bring equally many maps.

    Every process's means and variances are gathered and combined, so the statistics are exact to rounding. Works on every
    device and can be differentiated twice, which torch's ``SyncBatchNorm`` cannot.
    """

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        full = in_full(x)
        variances, means = torch.var_mean(full, dim=(0, 2, 3), correction=0)
        variances, means = gather(variances[None]), gather(means[None])  # processes x C
        mean = means.mean(0)
        variance = variances.mean(0) + (means - mean).square().mean(0)
        if self.track_running_stats:
            self._follow(mean, variance, x.numel() // x.shape[1] * dist.get_world_size())
        normalised = (full - mean[:, None, None]) * (variance + self.eps).rsqrt()[:, None, None]
        if self.affine:
            normalised = normalised * self.weight[:, None, None] + self.bias[:, None, None]
        return normalised.to(x.dtype)

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Take the statistics of ``count`` values per channel into the running ones."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked += 1
        momentum = 0.0 if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, momentum)
        self.running_var.lerp_(variance * count / max(count - 1, 1), momentum)


def synchronise(network: nn.Module, twice: bool) -> None:
    """Let every batch normalisation in ``network`` see the batches of all processes; names, weights and statistics stay.

    On GPUs this is torch's own ``SyncBatchNorm``, unless gradients are to be differentiated ``twice``.
    """
    on_gpu = all(parameter.device.type == "cuda" for parameter in network.parameters())
    if on_gpu and not twice:
        nn.SyncBatchNorm.convert_sync_batchnorm(network)
        return
    for parent in list(network.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.BatchNorm2d):
                setattr(parent, name, _gathered(child))


def _gathered(plain: nn.BatchNorm2d) -> GatheredBatchNorm:
    """``plain`` over all processes: its parameters and statistics are the same objects."""
    norm = GatheredBatchNorm(plain.num_features, plain.eps, plain.momentum, plain.affine, plain.track_running_stats)
    norm._parameters, norm._buffers = plain._parameters, plain._buffers
    return norm.train(plain.training)
