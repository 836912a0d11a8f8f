"""Blocks against the published networks, written out as upstream computes them, in-place ReLU and all."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, relu, relu_

from ganeval.networks.base import ImageShape
from ganeval.networks.dcgan import DCGAN
from ganeval.networks.deep_blocks import (
    ConvolvingDiscriminatorBlock,
    DeepGeneratorBlock,
    FirstChannels,
    LegacyDiscriminatorBlock,
    convolve_channels,
    drop_channels,
)
from ganeval.networks.layers import Layers
from ganeval.networks.residual import DiscriminatorBlock, FirstBlock, GeneratorBlock, label_norm


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def close(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("halve", [False, True])
@pytest.mark.parametrize("out_channels", [4, 6])
def test_a_normalised_discriminator_block_aliases_its_shortcut(halve: bool, out_channels: int) -> None:
    block, x = DiscriminatorBlock(4, out_channels, halve, Layers(True)).eval(), torch.randn(2, 4, 6, 6)
    kept = changed = x.clone()
    h = block.conv2(relu(block.conv1(relu_(changed))))  # the ReLU works in place: ``kept`` is the same tensor
    assert (kept >= 0).all()
    if halve:
        h = avg_pool2d(h, 2)
    if halve or out_channels != 4:
        kept = block.shortcut(kept)
    close(block(x), h + (avg_pool2d(kept, 2) if halve else kept))
    assert torch.equal(block(x), block(relu(x)))


@pytest.mark.parametrize("halve", [False, True])
def test_a_batch_normalised_discriminator_block_does_not(halve: bool) -> None:
    block, x = DiscriminatorBlock(4, 6, halve, Layers(False)).train(), torch.randn(2, 4, 6, 6)
    h = block.conv2(relu(block.norm2(block.conv1(relu(block.norm1(x))))))
    expected = h + block.shortcut(block.norm0(x))
    close(block(x), avg_pool2d(expected, 2) if halve else expected)
    assert (block(x) - block(relu(x))).abs().max() > 1e-2


def test_without_a_change_there_is_no_shortcut_layer() -> None:
    for layers in (Layers(True), Layers(False)):
        block = DiscriminatorBlock(4, 4, False, layers)
        assert isinstance(block.shortcut, nn.Identity)
        assert isinstance(block.norm0, nn.Identity)


@pytest.mark.parametrize("normalised", [False, True])
def test_the_first_block_does_not_rectify_the_image(normalised: bool) -> None:
    block, x = FirstBlock(3, 4, Layers(normalised)).train(), torch.randn(2, 3, 6, 6)
    block.conv1.bias.data.normal_()
    block.eval()
    h = block.conv2(relu(block.norm1(block.conv1(x))))
    close(block(x), avg_pool2d(h, 2) + block.shortcut(block.norm0(avg_pool2d(x, 2))))


def test_the_generator_block_upsamples_before_its_shortcut() -> None:
    block, x = GeneratorBlock(4, 3, label_norm(5, Layers(True)), Layers(True)).eval(), torch.randn(2, 4, 3, 5)
    condition = torch.randn(2, 5)
    larger = interpolate(relu(block.norm1(x, condition)), scale_factor=2.0, mode="nearest")
    h = block.conv2(relu(block.norm2(block.conv1(larger), condition)))
    close(block(x, condition), h + block.shortcut(interpolate(x, scale_factor=2.0, mode="nearest")))


@pytest.mark.parametrize("doubles", [False, True])
@pytest.mark.parametrize("shortcut", [drop_channels, convolve_channels])
def test_the_deep_generator_block(doubles: bool, shortcut: object) -> None:
    layers = Layers(True)
    block = DeepGeneratorBlock(8, 4, doubles, label_norm(5, layers), shortcut, layers).eval()  # type: ignore[arg-type]
    x, condition = torch.randn(2, 8, 3, 3), torch.randn(2, 5)

    def grow(x: Tensor) -> Tensor:
        return interpolate(x, scale_factor=2.0, mode="nearest") if doubles else x

    h = block.conv1(relu(block.norm1(x, condition)))
    assert h.shape[1] == 2
    h = block.conv2(grow(relu(block.norm2(h, condition))))
    h = block.conv4(relu(block.norm4(block.conv3(relu(block.norm3(h, condition))), condition)))
    kept = grow(x)[:, :4] if shortcut is drop_channels else block.shortcut(grow(x))
    close(block(x, condition), h + kept)
    assert isinstance(block.shortcut, FirstChannels) is (shortcut is drop_channels)


@pytest.mark.parametrize("halve", [False, True])
@pytest.mark.parametrize("in_channels", [3, 8])
def test_the_legacy_discriminator_block(halve: bool, in_channels: int) -> None:
    block = LegacyDiscriminatorBlock(in_channels, 8, halve, Layers(True)).eval()
    x = torch.randn(2, in_channels, 6, 6)
    kept = changed = x.clone()
    h = block.conv3(relu(block.conv2(relu(block.conv1(relu_(changed))))))
    h = block.conv4(block.pool(relu(h)))
    kept = block.pool(kept)
    if in_channels != 8:
        assert block.shortcut is not None
        assert block.shortcut.out_channels == 5
        kept = torch.cat([kept, block.shortcut(kept)], 1)
    close(block(x), h + kept)
    assert (block.shortcut is None) is (in_channels == 8)


@pytest.mark.parametrize("halve", [False, True])
@pytest.mark.parametrize("in_channels", [3, 8])
def test_the_convolving_discriminator_block(halve: bool, in_channels: int) -> None:
    block = ConvolvingDiscriminatorBlock(in_channels, 8, halve, Layers(True)).eval()
    x = torch.randn(2, in_channels, 6, 6)
    kept = changed = x.clone()
    h = block.conv3(relu(block.conv2(relu(block.conv1(relu_(changed))))))
    h = block.conv4(relu(block.pool(h)))
    if halve or in_channels != 8:
        kept = block.pool(block.shortcut(kept))
    close(block(x), h + kept)


def test_rectifying_before_or_after_pooling_differs() -> None:
    convolving = ConvolvingDiscriminatorBlock(8, 8, True, Layers(True))
    legacy = LegacyDiscriminatorBlock(8, 8, True, Layers(True))
    h = torch.randn(1, 2, 4, 4)
    assert (convolving.rectify_and_pool(h) - legacy.rectify_and_pool(h)).abs().max() > 1e-2


def test_dcgan_is_its_layers_in_the_published_order() -> None:
    backbone = DCGAN(z_dim=7, g_channels=4, d_channels=4, class_conditional=False)
    shape = ImageShape(3, 32)
    generator, body = backbone.generator(shape, 10).train(), backbone.discriminator(shape).train()
    z, y = torch.randn(3, 7), torch.zeros(3, dtype=torch.int64)
    x = generator.linear(z).view(3, 32, 4, 4)
    for block in generator.blocks:
        x = relu(block.norm.bn(block.conv(x)))
    images = torch.tanh(generator.to_image(x))
    close(generator(z, y), images)
    x = images
    for block in body.blocks:
        x = relu(block.norm0(block.conv0(x)))
        x = relu(block.norm1(block.conv1(x)))
    assert x.shape == (3, 16, 4, 4)
    close(body(images), relu(body.norm(body.conv(x))).sum((2, 3)))
