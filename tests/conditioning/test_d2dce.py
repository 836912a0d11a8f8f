from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import normalize

from ganeval.conditioning.d2dce import D2DCE, d2d_ce, d2d_ce_terms
from ganeval.errors import UserError

FORMULAS = ["studiogan", "paper"]


def batch(seed: int, labels: list[int], dim: int = 6) -> tuple[Tensor, Tensor, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    y = torch.tensor(labels)
    embedding = normalize(torch.randn(len(y), dim, generator=draw, dtype=torch.float64), dim=1)
    proxies = normalize(torch.randn(max(labels) + 1, dim, generator=draw, dtype=torch.float64), dim=1)
    return embedding, proxies[y], y


def clustered(labels: list[int]) -> tuple[Tensor, Tensor, Tensor]:
    """Every sample at its proxy, proxies orthogonal: all positives and, for a margin below 1, all negatives are easy."""
    y = torch.tensor(labels)
    rows = torch.eye(max(labels) + 1, dtype=torch.float64)[y]
    return rows.clone().requires_grad_(), rows.clone().requires_grad_(), y


def slow_term(i: int, e: Tensor, p: Tensor, y: Tensor, temperature: float, margin: float, formula: str) -> float:
    """l_i straight from the definition, for unit vectors."""
    others = [j for j in range(len(y)) if j != i]
    excess = {j: ((e[i] @ e[j]).item() - (1 - margin)) / temperature for j in others}
    largest = max(excess.values(), default=0.0) if formula == "studiogan" else 0.0
    negatives = sum(math.exp(max(excess[j], 0) - largest) for j in others if y[j] != y[i])
    positive = math.exp(min((e[i] @ p[i]).item() - margin, 0) / temperature)
    return -math.log(positive / (positive + negatives))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=9), st.integers(0, 999), st.sampled_from([0.25, 0.5, 1.0]),
    st.sampled_from([0.7, 0.98, 1.0]), st.sampled_from(FORMULAS),
)  # fmt: skip
def test_terms_are_those_of_the_definition(labels: list[int], seed: int, temperature: float, margin: float, formula: str) -> None:
    e, p, y = batch(seed, labels)
    terms = d2d_ce_terms(e, p, y, temperature, margin, formula)
    expected = [slow_term(i, e, p, y, temperature, margin, formula) for i in range(len(y))]
    assert terms.tolist() == pytest.approx(expected, rel=1e-11, abs=1e-13)
    assert d2d_ce(e, p, y, temperature, margin, formula).item() == pytest.approx(sum(expected) / len(y), rel=1e-11, abs=1e-13)


def test_the_released_form_is_the_default() -> None:
    e, p, y = batch(3, [0, 1, 1, 2, 0])
    expected, paper = ([slow_term(i, e, p, y, 0.5, 0.98, formula) for i in range(5)] for formula in FORMULAS)
    assert d2d_ce_terms(e, p, y, 0.5, 0.98).tolist() == pytest.approx(expected, rel=1e-12)
    assert D2DCE().compare(e, p, y).item() == pytest.approx(sum(expected) / 5, rel=1e-12)
    assert D2DCE(formula="paper").compare(e, p, y).item() == pytest.approx(sum(paper) / 5, rel=1e-12)
    assert sum(expected) < sum(paper) - 0.1


@pytest.mark.parametrize("formula", FORMULAS)
def test_easy_pairs_have_no_gradient(formula: str) -> None:
    e, p, y = clustered([0, 1, 2, 2, 1, 0, 0])
    d2d_ce(e, p, y, 0.5, 0.98, formula).backward()
    assert torch.count_nonzero(e.grad) == 0
    assert torch.count_nonzero(p.grad) == 0


def pair(positive: float, negative: float) -> tuple[Tensor, Tensor, Tensor]:
    """Two samples of different classes with cosine ``negative``; the first has cosine ``positive`` with its proxy."""

    def at(cosine: float) -> Tensor:
        return torch.tensor([cosine, math.sqrt(1 - cosine**2)], dtype=torch.float64)

    first = torch.tensor([1.0, 0.0], dtype=torch.float64)
    second = at(negative)
    embedding, proxy = torch.stack((first, second)), torch.stack((at(positive), second))
    return embedding.requires_grad_(), proxy.requires_grad_(), torch.tensor([0, 1])


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize(("positive", "easy"), [(0.901, True), (0.899, False)])
def test_positives_stop_at_the_margin(formula: str, positive: float, easy: bool) -> None:
    e, p, y = pair(positive, 0.05)
    (gradient,) = torch.autograd.grad(d2d_ce(e, p, y, 0.5, 0.9, formula), p)
    assert (torch.count_nonzero(gradient[0]) == 0) == easy
    assert torch.count_nonzero(gradient[1]) == 0


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize(("negative", "easy"), [(0.099, True), (0.101, False)])
def test_negatives_stop_at_one_minus_the_margin(formula: str, negative: float, easy: bool) -> None:
    e, p, y = pair(0.95, negative)
    (gradient,) = torch.autograd.grad(d2d_ce(e, p, y, 0.5, 0.9, formula), e)
    assert (torch.count_nonzero(gradient) == 0) == easy


def test_closed_forms_when_every_pair_is_easy() -> None:
    labels = [0, 0, 0, 1, 1, 2]
    e, p, y = clustered(labels)
    opponents = [sum(other != label for other in labels) for label in labels]
    paper = d2d_ce_terms(e, p, y, 0.5, 0.98, "paper")
    assert paper.tolist() == pytest.approx([math.log(1 + n) for n in opponents], rel=1e-14)
    twins = [(1 + 0.98 - 1) / 0.5] * 5 + [(0 + 0.98 - 1) / 0.5]  # the last sample is alone: its nearest one is orthogonal
    released = d2d_ce_terms(e, p, y, 0.5, 0.98, "studiogan")
    expected = [math.log(1 + n * math.exp(-m)) for n, m in zip(opponents, twins, strict=True)]
    assert released.tolist() == pytest.approx(expected, rel=1e-14)
    assert twins[-1] < 0  # then negatives weigh more, not less
    assert released[-1] > paper[-1]


def test_a_twin_of_the_same_class_changes_no_term_of_its_class_in_the_paper_form() -> None:
    e, p, y = batch(11, [0, 0, 1, 2, 1])
    same = (y == 0).nonzero().flatten()
    e2, p2, y2 = torch.cat((e, e[:1])), torch.cat((p, p[:1])), torch.cat((y, y[:1]))
    before, after = (d2d_ce_terms(*rows, 0.5, 0.98, "paper") for rows in ((e, p, y), (e2, p2, y2)))
    torch.testing.assert_close(after[same], before[same], rtol=0, atol=1e-14)
    assert after[-1] == pytest.approx(before[0].item(), abs=1e-14)
    assert (after[: len(y)][y != 0] > before[y != 0]).all()  # to the others it is one more negative

    released_before, released_after = (d2d_ce_terms(*rows, 0.5, 0.98) for rows in ((e, p, y), (e2, p2, y2)))
    assert released_after[0] < released_before[0] - 1e-3  # the twin is the new row maximum, without being a negative


def test_samples_of_the_own_class_are_no_negatives() -> None:
    e, p, y = batch(2, [0, 0, 0, 1])
    moved = e.clone()
    moved[1] = normalize(torch.randn(6, dtype=torch.float64), dim=0)
    first = [d2d_ce_terms(rows, p, y, 0.5, 0.98, "paper")[0].item() for rows in (e, moved)]
    assert first[0] == pytest.approx(first[1], abs=1e-14)


def test_the_row_maximum_carries_no_gradient() -> None:
    e, p, y = batch(4, [0, 0, 1, 2])
    e = normalize(e[:1] + 0.3 * e, dim=1)  # close together: every negative is hard
    e[1] = e[0] + 0.001  # the nearest to sample 0, and no negative of it
    e.requires_grad_()
    (gradient,) = torch.autograd.grad(d2d_ce_terms(e, p, y, 0.5, 0.98)[0], e)
    assert torch.count_nonzero(gradient[1]) == 0
    assert (gradient[2:].norm(dim=1) > 0.01).all()


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("labels", [[1], [2, 2, 2, 2]])
def test_without_negatives_the_loss_is_zero_and_so_is_its_gradient(formula: str, labels: list[int]) -> None:
    e, p, y = batch(0, labels)
    e.requires_grad_()
    value = d2d_ce(e, p, y, 0.5, 0.98, formula)
    value.backward()
    assert value.item() == pytest.approx(0.0, abs=1e-15)
    assert e.grad.abs().max() < 1e-15


def test_proxies_and_embeddings_are_pulled_together_and_classes_apart() -> None:
    e, p, y = batch(8, [0, 1, 2, 0, 1])
    e.requires_grad_()
    p.requires_grad_()
    for _ in range(300):
        gradients = torch.autograd.grad(d2d_ce(e, p, y, 0.5, 0.98), (e, p))
        with torch.no_grad():
            e -= 0.5 * gradients[0]
            p -= 0.5 * gradients[1]
    unit = normalize(e.detach(), dim=1)
    assert ((unit * normalize(p.detach(), dim=1)).sum(1) > 0.9).all()
    assert ((unit @ unit.T)[y[:, None] != y[None, :]] < 0.1).all()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"temperature": 0.0}, "temperature is 0.0"), ({"temperature": float("nan")}, "temperature"),
        ({"margin": 1.2}, "margin is 1.2"), ({"embed_dim": 0}, "embed_dim"),
        ({"formula": "papr"}, "choose one of studiogan, paper"),
    ],
)  # fmt: skip
def test_impossible_settings_are_refused(wrong: dict[str, float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        D2DCE(**wrong)
