"""torchvision's Inception against torchvision's own module, called as torchvision calls it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torchvision.models import Inception_V3_Weights, inception_v3

from ganeval.extractors.inception_torchvision import FILE
from ganeval.extractors.registry import find_extractor


@pytest.fixture(scope="module")
def state(calm: Callable[..., dict[str, Tensor]], pictures: Callable[..., Tensor]) -> dict[str, Tensor]:
    images = torch.nn.functional.interpolate(pictures(2, 32, seed=9).float(), size=(299, 299)) / 128 - 1
    return calm(inception_v3(weights=None, init_weights=False, aux_logits=True), images)


def test_features_and_logits_are_torchvisions(state: dict[str, Tensor], pictures: Callable[..., Tensor], tmp_path: Path) -> None:
    torch.save(state, tmp_path / "random.pth")
    x = pictures(3, 400, seed=3)
    channels = [Image.fromarray(channel.numpy().astype(np.float32)) for image in x for channel in image]
    resized = np.stack([np.asarray(channel.resize((299, 299), Image.Resampling.LANCZOS)) for channel in channels])
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    normalised = (torch.from_numpy(resized).view(3, 3, 299, 299) / 255 - mean.view(3, 1, 1)) / std.view(3, 1, 1)

    net = inception_v3(weights=None, init_weights=False, aux_logits=True, transform_input=True)
    net.load_state_dict(state)
    pooled: list[Tensor] = []
    net.avgpool.register_forward_hook(lambda module, inputs, output: pooled.append(output.flatten(1)))
    with torch.no_grad():
        logits = net.eval()(normalised)

    ours = find_extractor(f"inception-torchvision:{tmp_path / 'random.pth'}")(x)
    assert ours.logits is not None
    assert ours.features.shape == (3, 2048)
    assert float((ours.features - pooled[0]).norm() / pooled[0].norm()) < 1e-4
    assert float((ours.logits - logits).norm() / logits.norm()) < 1e-4


def test_the_file_is_the_one_torchvision_downloads() -> None:
    assert Inception_V3_Weights.IMAGENET1K_V1.url == FILE.url
    assert FILE.sha256_prefix == "0cc3c7bd"
