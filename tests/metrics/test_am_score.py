"""AM Score: the four reference cases, closed forms, the direction of the divergence and its cap."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ganeval.errors import MetricError
from ganeval.features import FeatureBank
from ganeval.metrics.am_score import AMScore, am_score
from ganeval.metrics.inception_score import inception_score

CLASSES = 10
SURE, REST = 0.991, 0.001
ENTROPY = -SURE * np.log(SURE) - 9 * REST * np.log(REST)


def predictions(classes: list[int]) -> np.ndarray:
    """Log-probabilities of confident predictions, one row per entry of ``classes``."""
    return np.log(np.full((len(classes), CLASSES), REST) + (SURE - REST) * np.eye(CLASSES)[classes])


REFERENCE = predictions(list(range(10)) * 3)


def bank(logits: np.ndarray) -> FeatureBank:
    return FeatureBank(np.zeros((len(logits), 1), dtype=np.float32), logits.astype(np.float32))


@pytest.mark.parametrize(
    ("case", "fake", "am", "score"),
    [
        ("perfect", predictions(list(range(10)) * 2), 0.071, 9.31),
        ("one class", predictions([3] * 20), 3.986, 1.00),
        ("five of ten classes", predictions([0, 1, 2, 3, 4] * 4), 2.030, 4.81),
        ("unsure", np.full((20, CLASSES), -np.log(10)), 2.303, 1.00),
    ],
)
def test_the_reference_cases_tell_collapse_from_uncertainty(case: str, fake: np.ndarray, am: float, score: float) -> None:
    terms = am_score(fake, REFERENCE)
    assert terms.entropy + terms.divergence == pytest.approx(am, abs=6e-4), case
    assert inception_score(fake, splits=1).mean == pytest.approx(score, abs=6e-3), case


def test_both_terms_have_closed_forms() -> None:
    perfect = am_score(predictions(list(range(10)) * 2), REFERENCE)
    assert perfect.entropy == pytest.approx(ENTROPY, rel=1e-12)
    assert perfect.divergence == pytest.approx(0, abs=1e-15)
    one_class = am_score(predictions([3] * 20), REFERENCE)
    assert one_class.entropy == pytest.approx(ENTROPY, rel=1e-12)
    assert one_class.divergence == pytest.approx(np.log(0.1) - 0.1 * np.log(SURE) - 0.9 * np.log(REST), rel=1e-12)
    unsure = am_score(np.full((20, CLASSES), -np.log(10)), REFERENCE)
    assert (unsure.entropy, unsure.divergence) == (pytest.approx(np.log(10), rel=1e-12), pytest.approx(0, abs=1e-15))


def test_the_divergence_runs_from_the_reference_to_the_samples() -> None:
    reference, fake = np.log([[0.5, 0.5]]), np.log([[0.9, 0.1]])
    assert am_score(fake, reference).divergence == pytest.approx(0.5 * np.log(0.5 / 0.9) + 0.5 * np.log(0.5 / 0.1), rel=1e-12)
    assert am_score(reference, fake).divergence == pytest.approx(0.9 * np.log(0.9 / 0.5) + 0.1 * np.log(0.1 / 0.5), rel=1e-12)


def test_a_missing_class_costs_what_the_floor_says() -> None:
    reference = bank(np.array([[1e4, 0], [1e4, 0], [1e4, 0], [0, 1e4]]))  # shares 3/4 and 1/4
    fake = bank(np.array([[1e4, 0]] * 5))
    values = AMScore().compute(fake, reference)
    assert values["am_entropy"] == pytest.approx(0, abs=1e-12)
    assert values["am_kl"] == pytest.approx(0.75 * np.log(0.75) + 0.25 * np.log(0.25 / 1e-18), rel=1e-12)
    capped = AMScore(floor=1e-6).compute(fake, reference)
    assert capped["am_kl"] == pytest.approx(0.75 * np.log(0.75) + 0.25 * np.log(0.25 / 1e-6), rel=1e-12)
    # A class only the samples show costs nothing but its share.
    assert AMScore().compute(reference, fake)["am_kl"] == pytest.approx(-np.log(0.75), rel=1e-12)


def test_the_metric_gives_the_sum_and_its_terms() -> None:
    rng = np.random.default_rng(0)
    fake, reference = bank(3 * rng.standard_normal((40, 6))), bank(3 * rng.standard_normal((70, 6)) + np.arange(6))
    values = AMScore().compute(fake, reference)
    terms = am_score(fake.log_probabilities, reference.log_probabilities)
    assert values == {"am": terms.entropy + terms.divergence, "am_entropy": terms.entropy, "am_kl": terms.divergence}
    assert min(values.values()) > 0.1


def test_mistakes_are_told() -> None:
    ten, six = bank(np.zeros((4, 10))), bank(np.zeros((4, 6)))
    with pytest.raises(MetricError, match="over 10 and over 6 classes"):
        AMScore().compute(ten, six)
    with pytest.raises(MetricError, match="none was given"):
        AMScore().compute(ten, None)
    with pytest.raises(MetricError, match="no class logits"):
        AMScore().compute(ten, FeatureBank(np.zeros((4, 2), dtype=np.float32)))
    with pytest.raises(MetricError, match="at least 1 sample"):
        am_score(np.zeros((0, 3)), np.zeros((2, 3)))


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 20), m=st.integers(1, 20), scale=st.floats(0, 1e4))
def test_never_negative_and_blind_to_order(seed: int, n: int, m: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    fake, reference = (bank(scale * rng.standard_normal((count, 7))).log_probabilities for count in (n, m))
    terms = am_score(fake, reference)
    assert min(terms) >= 0
    assert am_score(rng.permutation(fake), rng.permutation(reference)) == pytest.approx(terms, rel=1e-9, abs=1e-9)
    assert am_score(reference, reference).divergence == 0


def test_sure_predictions_have_the_entropy_0_and_not_minus_0() -> None:
    sure = FeatureBank(np.zeros((4, 1), dtype=np.float32), logits=np.eye(4, dtype=np.float32) * 1e4)
    assert f"{am_score(sure.log_probabilities, sure.log_probabilities).entropy:g}" == "0"
