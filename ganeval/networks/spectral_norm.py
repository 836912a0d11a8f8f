"""Spectral normalisation (Miyato et al. 2018, arXiv:1802.05957, Algorithm 1) as layers of their own.

Every layer keeps its plain ``weight`` and two vectors ``u`` (output side) and ``v`` (input side), estimates of the first
singular pair of the weight seen as a matrix, and computes with ``weight / (u^T W v)``. In training mode each forward pass
does one power iteration first; in evaluation mode the stored vectors are used as they are.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, embedding, linear, normalize

from ganeval.precision import full_precision_on

M = TypeVar("M", bound=nn.Module)


class SpectralNorm(nn.Module):
    """Mixed into a torch layer with a ``weight``: gives it ``u``, ``v`` and :meth:`normalised_weight`."""

    weight: Tensor
    u: Tensor
    v: Tensor
    eps = 1e-6

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows, columns = self.matrix().shape
        self.register_buffer("u", self._random_unit(rows))
        self.register_buffer("v", self._random_unit(columns))

    def _random_unit(self, size: int) -> Tensor:
        vector = self.weight.detach().new_empty(size)
        return vector if vector.is_meta else normalize(vector.normal_(), dim=0, eps=self.eps)

    def matrix(self) -> Tensor:
        """The weight as the matrix whose norm is taken: outputs x everything else."""
        return self.weight.flatten(1)

    @torch.no_grad()
    def iterate(self, iterations: int = 1) -> None:
        """Improve ``u`` and ``v`` by power iterations; 0 iterations only bring them to unit norm.

        The vectors are replaced, not written to: graphs of earlier forward passes keep the ones they used.
        """
        matrix, u, v = self.matrix().detach(), self.u, self.v
        if iterations == 0:
            u, v = normalize(u, dim=0, eps=self.eps), normalize(v, dim=0, eps=self.eps)
        for _ in range(iterations):
            v = normalize(matrix.t().mv(u), dim=0, eps=self.eps)
            u = normalize(matrix.mv(v), dim=0, eps=self.eps)
        self.u, self.v = u, v

    def normalised_weight(self) -> Tensor:
        """``weight / sigma`` with ``sigma = u^T W v``; the gradient flows through sigma, not through u and v.

        Always in the weight's own precision: half-precision autocast would cost sigma three digits.
        """
        with full_precision_on(self.weight.device):
            if self.training:
                self.iterate()
            return self.weight / self.u.dot(self.matrix().mv(self.v))

    def plain(self) -> nn.Module:
        """The same layer without normalisation, with ``weight / sigma`` of the stored vectors as its weight."""
        raise NotImplementedError

    def _give_to(self, layer: nn.Module) -> nn.Module:
        with torch.no_grad():
            sigma = self.u.dot(self.matrix().mv(self.v))
            layer.register_parameter("weight", nn.Parameter(self.weight / sigma, self.weight.requires_grad))
        if "bias" in self._parameters:
            layer.register_parameter("bias", self._parameters["bias"])
        return layer.train(self.training)


class SNConv2d(SpectralNorm, nn.Conv2d):
    """``nn.Conv2d`` (zero padding) with a spectrally normalised weight."""

    def forward(self, x: Tensor) -> Tensor:
        return conv2d(x, self.normalised_weight(), self.bias, self.stride, self.padding, self.dilation, self.groups)

    def plain(self) -> nn.Module:
        return self._give_to(
            nn.Conv2d(
                self.in_channels, self.out_channels, self.kernel_size, self.stride, self.padding,  # type: ignore[arg-type]
                self.dilation, self.groups, self.bias is not None, device="meta",  # type: ignore[arg-type]
            )
        )  # fmt: skip


class SNConvTranspose2d(SpectralNorm, nn.ConvTranspose2d):
    """``nn.ConvTranspose2d`` with a spectrally normalised weight; its outputs are dimension 1 of the weight."""

    def matrix(self) -> Tensor:
        return self.weight.transpose(0, 1).flatten(1)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        if output_size is not None:
            raise ValueError("SNConvTranspose2d takes no output_size: set output_padding when building it")
        return nn.functional.conv_transpose2d(
            x, self.normalised_weight(), self.bias, self.stride, self.padding,  # type: ignore[arg-type]
            self.output_padding, self.groups, self.dilation,
        )  # fmt: skip

    def plain(self) -> nn.Module:
        return self._give_to(
            nn.ConvTranspose2d(
                self.in_channels, self.out_channels, self.kernel_size, self.stride, self.padding,  # type: ignore[arg-type]
                self.output_padding, self.groups, self.bias is not None, self.dilation, device="meta",  # type: ignore[arg-type]
            )
        )  # fmt: skip


class SNLinear(SpectralNorm, nn.Linear):
    """``nn.Linear`` with a spectrally normalised weight."""

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.normalised_weight(), self.bias)

    def plain(self) -> nn.Module:
        return self._give_to(nn.Linear(self.in_features, self.out_features, self.bias is not None, device="meta"))


class SNEmbedding(SpectralNorm, nn.Embedding):
    """``nn.Embedding`` with a spectrally normalised table (rows x dimension)."""

    def forward(self, y: Tensor) -> Tensor:
        return embedding(y, self.normalised_weight())

    def plain(self) -> nn.Module:
        return self._give_to(nn.Embedding(self.num_embeddings, self.embedding_dim, device="meta"))


def normalised_layers(module: nn.Module) -> Iterator[SpectralNorm]:
    """Every spectrally normalised layer in ``module``, itself included."""
    return (layer for layer in module.modules() if isinstance(layer, SpectralNorm))


def refresh(module: nn.Module, iterations: int) -> None:
    """Bring every ``u``, ``v`` in ``module`` to unit norm and run ``iterations`` power iterations on it.

    Needed wherever vectors were averaged (an EMA) or loaded: sigma of vectors shorter than 1 is too small.
    """
    for layer in normalised_layers(module):
        layer.iterate(iterations)


def fold(module: M, iterations: int = 1) -> M:
    """A deep copy of ``module`` whose normalised layers are plain ones with the weight ``W / sigma``.

    It computes the same as ``module`` in evaluation mode after :func:`refresh`, faster and without any state that
    changes. One iteration gives what PyTorch-StudioGAN's evaluation computes in its first forward pass.
    """
    folded = copy.deepcopy(module)
    refresh(folded, iterations)
    plain = {layer: layer.plain() for layer in normalised_layers(folded)}
    for parent in list(folded.modules()):
        for name, child in list(parent._modules.items()):
            if isinstance(child, SpectralNorm):
                parent._modules[name] = plain[child]
    return cast(M, plain[folded]) if isinstance(folded, SpectralNorm) else folded
