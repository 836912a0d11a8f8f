"""Every backbone: shapes at every resolution, gradients, labels, and the user's mistakes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from ganeval.errors import UserError
from ganeval.networks.base import Backbone, ImageShape
from ganeval.networks.big_resnet import BigGAN
from ganeval.networks.biggan_deep import BigGANDeep, BigGANDeepStudioGAN
from ganeval.networks.dcgan import DCGAN
from ganeval.networks.residual import ResidualBody
from ganeval.networks.resnet import ResNet
from ganeval.networks.spectral_norm import normalised_layers

TINY: dict[str, Any] = {"g_channels": 4, "d_channels": 4}
KINDS: dict[str, Backbone] = {
    "resnet": ResNet(z_dim=7, **TINY),
    "biggan": BigGAN(z_dim=24, shared_dim=6, **TINY),
    "biggan-deep": BigGANDeep(z_dim=7, shared_dim=6, **TINY),
    "biggan-deep-studiogan": BigGANDeepStudioGAN(z_dim=7, shared_dim=6, **TINY),
    "dcgan": DCGAN(z_dim=7, **TINY),
}
FEATURES = {
    "resnet": {16: 2, 32: 2, 64: 16, 128: 16, 256: 16, 512: 16},
    "biggan": {16: 2, 32: 2, 64: 16, 128: 16, 256: 16, 512: 16},
    "biggan-deep": {16: 4, 32: 4, 64: 16, 128: 16, 256: 16, 512: 16},
    "biggan-deep-studiogan": {16: 4, 32: 4, 64: 16, 128: 16, 256: 16, 512: 16},
    "dcgan": {16: 4, 32: 8, 64: 16, 128: 16, 256: 16},
}
EVERYWHERE = [(kind, resolution) for kind, features in FEATURES.items() for resolution in features]
CLASSES = 3


def test_the_kinds_tested_here_are_found_by_name() -> None:
    assert {kind: type(backbone) for kind, backbone in KINDS.items()}.items() <= Backbone.members().items()


@pytest.mark.parametrize(("kind", "resolution"), EVERYWHERE)
def test_shapes(kind: str, resolution: int) -> None:
    torch.manual_seed(0)
    channels = 1 if resolution == 32 else 3
    backbone, shape = replace(KINDS[kind], g_attention=(1,), d_attention=()), ImageShape(channels, resolution)  # type: ignore[call-arg]
    if kind == "biggan":
        chunks = {16: 3, 32: 4, 64: 5, 128: 6, 256: 7, 512: 8}[resolution]
        backbone = replace(backbone, z_dim=7 * chunks)
    generator, body = backbone.generator(shape, CLASSES), backbone.discriminator(shape)
    with torch.no_grad():
        images = generator(torch.randn(2, backbone.z_dim), torch.tensor([2, 0]))
        h = body(images)
    assert images.shape == (2, channels, resolution, resolution)
    assert h.shape == (2, body.features) == (2, 4 * FEATURES[kind][resolution])
    assert torch.isfinite(h).all()
    assert (generator.z_dim, generator.num_classes) == (backbone.z_dim, CLASSES)
    assert (generator.channels, generator.resolution) == shape


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("normalised", [False, True])
def test_every_parameter_gets_a_gradient(kind: str, normalised: bool) -> None:
    torch.manual_seed(0)
    backbone = replace(KINDS[kind], g_attention=(1,), d_attention=(1,), g_spectral_norm=normalised, d_spectral_norm=normalised)  # type: ignore[call-arg]
    shape = ImageShape(3, 32)
    generator, body = backbone.generator(shape, CLASSES), backbone.discriminator(shape)
    for network in (generator, body):
        for name, parameter in network.named_parameters():
            if name.endswith("sigma"):
                nn.init.constant_(parameter, 0.5)
    images = generator(torch.randn(8, backbone.z_dim), torch.arange(8) % CLASSES)
    assert images.abs().max() <= 1
    assert images.std() > 1e-3
    body(images).pow(2).sum().backward()
    for network in (generator, body):
        gradients = {name: p.grad for name, p in network.named_parameters()}
        assert not [name for name, gradient in gradients.items() if gradient is None]
        # Not of biases: one before a batch normalisation has no effect, and its gradient is rounding.
        weights = {name: gradient for name, gradient in gradients.items() if not name.endswith("bias")}
        assert not [name for name, gradient in weights.items() if gradient.abs().max() == 0]
        assert bool(list(normalised_layers(network))) is normalised


@pytest.mark.parametrize("kind", KINDS)
def test_labels_are_read_unless_switched_off(kind: str) -> None:
    torch.manual_seed(0)
    shape, z = ImageShape(3, 16), torch.randn(4, KINDS[kind].z_dim)
    some, others = torch.tensor([0, 1, 2, 0]), torch.tensor([1, 2, 0, 2])
    conditional = KINDS[kind].generator(shape, CLASSES).eval()
    unconditional = replace(KINDS[kind], class_conditional=False).generator(shape, CLASSES).eval()  # type: ignore[call-arg]
    assert (conditional(z, some) - conditional(z, others)).abs().max() > 1e-3
    assert torch.equal(unconditional(z, some), unconditional(z, others))
    assert (unconditional(z, some) - unconditional(z.flip(0), some)).abs().max() > 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_images_can_be_drawn_between_two_classes(kind: str) -> None:
    torch.manual_seed(0)
    generator = KINDS[kind].generator(ImageShape(3, 16), CLASSES).eval()
    z, y = torch.randn(2, generator.z_dim), torch.tensor([0, 2])
    condition = generator.condition(y)
    assert torch.equal(generator.render(z, condition), generator(z, y))
    between = generator.render(z, condition.mean(0, keepdim=True).expand(2, -1))
    assert (between - generator(z, y)).abs().max() > 1e-4


def test_biggan_gives_each_block_its_own_chunk() -> None:
    torch.manual_seed(0)
    generator = BigGAN(z_dim=12, shared_dim=5, **TINY).generator(ImageShape(3, 32), CLASSES).eval()
    seen: list[torch.Tensor] = []
    generator.linear.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    for block in generator.blocks:
        block.norm1.gain.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    z, y = torch.arange(12.0).repeat(2, 1), torch.tensor([2, 1])
    generator(z, y)
    assert torch.equal(seen[0], z[:, :3])
    for number, condition in enumerate(seen[1:], 1):
        assert torch.equal(condition, torch.cat([generator.shared.weight[y], z[:, 3 * number : 3 * number + 3]], dim=1))
    assert len(seen) == 4


def test_attention_stands_after_the_named_blocks() -> None:
    body = ResNet(d_attention=(2, 4), **TINY).discriminator(ImageShape(3, 32))
    assert isinstance(body, ResidualBody)
    assert [type(module).__name__ for module in body.attention] == ["Identity", "SelfAttention", "Identity", "SelfAttention"]


@pytest.mark.parametrize("kind", KINDS)
def test_h_is_a_sum_over_positions(kind: str) -> None:
    torch.manual_seed(0)
    body = replace(KINDS[kind], d_spectral_norm=False).discriminator(ImageShape(1, 32)).eval()  # type: ignore[call-arg]
    small, large = torch.full((1, 1, 32, 32), 0.5), torch.full((1, 1, 64, 64), 0.5)
    ratio = body(large).sum() / body(small).sum()  # of a constant image: about the number of positions
    assert 3 < ratio < 5


@pytest.mark.parametrize("kind", KINDS)
def test_unknown_shapes_are_refused(kind: str) -> None:
    backbone = KINDS[kind]
    for build in (backbone.discriminator, lambda shape: backbone.generator(shape, CLASSES)):
        with pytest.raises(UserError, match=rf"'{kind}' has no network for 48 px images: set data.resolution to one of .*32, 64"):
            build(ImageShape(3, 48))
        with pytest.raises(UserError, match="1 or 3 channels, not 4"):
            build(ImageShape(4, 32))


@pytest.mark.parametrize("kind", KINDS)
def test_attention_after_a_missing_block_is_refused(kind: str) -> None:
    shape = ImageShape(3, 32)
    for place in (0, 5):
        with pytest.raises(UserError, match=f"set g_attention to 1 ... 3, not {place}"):
            replace(KINDS[kind], g_attention=(place,)).generator(shape, CLASSES)  # type: ignore[call-arg]
        with pytest.raises(UserError, match=f"set d_attention to 1 ... [34], not {place}"):
            replace(KINDS[kind], d_attention=(1, place)).discriminator(shape)  # type: ignore[call-arg]


@pytest.mark.parametrize("kind", KINDS)
def test_widths_below_one_are_refused(kind: str) -> None:
    for field in ("z_dim", "g_channels", "d_channels"):
        with pytest.raises(UserError, match=f"'{kind}': {field} is 0"):
            replace(KINDS[kind], **{field: 0})


def test_z_that_cannot_be_cut_is_refused() -> None:
    with pytest.raises(UserError, match=r"4 chunks at 32 px .* set z_dim to 128"):
        BigGAN(z_dim=130).generator(ImageShape(3, 32), CLASSES)
    with pytest.raises(UserError, match="set z_dim to 3"):
        BigGAN(z_dim=1).generator(ImageShape(3, 16), CLASSES)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_deep_stages_have_any_depth(depth: int) -> None:
    for kind in (BigGANDeep, BigGANDeepStudioGAN):
        backbone = kind(z_dim=7, shared_dim=6, g_depth=depth, d_depth=depth, **TINY)
        shape = ImageShape(3, 64)
        generator, body = backbone.generator(shape, CLASSES), backbone.discriminator(shape)
        with torch.no_grad():
            images = generator(torch.randn(2, 7), torch.tensor([2, 0]))
            assert images.shape == (2, 3, 64, 64)
            assert body(images).shape == (2, 64)
        assert [len(stage) for stage in generator.stages] == [depth] * 4 == [len(stage) for stage in body.stages]
