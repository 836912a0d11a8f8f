"""The discrete code of InfoGAN: where it is read from, what reads it, and that without one nothing changes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from ganeval.errors import UserError
from ganeval.networks.base import Backbone, Generator, ImageShape, code_of
from ganeval.networks.big_resnet import BigGAN
from ganeval.networks.dcgan import DCGAN
from ganeval.networks.resnet import ResNet
from ganeval.networks.spectral_norm import normalised_layers
from ganeval.rng import latents

TINY: dict[str, Any] = {"g_channels": 4, "d_channels": 4, "code_dim": 5}
BACKBONES: dict[str, Backbone] = {
    "resnet": ResNet(z_dim=7, **TINY),
    "biggan": BigGAN(z_dim=12, shared_dim=6, **TINY),
    "dcgan": DCGAN(z_dim=7, **TINY),
}
SHAPE, CLASSES = ImageShape(3, 32), 3


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def latents_with(generator: Generator, code: Tensor) -> Tensor:
    """Random latents that carry ``code`` (N,)."""
    z = torch.randn(len(code), generator.z_dim)
    z[torch.arange(len(code)), generator.z_dim - generator.code_dim + code] = 10.0
    return z


def test_the_code_is_the_place_of_the_largest_of_the_last_columns() -> None:
    z = torch.tensor([[9.0, 1.0, 3.0, 2.0], [0.0, -1.0, -3.0, -0.5], [5.0, 0.0, 0.0, 1.0]])
    assert code_of(z, 3).tolist() == [1, 2, 2]
    assert code_of(z, 2).tolist() == [0, 1, 1]


@pytest.mark.parametrize("prior", ["gaussian", "uniform"])
def test_every_value_is_equally_likely(prior: Any) -> None:
    counts = torch.bincount(code_of(latents(0, 0, 50_000, 8, prior), 5), minlength=5)
    assert ((counts - 10_000).abs() < 4 * (50_000 * 0.2 * 0.8) ** 0.5).all()


@pytest.mark.parametrize("kind", BACKBONES)
@pytest.mark.parametrize("conditional", [True, False])
def test_only_the_choice_of_the_code_matters(kind: str, conditional: bool) -> None:
    generator = replace(BACKBONES[kind], class_conditional=conditional).generator(SHAPE, CLASSES).eval()  # type: ignore[call-arg]
    assert (generator.z_dim, generator.code_dim) == (BACKBONES[kind].z_dim + 5, 5)
    y, code = torch.tensor([2, 0, 1]), torch.tensor([4, 0, 3])
    z = latents_with(generator, code)
    images = generator(z, y)
    assert images.shape == (3, 3, 32, 32)
    one_hot = torch.cat([z[:, :-5], torch.nn.functional.one_hot(code, 5)], dim=1)
    assert torch.equal(generator(one_hot, y), images)
    other = torch.cat([z[:, :-5], torch.nn.functional.one_hot((code + 1) % 5, 5)], dim=1)
    assert (generator(other, y) - images).abs().amax((1, 2, 3)).min() > 1e-3
    assert torch.equal(generator(z, (y + 1) % 3), images) is not conditional


@pytest.mark.parametrize(("kind", "width"), [("resnet", 7), ("biggan", 6), ("dcgan", 7)])
@pytest.mark.parametrize("normalised", [False, True])
def test_conditional_norms_read_the_projected_code_first(kind: str, width: int, normalised: bool) -> None:
    generator = replace(BACKBONES[kind], g_spectral_norm=normalised).generator(SHAPE, CLASSES).eval()  # type: ignore[call-arg]
    seen: list[Tensor] = []
    for name, module in generator.named_modules():
        if name.endswith("gain"):
            module.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    code, y = torch.tensor([4, 0, 3]), torch.tensor([2, 0, 1])
    z = latents_with(generator, code)
    generator(z, y)
    projected = generator.code(torch.nn.functional.one_hot(code, 5).float())
    assert projected.shape == (3, width)
    label = generator.condition(y)
    for number, condition in enumerate(seen):
        chunk = z[:, 3 * (number // 2 + 1) :][:, :3] if kind == "biggan" else z[:, :0]
        assert torch.equal(condition, torch.cat([projected, label, chunk], dim=1))
    assert len(seen) == (3 if kind == "dcgan" else 6)
    assert (generator.code in list(normalised_layers(generator))) is normalised


@pytest.mark.parametrize("kind", BACKBONES)
def test_the_projection_learns_and_gets_a_bias(kind: str) -> None:
    generator = BACKBONES[kind].generator(SHAPE, CLASSES)
    generator(torch.randn(16, generator.z_dim), torch.arange(16) % CLASSES).square().sum().backward()
    assert generator.code.weight.grad.abs().sum(0).min() > 0
    assert generator.code.bias.grad.abs().min() > 0


@pytest.mark.parametrize("kind", BACKBONES)
def test_without_a_code_nothing_of_it_is_there(kind: str) -> None:
    generator = replace(BACKBONES[kind], code_dim=0).generator(SHAPE, CLASSES)  # type: ignore[call-arg]
    assert (generator.z_dim, generator.code_dim, generator.code) == (BACKBONES[kind].z_dim, 0, None)
    assert not [name for name in generator.state_dict() if "code" in name]
    z, condition = torch.randn(2, generator.z_dim), torch.randn(2, 3)
    assert generator.read_code(z, condition) == (z, condition)


@pytest.mark.parametrize("kind", BACKBONES)
@pytest.mark.parametrize("code_dim", [1, -2])
def test_a_code_without_a_choice_is_refused(kind: str, code_dim: int) -> None:
    with pytest.raises(UserError, match=f"'{kind}': code_dim is {code_dim}, set it to 0 .* at least 2"):
        replace(BACKBONES[kind], code_dim=code_dim)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("kind", "resolution", "positions"),
    [("resnet", 16, 16), ("resnet", 32, 64), ("biggan", 64, 16), ("biggan", 128, 16), ("dcgan", 32, 16), ("dcgan", 64, 16)],
)
def test_bodies_know_over_how_many_positions_they_sum(kind: str, resolution: int, positions: int) -> None:
    body = BACKBONES[kind].discriminator(ImageShape(1, resolution)).eval()
    maps: list[Tensor] = []
    last = body.conv if kind == "dcgan" else body.blocks[-1]
    last.register_forward_hook(lambda module, inputs, output: maps.append(output))
    body(torch.zeros(1, 1, resolution, resolution))
    assert maps[0][0, 0].numel() == body.positions == positions
