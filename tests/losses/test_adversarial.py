from __future__ import annotations

import math

import pytest
import torch

from ganeval.losses.adversarial.hinge import Hinge
from ganeval.losses.adversarial.least_squares import LeastSquares
from ganeval.losses.adversarial.logistic import Logistic
from ganeval.losses.adversarial.nonsaturating import NonSaturating
from ganeval.losses.adversarial.wasserstein import Wasserstein
from ganeval.losses.base import Adversarial

REAL, FAKE = torch.tensor([3.0, 0.5], dtype=torch.float64), torch.tensor([-2.0, 1.0, 0.25], dtype=torch.float64)


def softplus(x: float) -> float:
    return math.log1p(math.exp(x))


@pytest.mark.parametrize(
    ("loss", "d_expected", "g_expected"),
    [
        (Hinge(), 0.25 + (0 + 2 + 1.25) / 3, 0.25),
        (LeastSquares(), 0.5 * (4 + 0.25) / 2 + 0.5 * (4 + 1 + 0.0625) / 3, 0.5 * (9 + 0 + 0.5625) / 3),
        (Wasserstein(), -0.25 - 1.75, 0.25),
        (
            NonSaturating(),
            (softplus(-3) + softplus(-0.5)) / 2 + (softplus(-2) + softplus(1) + softplus(0.25)) / 3,
            (softplus(2) + softplus(-1) + softplus(-0.25)) / 3,
        ),
    ],
)
def test_values_by_hand_for_batches_of_unequal_size(loss: Adversarial, d_expected: float, g_expected: float) -> None:
    assert loss.d_loss(REAL, FAKE).item() == pytest.approx(d_expected, abs=1e-14)
    assert loss.g_loss(FAKE).item() == pytest.approx(g_expected, abs=1e-14)


@pytest.mark.parametrize("member", sorted(Adversarial.members()))
def test_discriminator_pushes_reals_up_and_fakes_down_and_generator_pushes_fakes_up(member: str) -> None:
    loss = Adversarial.member(member)()
    real, fake = torch.zeros(4, requires_grad=True), torch.zeros(4, requires_grad=True)
    d_real, d_fake = torch.autograd.grad(loss.d_loss(real - 0.1, fake + 0.1), (real, fake))
    (g_fake,) = torch.autograd.grad(loss.g_loss(fake), fake)
    assert (d_real < 0).all()
    assert (d_fake > 0).all()
    assert (g_fake < 0).all()


def test_logistic_is_the_non_saturating_loss_under_its_other_name() -> None:
    assert {"logistic", "non-saturating"} <= set(Adversarial.members())
    assert Logistic().d_loss(REAL, FAKE) == NonSaturating().d_loss(REAL, FAKE)
    assert Logistic().g_loss(FAKE) == NonSaturating().g_loss(FAKE)


def test_non_saturating_loss_stays_finite_for_large_logits() -> None:
    huge = torch.tensor([-1e4, 1e4], requires_grad=True)
    value = NonSaturating().d_loss(huge, huge) + NonSaturating().g_loss(huge)
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(huge.grad).all()
