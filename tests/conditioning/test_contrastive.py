from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import normalize

from ganeval.conditioning.contrastive import Contrastive, conditional_contrastive
from ganeval.conditioning.proxies import ProxyVerdict
from ganeval.errors import UserError


def batch(seed: int, labels: list[int]) -> tuple[Tensor, Tensor, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    y = torch.tensor(labels)
    proxies = torch.randn(max(labels) + 1, 5, generator=draw, dtype=torch.float64)
    return torch.randn(len(y), 5, generator=draw, dtype=torch.float64), proxies[y], y


def slow_loss(e: Tensor, p: Tensor, y: Tensor, temperature: float) -> Tensor:
    """The definition, sample by sample."""
    unit, to = normalize(e, dim=1), normalize(p, dim=1)
    total = e.new_zeros(())
    for i in range(len(y)):
        own = torch.exp(unit[i] @ to[i] / temperature)
        others = {k: torch.exp(unit[i] @ unit[k] / temperature) for k in range(len(y)) if k != i}
        same = sum((value for k, value in others.items() if y[k] == y[i]), own)
        total = total - torch.log(same / sum(others.values(), own))
    return total / len(y)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=9), st.integers(0, 999), st.sampled_from([0.2, 1.0]))
def test_value_and_gradient_are_those_of_a_slow_loop(labels: list[int], seed: int, temperature: float) -> None:
    e, p, y = batch(seed, labels)
    e.requires_grad_()
    p.requires_grad_()
    value, slow = conditional_contrastive(e, p, y, temperature), slow_loss(e, p, y, temperature)
    assert value.item() == pytest.approx(slow.item(), rel=1e-11, abs=1e-13)
    for got, expected in zip(torch.autograd.grad(value, (e, p)), torch.autograd.grad(slow, (e, p)), strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-13)


def test_closed_form_for_orthogonal_classes() -> None:
    y = torch.tensor([0, 0, 1, 2])
    rows = torch.eye(3, dtype=torch.float64)[y]
    e, hi = math.exp(1 / 0.5), 1.0
    expected = [math.log((2 * e + 2 * hi) / (2 * e))] * 2 + [math.log((e + 3 * hi) / e)] * 2
    assert conditional_contrastive(rows, rows, y, 0.5).item() == pytest.approx(sum(expected) / 4, rel=1e-14)


@pytest.mark.parametrize("labels", [[0], [1, 1, 1]])
def test_without_other_classes_the_loss_is_zero(labels: list[int]) -> None:
    e, p, y = batch(0, labels)
    e.requires_grad_()
    value = conditional_contrastive(e, p, y, 0.5)
    value.backward()
    assert value.item() == pytest.approx(0.0, abs=1e-15)
    assert torch.isfinite(e.grad).all()


def test_large_exponents_stay_finite() -> None:
    e, p, y = (rows.float() if rows.is_floating_point() else rows for rows in batch(1, [0, 1, 0, 1]))
    assert torch.isfinite(conditional_contrastive(e, p, y, 1e-3))


def test_discriminator_learns_from_reals_and_generator_from_fakes() -> None:
    (e, p, y), (e2, p2, y2) = batch(1, [0, 1, 0, 1]), batch(2, [1, 2, 2, 0])
    real, fake = (ProxyVerdict(torch.zeros(4), torch.zeros(4, 1), *rows) for rows in ((e, p), (e2, p2)))
    scheme = Contrastive(weight=0.3, temperature=0.5)
    assert scheme.d_loss(real, fake, y, y2).item() == pytest.approx(0.3 * slow_loss(e, p, y, 0.5).item(), rel=1e-12)
    assert scheme.g_loss(fake, y2).item() == pytest.approx(0.3 * slow_loss(e2, p2, y2, 0.5).item(), rel=1e-12)


def test_temperature_must_be_positive() -> None:
    with pytest.raises(UserError, match="temperature is -1"):
        Contrastive(temperature=-1)
