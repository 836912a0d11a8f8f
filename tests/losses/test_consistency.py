from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from ganeval.augment.transforms import flip_and_shift
from ganeval.conditioning.acgan import ClassVerdict
from ganeval.conditioning.base import Verdict
from ganeval.conditioning.proxies import ProxyVerdict
from ganeval.losses.base import Regularizer, Stage
from ganeval.losses.regularizers.balanced_consistency import BalancedConsistency
from ganeval.losses.regularizers.consistency import Consistency, disagreement
from ganeval.losses.regularizers.latent_consistency import LatentConsistency

MakeStage = Callable[..., Stage]
FLAT = torch.linspace(-1, 1, 6, dtype=torch.float64).view(6, 1, 1, 1).expand(6, 2, 16, 16)


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def difference(stage: Stage, images: Tensor, labels: Tensor, draw: torch.Generator) -> Tensor:
    """D(x) - D(T x) of the linear critic."""
    gap = images - flip_and_shift(images, draw)
    return (gap * stage.discriminator.slopes[labels]).flatten(1).sum(1)


def test_disagreement_adds_the_mean_squares_of_each_output() -> None:
    adv, h = torch.zeros(2), torch.zeros(2, 3)
    one = ClassVerdict(adv, h, torch.zeros(2, 4))
    other = ClassVerdict(adv + 2, h + 100, torch.full((2, 4), 3.0))
    assert disagreement(one, other).item() == 4 + 9
    with_proxy = ProxyVerdict(adv, h, torch.zeros(2, 5), torch.zeros(2, 5))
    assert disagreement(with_proxy, ProxyVerdict(adv, h, torch.ones(2, 5), torch.full((2, 5), 7.0))).item() == 1
    assert disagreement(Verdict(adv, h), Verdict(adv + 2, h + 1)).item() == 4


def test_consistency_for_a_linear_critic_with_gradient_through_both_verdicts(make_stage: MakeStage) -> None:
    stage = make_stage(rng=rng())
    value = Consistency().d_penalty(stage, {})
    expected = 10 * difference(stage, stage.real, stage.y_real, rng()).square().mean()
    assert value.item() == pytest.approx(expected.item(), rel=1e-12)
    assert value > 0
    got, wanted = (torch.autograd.grad(x, stage.discriminator.slopes)[0] for x in (value, expected))
    torch.testing.assert_close(got, wanted, rtol=1e-9, atol=1e-12)


def test_consistency_compares_with_the_verdict_on_augmented_reals(make_stage: MakeStage) -> None:
    stage = make_stage(real=FLAT)
    brighter = make_stage(real=FLAT, real_verdict=stage.discriminator(FLAT + 1, stage.y_real))
    change = stage.discriminator.slopes[stage.y_real].flatten(1).sum(1)
    assert Consistency().d_penalty(stage, {}).item() == pytest.approx(0, abs=1e-20)
    assert Consistency().d_penalty(brighter, {}).item() == pytest.approx(10 * change.square().mean().item(), rel=1e-9)


def test_balanced_consistency_weighs_reals_and_fakes(make_stage: MakeStage) -> None:
    stage = make_stage(rng=rng())
    draw = rng()
    real = difference(stage, stage.real, stage.y_real, draw).square().mean()
    fake = difference(stage, stage.fake, stage.y_fake, draw).square().mean()
    value = BalancedConsistency(real_weight=10, fake_weight=7).d_penalty(stage, {})
    assert value.item() == pytest.approx((10 * real + 7 * fake).item(), rel=1e-12)
    assert fake > 0


@pytest.mark.parametrize("regularizer", [Consistency(), BalancedConsistency()])
def test_images_that_flips_and_shifts_leave_alone_cost_nothing(regularizer: Regularizer, make_stage: MakeStage) -> None:
    value = regularizer.d_penalty(make_stage(real=FLAT, fake=FLAT * 0.5), {})
    assert value.item() == pytest.approx(0, abs=1e-20)


def test_latent_consistency_of_a_linear_generator_and_critic(make_stage: MakeStage) -> None:
    noise = 0.05 * torch.randn(6, 4, dtype=torch.float64, generator=rng())
    stage = make_stage(rng=rng())
    moved = stage.generator(noise, stage.y_fake)
    gap = (moved * stage.discriminator.slopes[stage.y_fake]).flatten(1).sum(1)
    d_value = LatentConsistency().d_penalty(stage, {})
    assert d_value.item() == pytest.approx(20 * gap.square().mean().item(), rel=1e-9)
    d_value.backward()
    assert stage.generator.weight.grad is None
    assert stage.discriminator.slopes.grad.abs().sum() > 0

    z = stage.z
    g_stage = make_stage(rng=rng(), fake=stage.generator(z, stage.y_fake))
    g_value = LatentConsistency().g_penalty(make_stage(rng=rng(), generator=stage.generator, fake=g_stage.fake), {})
    expected = -0.5 * moved.square().mean()
    assert g_value.item() == pytest.approx(expected.item(), rel=1e-9)
    assert g_value < 0 < d_value
    got, wanted = (torch.autograd.grad(x, stage.generator.weight)[0] for x in (g_value, expected))
    torch.testing.assert_close(got, wanted, rtol=1e-6, atol=1e-12)


def test_latent_consistency_augments_the_neighbour(make_stage: MakeStage) -> None:
    stage = make_stage(augment=lambda images: images * 0)
    value = LatentConsistency(d_weight=1.0).d_penalty(stage, {})
    assert value.item() == pytest.approx(mse_loss(stage.fake_verdict.adv, torch.zeros(6, dtype=torch.float64)).item(), rel=1e-12)
