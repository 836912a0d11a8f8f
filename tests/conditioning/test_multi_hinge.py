from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ganeval.conditioning.multi_hinge import MultiHinge, MultiHingeVerdict, crammer_singer
from ganeval.networks.layers import Layers


def slow(logits: Tensor, target: Tensor) -> float:
    total = 0.0
    for row, t in zip(logits.tolist(), target.tolist(), strict=True):
        total += max(0.0, 1 + max(value for j, value in enumerate(row) if j != t) - row[t])
    return total / len(target)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 7), st.integers(2, 6), st.integers(0, 999))
def test_crammer_singer_is_the_definition(count: int, outputs: int, seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    logits = torch.randn(count, outputs, generator=draw, dtype=torch.float64)
    target = torch.randint(outputs, (count,), generator=draw)
    assert crammer_singer(logits, target).item() == pytest.approx(slow(logits, target), abs=1e-13)


def test_a_margin_of_one_is_enough() -> None:
    logits = torch.tensor([[3.0, 2.0, -5.0], [0.5, 0.0, 1.0]], requires_grad=True)
    value = crammer_singer(logits, torch.tensor([0, 0]))
    assert value.item() == pytest.approx((0 + 1.5) / 2)
    value.backward()
    assert logits.grad.tolist() == [[0, 0, 0], [-0.5, 0, 0.5]]


def verdict(rows: list[list[float]]) -> MultiHingeVerdict:
    logits = torch.tensor(rows, dtype=torch.float64, requires_grad=True)
    return MultiHingeVerdict(torch.zeros(len(rows)), torch.zeros(len(rows), 1), logits)


def test_discriminator_wants_classes_for_reals_and_the_last_output_for_fakes() -> None:
    real, fake = verdict([[0.2, 1.0, -1.0], [2.5, 0.0, 0.5]]), verdict([[0.0, 0.7, 0.1]])
    value = MultiHinge().d_loss(real, fake, torch.tensor([1, 0]), torch.tensor([0]))
    assert value.item() == pytest.approx((0.2 + 0.0) / 2 + 1.6)
    (gradient,) = torch.autograd.grad(value, fake.logits)
    assert gradient.tolist() == [[0, 1, -1]]


def test_generator_wants_the_class_of_the_label() -> None:
    fake = verdict([[0.0, 0.7, 0.1], [0.0, -1.0, 3.0]])
    labels = torch.tensor([0, 1])
    assert MultiHinge().g_loss(fake, labels).item() == pytest.approx(0.05 * (1.7 + 5.0) / 2)
    assert MultiHinge(g_weight=2.0).g_loss(fake, labels).item() == pytest.approx(1.7 + 5.0)


def test_the_adversarial_logit_compares_the_label_with_fake() -> None:
    head = MultiHinge().head(4, 3, Layers(False))
    h, y = torch.randn(5, 4), torch.tensor([0, 1, 2, 1, 0])
    answer = head(h, y)
    assert answer.logits.shape == (5, 4)
    assert torch.equal(answer.adv, answer.logits[range(5), y] - answer.logits[:, 3])
