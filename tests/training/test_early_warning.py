"""Each sign in closed form: what makes it, what just does not, and that it is said once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ganeval.training.early_warning import RECENT, WINDOW, diverging_score, new_warnings

Line = dict[str, Any]


def healthy(step: int, **changes: float) -> Line:
    wave = 0.1 * (-1) ** step
    return {"step": step, "d_loss": 2 + wave, "d_adversarial": 1.5 + wave, "real_logit": 0.6 + wave, "fake_logit": -0.5} | changes


def lines(count: int, **changes: float) -> list[Line]:
    """``WINDOW`` healthy lines, then ``count`` with ``changes``."""
    return [healthy(step) for step in range(WINDOW)] + [healthy(WINDOW + step, **changes) for step in range(count)]


def names(history: list[Line]) -> list[str]:
    return [warning.partition(":")[0] for warning in new_warnings(history)]


def test_a_healthy_run_is_left_in_peace() -> None:
    history = lines(100)
    assert [new_warnings(history[:end]) for end in range(1, len(history))] == [[]] * (len(history) - 1)


def test_updates_that_were_not_finite_are_said_when_they_begin() -> None:
    counts = [None, None, 1, 2, 2, 2, 5]
    history = [healthy(step, **({} if count is None else {"zeroed_updates": count})) for step, count in enumerate(counts)]
    said = [new_warnings(history[: end + 1]) for end in range(len(history))]
    text = "altered-updates: {} updates were not finite so far: incidents.jsonl has which"
    assert said == [[], [], [text.format(1)], [], [], [], [text.format(5)]]
    assert new_warnings([healthy(0, skipped_updates=1)]) == [text.format(1)]


SIGNS: dict[str, tuple[Callable[[int], Line], Callable[[int], Line]]] = {
    # name: a line that shows it, and one that is just short of it
    "zero-loss": (
        lambda step: healthy(step, d_adversarial=9e-4 * (step % 2)),
        lambda step: healthy(step, d_adversarial=2e-3 * (step % 2)),
    ),
    "constant-loss": (lambda step: healthy(step, d_loss=1.25), lambda step: healthy(step, d_loss=1.25 + 1e-5 * (step % 2))),
    "no-gap": (
        lambda step: healthy(step, real_logit=0.309, fake_logit=0.3),
        lambda step: healthy(step, real_logit=0.312, fake_logit=0.3),
    ),
    # Before: gaps of 1.0 and 1.2, median 1.1 (to 1.2 on unlucky parity); now 25 is more than ten times that, 10.9 is not.
    "exploding-gap": (
        lambda step: healthy(step, real_logit=20.0, fake_logit=-5.0),
        lambda step: healthy(step, real_logit=5.9, fake_logit=-5.0),
    ),
}


@pytest.mark.parametrize("name", SIGNS)
def test_a_sign_is_said_once_when_it_has_held_for_ten_lines(name: str) -> None:
    bad, _ = SIGNS[name]
    history = lines(0) + [bad(WINDOW + step) for step in range(RECENT + 5)]
    said = [name in names(history[: WINDOW + shown]) for shown in range(1, RECENT + 6)]
    if name == "exploding-gap":  # a median: six of ten lines are enough
        assert sum(said) == 1
        assert 5 <= said.index(True) + 1 <= RECENT
    else:
        assert said == [False] * (RECENT - 1) + [True] + [False] * 5
    again = [*history, *lines(RECENT)[WINDOW:], *(bad(step) for step in range(RECENT))]
    assert sum(name in names(again[:end]) for end in range(len(history) + 1, len(again) + 1)) == 1


@pytest.mark.parametrize("name", SIGNS)
def test_just_short_of_it_is_no_sign(name: str) -> None:
    _, good = SIGNS[name]
    history = lines(0) + [good(WINDOW + step) for step in range(RECENT + 5)]
    assert all(name not in names(history[:end]) for end in range(WINDOW, len(history) + 1))


def test_a_gap_that_is_large_from_the_beginning_is_how_a_critic_looks() -> None:
    history = [healthy(step, real_logit=300.0, fake_logit=-250.0) for step in range(2 * WINDOW)]
    assert all(not new_warnings(history[:end]) for end in range(1, len(history) + 1))


def test_a_wasserstein_loss_of_zero_is_no_separation_and_no_adversarial_loss_is_no_loss_of_zero() -> None:
    near = [healthy(step, d_adversarial=0.0, real_logit=0.2 + 0.1 * (step % 2), fake_logit=0.1) for step in range(WINDOW)]
    none = [{name: value for name, value in healthy(step).items() if name != "d_adversarial"} for step in range(WINDOW)]
    assert names(near) == names(none) == []


def test_lines_without_logits_say_nothing() -> None:
    assert new_warnings([{"step": step, "g_loss": 0.0} for step in range(30)]) == []


def test_only_the_window_counts_so_that_a_resumed_run_says_the_same() -> None:
    bad, _ = SIGNS["exploding-gap"]
    history = lines(60) + [bad(step) for step in range(RECENT)]
    for end in range(WINDOW + 1, len(history) + 1):
        assert new_warnings(history[:end]) == new_warnings(history[:end][-WINDOW - 1 :])


@pytest.mark.parametrize(
    ("distances", "said"),
    [
        ([], False),
        ([80.0], False),
        ([80.0, 10.0], False),
        ([10.0, 20.0], False),  # exactly twice is not more than twice
        ([10.0, 20.5], True),
        ([80.0, 10.0, 15.0, 21.0], True),
        ([80.0, 10.0, 21.0, 22.0], False),  # said before
        ([80.0, 10.0, 21.0, 15.0, 30.0], True),  # it had come back
    ],
)
def test_the_score_diverges_beyond_twice_the_best_and_is_said_once_per_fall(distances: list[float], said: bool) -> None:
    text = diverging_score(distances)
    assert (text is not None) == said
    if text:
        assert "the best was 10:" in text


def test_the_factor_decides() -> None:
    assert diverging_score([10.0, 25.0], factor=3.0) is None
    assert diverging_score([10.0, 31.0], factor=3.0) is not None
