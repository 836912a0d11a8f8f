"""The fused convolutions against the plain order of things: values and gradients."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from ganeval.networks.layers import Layers
from ganeval.networks.resampling import conv3x3_mean2x2, upsample_conv3x3


def plain_up(x: Tensor, layer: nn.Conv2d) -> Tensor:
    result: Tensor = layer(interpolate(x, scale_factor=2.0, mode="nearest"))
    return result


def plain_down(x: Tensor, layer: nn.Conv2d) -> Tensor:
    return avg_pool2d(layer(x), 2)


PAIRS = {"up": (upsample_conv3x3, plain_up), "down": (conv3x3_mean2x2, plain_down)}


@pytest.mark.parametrize("name", ["up", "down"])
@settings(max_examples=25, deadline=None)
@given(shape=st.tuples(*[st.integers(1, 3)] * 2, *[st.integers(1, 4)] * 2), out=st.integers(1, 3), spectral_norm=st.booleans())
def test_value_and_gradients_are_those_of_the_plain_order(
    name: str, shape: tuple[int, int, int, int], out: int, spectral_norm: bool
) -> None:
    fused, plain = PAIRS[name]
    count, channels, height, width = shape
    layer = Layers(spectral_norm).conv(channels, out, 3, padding=1).double()
    nn.init.normal_(layer.weight)
    nn.init.normal_(layer.bias)  # type: ignore[arg-type]
    x = torch.randn(count, channels, 2 * height, 2 * width, dtype=torch.float64, requires_grad=True)
    vectors = {key: value.clone() for key, value in layer.state_dict().items() if key in ("u", "v")}
    results = []
    for function in (fused, plain):
        layer.load_state_dict(vectors, strict=False)
        value = function(x, layer)
        weights = torch.arange(value.numel(), dtype=torch.float64).reshape(value.shape).cos()
        gradients = torch.autograd.grad((value * weights).sum(), [x, *layer.parameters()])
        results.append((value, *gradients))
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("name", ["up", "down"])
def test_they_can_be_differentiated_twice(name: str) -> None:
    """Gradient penalties need it."""
    fused, _ = PAIRS[name]
    layer = Layers(True).conv(2, 2, 3, padding=1).double().eval()
    x = torch.randn(1, 2, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda x: fused(x, layer).square(), (x,))
