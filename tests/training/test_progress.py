"""What a person sees while a run goes on, where stderr is not a terminal."""

from __future__ import annotations

import pytest

from ganeval.training.progress import TrainingProgress


def test_a_line_does_not_wait_for_the_first_losses(capsys: pytest.CaptureFixture[str]) -> None:
    with TrainingProgress(2, 10, images_per_step=4, interval=0.0) as progress:
        progress.update(3)
        progress.update(4, {"d_loss": 1.5, "g_loss": -0.25, "real_logit": 9.0})
        progress.update(5)
    first, second, third = capsys.readouterr().err.splitlines()
    assert first.startswith("step 3/10 ")
    assert "d_loss" not in first
    assert second.startswith("step 4/10  d_loss 1.500  g_loss -0.250  ")
    assert third.startswith("step 5/10  d_loss 1.500  g_loss -0.250  ")
    assert all(line.endswith(" s left") and "real_logit" not in line for line in (first, second, third))


def test_between_two_lines_lies_the_interval_but_the_last_step_is_always_said(capsys: pytest.CaptureFixture[str]) -> None:
    with TrainingProgress(0, 3, images_per_step=4, interval=1000.0) as progress:
        for step in (1, 2, 3):
            progress.update(step)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("step 3/3 ")
    assert line.endswith(" 0 s left")
