"""The controller of ADA and APA, and what APA replaces."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ganeval.augment.ada import ADA
from ganeval.augment.apa import APA
from ganeval.augment.controller import AdaptiveAugmentation
from ganeval.losses.base import State


def logits(positive: int, negative: int) -> Tensor:
    return torch.tensor([0.1] * positive + [-30.0] * negative)


def probabilities(controller: AdaptiveAugmentation, batches: list[Tensor], state: State | None = None) -> list[float]:
    state = controller.initial_state() if state is None else state
    seen = []
    for batch in batches:
        controller.observe(batch, state)
        seen.append(state["p"].item())
    return seen


@pytest.mark.parametrize("member", [ADA, APA])
def test_p_moves_by_the_images_seen_every_interval(member: type[AdaptiveAugmentation]) -> None:
    controller = member(initial_p=0.1, target=0.5, interval=2, kimg=2)
    batches = [
        logits(8, 2), logits(8, 2),  # mean sign 0.6: up by 20 / 2000
        logits(10, 0), logits(5, 5),  # 0.5 is the target: no move
        logits(9, 1), logits(1, 4),  # (8 - 3) / 15: down by 15 / 2000
        logits(30, 0),  # not due yet
    ]  # fmt: skip
    expected = [0.1, 0.11, 0.11, 0.11, 0.11, 0.1025, 0.1025]
    assert probabilities(controller, batches) == pytest.approx(expected, abs=1e-15)


def test_a_logit_of_zero_has_no_sign() -> None:
    controller = ADA(target=0.0, interval=1, kimg=1)
    assert probabilities(controller, [torch.zeros(10), torch.tensor([0.0, 0.0, 1.0])]) == pytest.approx([0.0, 0.003])


def test_from_zero_to_one_takes_kimg_thousand_images_and_p_stays_there() -> None:
    controller = ADA(kimg=1, interval=4)
    up = probabilities(controller, [logits(50, 0)] * 28)
    assert up[15] == pytest.approx(0.8)
    assert up[18] == pytest.approx(0.8)
    assert up[19] == up[27] == 1.0
    down = probabilities(ADA(kimg=1, interval=1, initial_p=0.07), [logits(0, 50)] * 3)
    assert down == pytest.approx([0.02, 0.0, 0.0], abs=1e-15)


def test_a_saved_state_goes_on_in_the_middle_of_an_interval() -> None:
    controller = ADA(interval=3, kimg=1, initial_p=0.5)
    draw = torch.Generator().manual_seed(2)
    batches = [torch.randn(7, generator=draw) + 0.8 for _ in range(20)]
    whole = probabilities(controller, batches)
    state = controller.initial_state()
    before = probabilities(controller, batches[:10], state)
    restored = {name: torch.empty_like(value).copy_(value) for name, value in state.items()}
    assert before + probabilities(controller, batches[10:], restored) == whole
    assert len(set(whole)) > 3


def test_the_state_is_changed_in_place_and_carries_no_gradient() -> None:
    controller = ADA(interval=1)
    state = controller.initial_state()
    tensors = dict(state)
    controller.observe(torch.ones(3, requires_grad=True), state)
    assert state.keys() == {"p", "signs", "seen", "calls"}
    for name, tensor in tensors.items():
        assert state[name] is tensor
        assert (tensor.dtype, tensor.shape, tensor.requires_grad) == (torch.float64, (), False)


@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_apa_replaces_whole_images_at_their_place_with_probability_p(p: float) -> None:
    count = 3000
    real = torch.arange(count, dtype=torch.float32).view(-1, 1, 1, 1).expand(count, 3, 8, 8)
    fake = (-1 - real).requires_grad_()
    shown = APA().mix(real, fake, {"p": torch.tensor(p, dtype=torch.float64)}, torch.Generator().manual_seed(4))
    assert not shown.requires_grad
    replaced = (shown == fake).flatten(1).all(1)
    kept = (shown == real).flatten(1).all(1)
    assert torch.equal(replaced, ~kept)
    assert abs(replaced.double().mean() - p) <= 4.5 * math.sqrt(p * (1 - p) / count)


def test_apa_shows_images_as_they_are() -> None:
    images = torch.rand(2, 3, 8, 8)
    assert APA().apply(images, APA().initial_state(), torch.Generator()) is images
