"""InfoGAN's term: its value by hand, what it trains in which update, and whole runs with it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from ganeval.checkpoints import Folder, load_folder
from ganeval.conditioning.base import Discriminator, Verdict
from ganeval.conditioning.projection import Projection
from ganeval.errors import UserError
from ganeval.losses.base import Regularizer, Stage
from ganeval.losses.regularizers.mutual_information import MutualInformation
from ganeval.networks.base import Body, ImageShape
from ganeval.networks.big_resnet import BigGAN
from ganeval.networks.resnet import ResNet
from ganeval.networks.spectral_norm import SNLinear
from ganeval.recipes.recipe import Recipe
from ganeval.sampling import generate, load_generator, resolve_checkpoint
from ganeval.training.loop import train
from ganeval.training.plan import resolve

TINY = ("backbone.g_channels=2", "backbone.d_channels=2", "schedule.batch_size=8", "schedule.d_steps=2")
MakeStage = Callable[..., Stage]


class FlatBody(Body):
    """h = the first ``features`` pixels, said to be sums over 4 positions."""

    def __init__(self, features: int) -> None:
        super().__init__(features, positions=4)
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, images: Tensor) -> Tensor:
        return self.scale * images.flatten(1)[:, : self.features]


class FlatHead(nn.Module):
    def forward(self, h: Tensor, y: Tensor) -> Verdict:
        return Verdict(h.sum(1), h)


def flat_discriminator(classes: int, features: int = 2) -> Discriminator:
    discriminator = Discriminator(FlatBody(features), FlatHead())
    MutualInformation(classes).prepare(discriminator)
    return discriminator


@pytest.fixture
def stage(make_stage: MakeStage) -> Stage:
    """Six fakes of latents (6, 4) whose code has three values, under a discriminator with a code head (2 -> 3)."""
    discriminator = flat_discriminator(3).double()
    nn.init.normal_(discriminator.code_head.weight, generator=torch.Generator().manual_seed(0))
    generator = make_stage().generator
    generator.code_dim = 3
    made = make_stage(generator=generator, discriminator=discriminator)
    fake = generator(made.z, made.y_fake)
    return replace(made, fake=fake, fake_verdict=discriminator(fake, made.y_fake))


def expected_loss(stage: Stage) -> float:
    """mean of -log softmax(W h / 4) at the place of the largest of the last three latents, in plain arithmetic."""
    weight = stage.discriminator.code_head.weight.tolist()
    losses = []
    for h, z in zip(stage.fake_verdict.h.tolist(), stage.z.tolist(), strict=True):
        logits = [sum(w * x / 4 for w, x in zip(row, h, strict=True)) for row in weight]
        code = z[1:].index(max(z[1:]))
        losses.append(math.log(sum(math.exp(logit) for logit in logits)) - logits[code])
    return sum(losses) / len(losses)


def test_both_updates_get_the_weighted_cross_entropy_of_the_code(stage: Stage) -> None:
    for penalty in (MutualInformation(3, weight=0.7).d_penalty, MutualInformation(3, weight=0.7).g_penalty):
        assert penalty(stage, {}).item() == pytest.approx(0.7 * expected_loss(stage), rel=1e-12)
    assert expected_loss(stage) != pytest.approx(math.log(3), rel=1e-3)


def test_an_ignorant_head_costs_the_entropy_of_the_code(stage: Stage) -> None:
    nn.init.zeros_(stage.discriminator.code_head.weight)
    assert MutualInformation(3).d_penalty(stage, {}).item() == pytest.approx(math.log(3), rel=1e-12)


def test_the_discriminators_update_trains_the_head_alone(stage: Stage) -> None:
    discriminator = stage.discriminator
    MutualInformation(3).d_penalty(stage, {}).backward()
    trained = {name for name, parameter in discriminator.named_parameters() if parameter.grad is not None}
    assert trained == {"code_head.weight"}
    # d CE / dW = (softmax - onehot) h / 4, averaged
    h = stage.fake_verdict.h.detach() / 4
    error = torch.softmax(h @ discriminator.code_head.weight.detach().T, 1)
    error[torch.arange(6), stage.z[:, 1:].argmax(1)] -= 1
    torch.testing.assert_close(discriminator.code_head.weight.grad, error.T @ h / 6)
    assert stage.generator.weight.grad is None


def test_the_generators_update_reaches_the_generator_through_head_and_body(stage: Stage) -> None:
    (gradient,) = torch.autograd.grad(MutualInformation(3).g_penalty(stage, {}), stage.generator.weight)
    assert gradient[:, :2].abs().min() > 0
    assert gradient[:, 2:].abs().max() == 0  # pixels the features do not show
    better = stage.generator.weight - 0.5 * gradient
    fake = (stage.z @ better).view(6, 2, 16, 16)
    after = replace(stage, fake=fake, fake_verdict=stage.discriminator(fake, stage.y_fake))
    assert expected_loss(after) < expected_loss(stage)


@pytest.mark.parametrize("normalised", [False, True])
def test_the_head_is_normalised_as_the_discriminator_is(normalised: bool) -> None:
    backbone = ResNet(d_channels=4, d_spectral_norm=normalised)
    body = backbone.discriminator(ImageShape(3, 32))
    discriminator = Discriminator(body, Projection().head(body.features, 3, backbone.d_layers))
    MutualInformation(5).prepare(discriminator)
    assert isinstance(discriminator.code_head, SNLinear) is normalised
    assert discriminator.code_head.weight.shape == (5, body.features)
    assert discriminator.code_head.bias is None


def test_the_published_discriminator_of_biggan_info_has_as_many_parameters() -> None:
    backbone = BigGAN(d_attention=(1,), code_dim=10)
    with torch.device("meta"):
        body = backbone.discriminator(ImageShape(3, 32))
        discriminator = Discriminator(body, Projection().head(body.features, 10, backbone.d_layers))
        MutualInformation(10).prepare(discriminator)
    assert sum(parameter.numel() for parameter in discriminator.parameters()) == 2_417_090


def test_a_code_of_another_size_is_refused(stage: Stage, make_stage: MakeStage) -> None:
    with pytest.raises(UserError, match=r"classes is 4 and the generator's code has 3 values: set backbone\.code_dim=4"):
        MutualInformation(4).d_penalty(stage, {})
    without = make_stage(discriminator=flat_discriminator(4).double())
    with pytest.raises(UserError, match="the generator's code has 0 values"):
        MutualInformation(4).g_penalty(without, {})
    with pytest.raises(UserError, match="classes is 1, give at least 2"):
        MutualInformation(1)


def infogan(*overrides: str) -> Recipe:
    recipe, _ = resolve("acgan", "digits", (*TINY, *overrides))
    return replace(recipe, regularizers=(MutualInformation(4, weight=0.5),))


def final(out: Path) -> Folder:
    return load_folder(resolve_checkpoint(out))


@pytest.mark.parametrize("prior", ["gaussian", "uniform"])
def test_a_run_trains_the_head_resumes_and_samples(prior: str, tmp_path: Path) -> None:
    recipe, (_, digits) = infogan("backbone.code_dim=4", f"prior={prior}"), resolve("acgan", "digits", TINY)
    train(recipe, digits, tmp_path / "start", steps=0)
    for steps in (1, 3):
        train(recipe, digits, tmp_path / "parts", steps=steps)
    train(recipe, digits, tmp_path / "whole", steps=3)
    start, parts, whole = (final(tmp_path / name).tensors for name in ("start", "parts", "whole"))
    for file, content in whole.items():
        assert all(torch.equal(value, parts[file][name]) for name, value in content.items()), file
    assert (whole["discriminator"]["code_head.weight"] - start["discriminator"]["code_head.weight"]).abs().min() > 0
    assert "code_head.weight.exp_avg" in whole["d_optimizer"]
    generator = load_generator(tmp_path / "whole")
    assert generator.z_dim == recipe.backbone.z_dim + 4
    assert [images.shape for images, _ in generate(generator, 3)] == [(3, 1, 16, 16)]


def test_the_head_is_initialised_from_the_seed(tmp_path: Path) -> None:
    recipe, (_, digits) = infogan("backbone.code_dim=4"), resolve("acgan", "digits", TINY)
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        torch.rand(1)  # the global generator must not matter
        train(recipe, digits, tmp_path / name, seed=seed, steps=0)
    a, b, c = (final(tmp_path / name).tensors["discriminator"]["code_head.weight"] for name in "abc")
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


def test_a_recipe_without_the_code_is_refused_at_the_first_step(tmp_path: Path) -> None:
    _, digits = resolve("acgan", "digits", TINY)
    with pytest.raises(UserError, match=r"set backbone\.code_dim=4"):
        train(infogan(), digits, tmp_path / "run", steps=1)


def test_it_is_found_by_its_kind() -> None:
    assert Regularizer.member("mutual-information") is MutualInformation
