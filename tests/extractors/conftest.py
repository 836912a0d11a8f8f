"""Networks of random weights: what they compute means nothing, but every tool must compute the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

Pictures = Callable[..., Tensor]
Calm = Callable[..., dict[str, Tensor]]


@pytest.fixture(scope="session")
def pictures() -> Pictures:
    """Makes uint8 images (count, 3, R, R): gradients of colour with noise on them, each unlike the others."""

    def make(count: int, resolution: int, seed: int = 0) -> Tensor:
        rng = np.random.default_rng(seed)
        y, x = np.mgrid[0:resolution, 0:resolution] / resolution
        waves = rng.uniform(0.5, 3, (count, 3, 2, 1, 1)) * 2 * np.pi
        noise = rng.normal(0, 12, (count, 3, resolution, resolution))
        grey = 127 + 90 * np.sin(waves[:, :, 0] * x + waves[:, :, 1] * y) + noise
        return torch.from_numpy(grey.clip(0, 255).astype(np.uint8))

    return make


@pytest.fixture(scope="session")
def calm() -> Calm:
    """Gives the state of a network after Kaiming initialisation, its BatchNorm statistics those of the given float images: no
    layer's activations fade or explode, as in a trained network, and none is symmetric."""

    def make(net: nn.Module, images: Tensor, taker: str = "") -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(0)
        for module in net.modules():
            if isinstance(module, nn.Conv2d):
                module.weight.data = torch.randn(module.weight.shape, generator=generator) * (2 / module.weight[0].numel()) ** 0.5
            elif isinstance(module, nn.Linear):
                module.weight.data = torch.randn(module.weight.shape, generator=generator) * 0.1
                module.bias.data = torch.randn(module.bias.shape, generator=generator)
            elif isinstance(module, nn.BatchNorm2d):
                module.momentum = 1.0
                module.weight.data = 0.5 + torch.rand(module.weight.shape, generator=generator)
                module.bias.data = 0.2 * torch.randn(module.bias.shape, generator=generator)
        with torch.no_grad():
            net.train().get_submodule(taker)(images)
        return net.eval().state_dict()

    return make


@pytest.fixture(scope="session")
def random_inception(tmp_path_factory: pytest.TempPathFactory, pictures: Pictures, calm: Calm) -> Path:
    """A file in the layout of the published Inception."""
    from ganeval.extractors.inception import FIDInception

    images = nn.functional.interpolate(pictures(4, 32, seed=9).float(), size=(299, 299)) / 128 - 1
    state = calm(FIDInception(bias=True), images, "trunk")
    path = tmp_path_factory.mktemp("weights") / "random-inception.pth"
    torch.save({name.removeprefix("trunk."): value for name, value in state.items()}, path)
    return path


@pytest.fixture(scope="session")
def random_resnet20(tmp_path_factory: pytest.TempPathFactory, pictures: Pictures, calm: Calm) -> Path:
    """A file in the layout of the published ResNet-20: a training checkpoint, its names prefixed by ``module.``."""
    from ganeval.extractors.resnet_cifar10 import CifarResNet

    state = calm(CifarResNet(20), pictures(16, 32, seed=9).float() / 128 - 1)
    names = {name: value for name, value in state.items() if not name.endswith("num_batches_tracked")}
    path = tmp_path_factory.mktemp("weights") / "random-resnet20.th"
    torch.save({"best_prec1": 10.0, "state_dict": {f"module.{name}": value for name, value in names.items()}}, path)
    return path
