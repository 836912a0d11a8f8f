from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from ganeval.errors import UserError
from ganeval.losses.base import Regularizer, Stage
from ganeval.losses.regularizers.dragan import Dragan
from ganeval.losses.regularizers.gradient_penalty import GradientPenalty
from ganeval.losses.regularizers.max_gradient_penalty import MaxGradientPenalty
from ganeval.losses.regularizers.r1 import R1

MakeStage = Callable[..., Stage]


def slope_norms(stage: Stage) -> torch.Tensor:
    """|w_y| for the labels of the reals: the gradient's norm wherever a linear critic is asked."""
    return stage.discriminator.slopes.detach()[stage.y_real].flatten(1).norm(dim=1)


@pytest.mark.parametrize(
    ("penalty", "expected"),
    [
        (GradientPenalty(), lambda norms: 10 * (norms - 1).square().mean()),
        (GradientPenalty(weight=3.0), lambda norms: 3 * (norms - 1).square().mean()),
        (Dragan(), lambda norms: 10 * (norms - 1).square().mean()),
        (MaxGradientPenalty(), lambda norms: 10 * norms.max() ** 2),
        (R1(weight=0.4), lambda norms: 0.2 * norms.square().mean()),
        (R1(weight=0.4, interval=16), lambda norms: 16 * 0.2 * norms.square().mean()),
    ],
)
def test_value_and_weight_gradient_for_a_linear_critic(penalty: Regularizer, expected: Callable, make_stage: MakeStage) -> None:
    stage = make_stage()
    value = penalty.d_penalty(stage, {})
    assert value.item() == pytest.approx(expected(slope_norms(stage)).item(), rel=1e-12)
    (gradient,) = torch.autograd.grad(value, stage.discriminator.slopes)
    slopes = stage.discriminator.slopes.detach().requires_grad_()
    (reference,) = torch.autograd.grad(expected(slopes[stage.y_real].flatten(1).norm(dim=1)), slopes)
    torch.testing.assert_close(gradient, reference, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("penalty", [GradientPenalty(), MaxGradientPenalty()])
def test_interpolates_lie_between_a_real_and_a_fake_one_place_for_each_sample(
    penalty: Regularizer, make_stage: MakeStage
) -> None:
    stage = make_stage(augment=lambda images: images + 1e6)
    stage.discriminator.seen.clear()
    penalty.d_penalty(stage, {})
    (images,) = stage.discriminator.seen
    share = (images - stage.fake) / (stage.real - stage.fake)
    centre = share.flatten(1).median(dim=1).values
    torch.testing.assert_close(images, centre.view(-1, 1, 1, 1) * (stage.real - stage.fake) + stage.fake)
    assert ((centre > 0) & (centre < 1)).all()
    assert centre.unique().numel() == len(centre)


def test_dragan_moves_reals_up_by_at_most_half_a_standard_deviation(make_stage: MakeStage) -> None:
    stage = make_stage(real=torch.randn(6, 2, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(5)) * 3 + 1)
    stage.discriminator.seen.clear()
    Dragan().d_penalty(stage, {})
    (images,) = stage.discriminator.seen
    moved = (images - stage.real) / (0.5 * stage.real.std())
    assert moved.min() >= 0
    assert moved.max() <= 1
    shares = 2 * moved.flatten(1).mean(1)  # the mean of u is 1/2, what is left is a of each sample
    assert ((shares > 0) & (shares < 1)).all()
    torch.testing.assert_close(moved.flatten(1).amax(1), shares, rtol=0.15, atol=0)


def test_dragan_of_a_constant_batch_is_the_penalty_at_the_reals(make_stage: MakeStage) -> None:
    stage = make_stage(real=torch.full((6, 2, 16, 16), 0.25, dtype=torch.float64))
    stage.discriminator.seen.clear()
    Dragan().d_penalty(stage, {})
    assert torch.equal(stage.discriminator.seen[0], stage.real)


def test_r1_differentiates_through_the_augmentation(make_stage: MakeStage) -> None:
    plain, doubled = make_stage(), make_stage(augment=lambda images: 2 * images + 3)
    ratio = R1().d_penalty(doubled, {}) / R1().d_penalty(plain, {})
    assert ratio.item() == pytest.approx(4.0, rel=1e-12)


def test_lazy_r1_acts_in_every_interval_th_step(make_stage: MakeStage) -> None:
    values = [R1(interval=4).d_penalty(make_stage(step=step), {}) for step in range(9)]
    assert [value is not None for value in values] == [step % 4 == 0 for step in range(9)]


def test_penalties_of_a_flat_critic_have_finite_gradients(make_stage: MakeStage) -> None:
    stage = make_stage()
    with torch.no_grad():
        stage.discriminator.slopes.zero_()
    for penalty, value in ((GradientPenalty(), 10.0), (Dragan(), 10.0), (R1(), 0.0), (MaxGradientPenalty(), 0.0)):
        result = penalty.d_penalty(stage, {})
        assert result.item() == value
        (gradient,) = torch.autograd.grad(result, stage.discriminator.slopes)
        assert torch.isfinite(gradient).all()


def test_a_stage_without_reals_says_so(make_stage: MakeStage) -> None:
    stage = make_stage(real_verdict=None)
    with pytest.raises(ValueError, match="fresh_real"):
        GradientPenalty().d_penalty(stage, {})


def test_interval_below_one_is_refused() -> None:
    with pytest.raises(UserError, match="interval"):
        R1(interval=0)
