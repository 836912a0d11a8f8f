"""The jackknife: closed forms for means, the true spread for others, absence where it cannot be had."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from ganeval.errors import MetricError
from ganeval.features import FeatureBank
from ganeval.metrics.accuracy import Accuracy
from ganeval.metrics.base import Metric, Need, Value
from ganeval.metrics.frechet import Frechet
from ganeval.metrics.frechet_infinity import FrechetInfinity
from ganeval.metrics.inception_score import InceptionScore, inception_score
from ganeval.metrics.inception_score_infinity import InceptionScoreInfinity
from ganeval.metrics.intra_frechet import IntraFrechet
from ganeval.metrics.kernel import Kernel, Subsets
from ganeval.metrics.memorisation import Memorisation
from ganeval.metrics.prd_curve import PRDCurve
from ganeval.metrics.prdc import PrecisionRecallDensityCoverage
from ganeval.scorecard import Interval
from ganeval.uncertainty import SEED, groups_of, jackknife, measure, of_trainings


@dataclass(frozen=True)
class Mean(Metric):
    """The mean of the feature, and under ``scarce`` its square where some sample lies above ``floor``."""

    floor: float = -np.inf

    name: ClassVar[str] = "mean"
    values: ClassVar[tuple[Value, ...]] = (Value("mean", "M", "M", "higher", "1"), Value("scarce", "S", "S", "higher", "1"))
    needs: ClassVar[frozenset[Need]] = frozenset()

    def compute(self, fake: FeatureBank, reference: FeatureBank | None) -> Mapping[str, float]:
        mean = float(fake.features.mean(dtype=np.float64))
        return {"mean": mean} | ({"scarce": mean**2} if fake.features.max() > self.floor else {})


def numbers(seed: int, count: int) -> FeatureBank:
    return FeatureBank(np.random.default_rng(seed).standard_normal((count, 1)).astype(np.float32))


def guesses(seed: int, count: int, accuracy: float) -> FeatureBank:
    """Two-class predictions for label 0, right with probability ``accuracy``."""
    right = np.random.default_rng(seed).random(count) < accuracy
    logits = np.where(right[:, None], [1, 0], [0, 1]).astype(np.float32)
    return FeatureBank(np.zeros((count, 1), dtype=np.float32), logits, np.zeros(count, dtype=np.int64))


def test_of_a_mean_with_single_samples_as_groups_is_the_textbook_standard_error() -> None:
    bank = numbers(0, 37)
    expected = bank.features.astype(np.float64).std(ddof=1) / np.sqrt(37)
    assert jackknife(Mean(), bank, None, groups=37)["mean"] == pytest.approx(expected, rel=1e-10)


def test_of_a_mean_with_equal_groups_is_the_spread_of_the_group_means() -> None:
    bank = numbers(1, 60)
    group = np.random.RandomState(SEED).permutation(60) % 12
    means = np.array([bank.features[group == g].mean(dtype=np.float64) for g in range(12)])
    assert jackknife(Mean(), bank, None, groups=12)["mean"] == pytest.approx(means.std(ddof=1) / np.sqrt(12), rel=1e-10)


def test_of_unequal_groups_follows_the_formula() -> None:
    bank = numbers(2, 23)
    group = np.random.RandomState(SEED).permutation(23) % 5
    assert sorted(np.bincount(group)) == [4, 4, 5, 5, 5]
    thetas = np.array([bank.features[group != g].mean(dtype=np.float64) for g in range(5)])
    expected = np.sqrt(4 / 5 * np.square(thetas - thetas.mean()).sum())
    assert jackknife(Mean(), bank, None, groups=5)["mean"] == pytest.approx(expected, rel=1e-10)


def labelled(labels: np.ndarray, seed: int = 0) -> FeatureBank:
    """Samples at their label, more or less: the classes lie apart, and class k spreads by (k + 1) / 4."""
    noise = np.random.default_rng(seed).standard_normal((len(labels), 1)) * (labels[:, None] + 1) / 4
    return FeatureBank((labels[:, None] + noise).astype(np.float32), None, labels.astype(np.int64))


def test_where_labels_are_balanced_the_error_is_that_within_the_classes() -> None:
    """Closed form: the mean of a stratified sample varies by the mean of the classes' variances over N."""
    labels, classes = np.arange(400) % 5, np.arange(5)
    within = np.square((classes + 1) / 4).mean()
    squares = [jackknife(Mean(), labelled(labels, seed), None)["mean"] ** 2 for seed in range(60)]
    assert np.sqrt(np.mean(squares)) == pytest.approx(np.sqrt(within / 400), rel=0.15)
    assert np.std([labelled(labels, seed).features.mean() for seed in range(400)]) == pytest.approx(
        np.sqrt(within / 400), rel=0.15
    )


def test_where_labels_are_drawn_their_shares_vary_too() -> None:
    within_and_between = np.square((np.arange(5) + 1) / 4).mean() + np.arange(5).var()
    draws = [np.random.default_rng(100 + seed).integers(0, 5, 400) for seed in range(60)]
    squares = [jackknife(Mean(), labelled(labels, seed), None)["mean"] ** 2 for seed, labels in enumerate(draws)]
    assert np.sqrt(np.mean(squares)) == pytest.approx(np.sqrt(within_and_between / 400), rel=0.15)


@given(count=st.integers(2, 90), classes=st.integers(2, 12), groups=st.integers(2, 15), seed=st.integers(0, 99))
def test_balanced_classes_are_spread_evenly_over_the_groups(count: int, classes: int, groups: int, seed: int) -> None:
    labels = np.random.default_rng(seed).permutation(np.arange(count) % classes)
    group = groups_of(labelled(labels), groups)
    for members in (
        np.bincount(group[where], minlength=groups) for where in (labels >= 0, *(labels == k for k in range(classes)))
    ):
        assert members.max() - members.min() <= 1


def test_groups_of_other_labels_do_not_depend_on_them() -> None:
    plain = groups_of(numbers(0, 60), 7)
    assert np.array_equal(groups_of(labelled(np.array([0] * 40 + [1] * 20)), 7), plain)
    assert np.array_equal(groups_of(labelled(np.zeros(60, dtype=np.int64)), 7), plain)
    assert not np.array_equal(groups_of(labelled(np.arange(60) % 2), 7), plain)


def test_of_an_accuracy_is_binomial() -> None:
    bank = guesses(3, 50, 0.7)
    p = Accuracy().compute(bank, None)["top1"]
    assert jackknife(Accuracy(), bank, None, groups=50) == {"top1": pytest.approx(np.sqrt(p * (1 - p) / 49), rel=1e-10)}
    # Ten groups estimate the same within sampling: relative noise 1 / sqrt(2 * 9) each, a twentieth over 60 sets squared.
    squares = [jackknife(Accuracy(), guesses(seed, 400, 0.7), None)["top1"] ** 2 for seed in range(60)]
    assert np.sqrt(np.mean(squares)) == pytest.approx(np.sqrt(0.7 * 0.3 / 400), rel=0.15)


def test_of_the_distances_is_their_spread_over_generated_sets() -> None:
    rng = np.random.default_rng(4)
    reference = FeatureBank(rng.standard_normal((300, 3)).astype(np.float32))
    fakes = [FeatureBank((1.2 * rng.standard_normal((150, 3)) + 0.4).astype(np.float32)) for _ in range(60)]
    for metric, key in ((Frechet(), "fid"), (PrecisionRecallDensityCoverage(), "density")):
        spread = np.std([metric.compute(fake, reference)[key] for fake in fakes], ddof=1)
        errors = [jackknife(metric, fake, reference)[key] for fake in fakes[:12]]
        # Noise: 1 / sqrt(2 * 60) in the spread and 1 / sqrt(2 * 12 * 9) in the error, together 11 per cent.
        assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(spread, rel=0.3), key


def test_repeats_itself_and_leaves_the_reference_alone() -> None:
    fake, reference = numbers(5, 50), numbers(6, 70)
    assert jackknife(Frechet(), fake, reference) == jackknife(Frechet(), fake, reference)
    assert jackknife(Frechet(), fake, reference) != jackknife(Frechet(), fake, reference, groups=5)
    assert len(reference) == 70


def test_is_zero_where_nothing_varies() -> None:
    constant = FeatureBank(np.ones((30, 1), dtype=np.float32))
    assert jackknife(Mean(), constant, None) == {"mean": 0.0, "scarce": 0.0}


def test_is_absent_where_it_cannot_be_had() -> None:
    fake, reference = numbers(7, 40), numbers(8, 40)
    prdc = PrecisionRecallDensityCoverage(k=38)
    assert "recall" in prdc.compute(fake, reference)
    with pytest.raises(MetricError):
        prdc.compute(fake.take(np.arange(36)), reference)
    assert jackknife(prdc, fake, reference) == {}
    measured = measure(prdc, fake, reference)
    assert (measured["recall"].std_error, measured["recall"].interval) == (None, None)
    assert measured["precision"].interval.method == "wilson"
    assert jackknife(Mean(), numbers(9, 9), None, groups=10) == {}
    assert measure(Mean(), numbers(9, 9), None, groups=10)["mean"].interval is None
    assert set(jackknife(Mean(), fake, None)) == {"mean", "scarce"}


@pytest.mark.parametrize("lacking", [0, 3])
def test_a_key_that_one_group_carries_alone_is_absent(lacking: int) -> None:
    group = np.random.RandomState(SEED).permutation(40) % 10
    bank = FeatureBank((group == lacking).astype(np.float32)[:, None])
    assert set(Mean(floor=0.5).compute(bank, None)) == {"mean", "scarce"}
    assert set(jackknife(Mean(floor=0.5), bank, None)) == {"mean"}


def test_one_group_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="at least 2 groups, got 1"):
        jackknife(Mean(), numbers(0, 5), None, groups=1)


def test_subsets_just_smaller_than_the_set_have_an_error_too() -> None:
    fake, reference = numbers(7, 40), numbers(8, 60)
    for size in (40, 38):
        measured = measure(Kernel(subsets=3, subset_size=size), fake, reference)["kid"]
        assert measured.std_error > 0
        assert measured.interval.low < measured.value < measured.interval.high
    # Two samples in each subset: a group's absence may leave one, which has no pairs.
    assert measure(Kernel(subsets=20, subset_size=2), fake, reference)["kid"].interval is None


def test_the_interval_is_students() -> None:
    bank = numbers(10, 37)
    measured = measure(Mean(), bank, None, groups=37)["mean"]
    known = scipy.stats.t.interval(0.95, 36, loc=measured.value, scale=scipy.stats.sem(bank.features[:, 0].astype(np.float64)))
    assert (measured.interval.low, measured.interval.high) == pytest.approx(known, rel=1e-10)
    assert (measured.interval.level, measured.interval.method) == (0.95, "jackknife")
    assert measured.std_error == jackknife(Mean(), bank, None, groups=37)["mean"]


@pytest.mark.parametrize(("right", "low", "high"), [(50, 0.928652, 1.0), (0, 0.0, 0.071348), (35, 0.562496, 0.808964)])
def test_the_interval_of_an_accuracy_is_wilsons(right: int, low: float, high: float) -> None:
    logits = np.where(np.arange(50)[:, None] < right, [1, 0], [0, 1]).astype(np.float32)
    bank = FeatureBank(np.zeros((50, 1), dtype=np.float32), logits, np.zeros(50, dtype=np.int64))
    measured = measure(Accuracy(), bank, None)["top1"]
    # The centre (p + z^2 / 2N) / (1 + z^2 / N), worked out by hand; at 0 and 1 a jackknife would say there is no error.
    assert (measured.interval.low, measured.interval.high) == pytest.approx((low, high), abs=1e-6)
    assert measured.interval.method == "wilson"
    assert measured.std_error == pytest.approx(np.sqrt(right / 50 * (1 - right / 50) / 50), rel=1e-12)


def test_an_interval_ends_where_the_value_does() -> None:
    rng = np.random.default_rng(11)
    fake, reference = (FeatureBank(rng.standard_normal((count, 2)).astype(np.float32)) for count in (60, 4000))
    measured = measure(Frechet(), fake, reference)["fid"]
    assert measured.value - 2.262 * measured.std_error < 0
    assert measured.interval.low == 0.0
    assert measured.interval.high == pytest.approx(measured.value + 2.262157 * measured.std_error, rel=1e-6)


def test_the_error_of_own_draws_is_added_in_quadrature() -> None:
    fake, reference = numbers(12, 400), numbers(13, 400)
    group = np.random.RandomState(SEED).permutation(400) % 10
    own = FrechetInfinity().replicate(fake, reference, group).own_errors["fid_inf"]
    measured = measure(FrechetInfinity(), fake, reference)["fid_inf"]
    assert own > 0
    assert measured.std_error == pytest.approx(np.hypot(own, jackknife(Frechet(), fake, reference)["fid"]), rel=1e-9)
    assert measured.interval.method == "jackknife and own draws"


def test_what_is_not_finite_is_a_failure() -> None:
    @dataclass(frozen=True)
    class Infinite(Mean):
        def compute(self, fake: FeatureBank, reference: FeatureBank | None) -> Mapping[str, float]:
            return {"mean": np.inf if len(fake) == 40 else 1.0}

    with pytest.raises(MetricError, match="mean or its standard error came out as inf"):
        measure(Infinite(), numbers(14, 40), None)


def predictions(seed: int, count: int, shift: float, scale: float) -> FeatureBank:
    """Four classes in the plane, each a Gaussian; the logits are those of the best classifier of the unshifted ones."""
    rng = np.random.default_rng(seed)
    centres = np.array([[0, 0], [1, -0.5], [2, -1], [3, -1.5]])
    labels = np.arange(count) % 4
    x = scale * rng.standard_normal((count, 2)) + shift + centres[labels]
    logits = -np.square(x[:, None] - centres).sum(axis=2) / 2
    return FeatureBank(x.astype(np.float32), logits.astype(np.float32), labels)


def covered(metric: Metric, repetitions: int) -> dict[str, float]:
    """For each key, the fraction of intervals that cover the mean of the values."""
    reference = predictions(10**6, 400, 0.0, 1.0)
    found: dict[str, list[tuple[float, Interval]]] = {}
    for seed in range(repetitions):
        for key, measured in measure(metric, predictions(seed, 240, 0.3, 1.15), reference).items():
            found.setdefault(key, []).append((measured.value, measured.interval))
    means = {key: np.mean([value for value, _ in each]) for key, each in found.items()}
    return {key: float(np.mean([i.low <= means[key] <= i.high for _, i in each])) for key, each in found.items()}


METRICS = (
    Accuracy(), Frechet(), FrechetInfinity(points=7), InceptionScore(), InceptionScoreInfinity(), IntraFrechet(),
    Kernel(subsets=8, subset_size=60), Memorisation(quantile=0.05),
)  # fmt: skip


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_the_interval_covers_the_mean_of_the_estimator(metric: Metric) -> None:
    """In about 95 of 100 repetitions, not in all: of 150 repetitions, with a noise of 1.8 per cent."""
    for key, fraction in covered(metric, 150).items():
        assert 0.90 <= fraction <= 0.995, key


def checked_against(mean: float, metric: Metric, fakes: Iterator[FeatureBank], reference: FeatureBank | None) -> None:
    """200 intervals cover the known ``mean`` in 90 to 98.5 of 100 cases, and the standard error is the values' spread."""
    (key,) = (value.key for value in metric.values)
    found = [measure(metric, fake, reference)[key] for fake in islice(fakes, 200)]
    values, errors = [each.value for each in found], [each.std_error for each in found]
    # 200 values tell their spread to 5 per cent; jackknives lie a little above it.
    assert 0.85 <= np.sqrt(np.mean(np.square(errors))) / np.std(values, ddof=1) <= 1.2
    assert 0.90 <= np.mean([each.interval.low <= mean <= each.interval.high for each in found]) <= 0.985


@pytest.mark.parametrize(("splits", "shuffle"), [(1, True), (3, True), (10, True), (25, True), (3, False), (10, False)])
def test_the_interval_of_the_inception_score_covers_its_mean(splits: int, shuffle: bool) -> None:
    """Sure predictions of classes drawn with known shares: a split's score is exp H of multinomial counts, whatever the code."""
    shares, count = np.array([0.4, 0.3, 0.15, 0.1, 0.05]), 500
    counts = np.random.default_rng(1).multinomial(count // splits, shares, size=50_000) / (count // splits)
    mean = np.exp(-(counts * np.log(np.where(counts > 0, counts, 1))).sum(axis=1)).mean()

    def fakes() -> Iterator[FeatureBank]:
        for seed in itertools.count():
            seen = np.random.default_rng(seed).choice(5, count, p=shares)
            yield FeatureBank(np.zeros((count, 1), np.float32), np.where(np.eye(5)[seen] > 0, 0, -1e4).astype(np.float32))

    checked_against(mean, InceptionScore(splits=splits, shuffle=shuffle), fakes(), None)


def test_splits_cut_anew_would_have_passed_for_a_spread_of_the_samples() -> None:
    """Why samples stay in their splits: scattered splits of few samples differ from each other more than the samples do."""
    bank = predictions(0, 240, 0.3, 1.15)
    group = np.random.RandomState(SEED).permutation(240) % 10
    metric = InceptionScore(splits=10)
    anew = np.std([each["is"] for each in Metric.without_groups(metric, bank, None, group)])
    kept = np.std([each["is"] for each in InceptionScore(shuffle=False).replicate(bank, None, group).without])
    assert anew > 1.2 * kept
    scores = [each["is"] for each in metric.replicate(bank, None, group).without]
    of_splits = inception_score(bank.log_probabilities, 10)
    assert measure(metric, bank, None)["is"].std_error == pytest.approx(of_splits.std / 3, rel=1e-9)
    assert np.mean(scores) == pytest.approx(of_splits.mean, rel=1e-12)


def test_where_a_split_would_be_left_with_nobody_there_is_no_error() -> None:
    bank = predictions(0, 12, 0.3, 1.15)
    assert measure(InceptionScore(splits=9), bank, None, groups=10)["is"].std_error is None
    assert measure(InceptionScore(splits=1), bank, None, groups=10)["is"].std_error > 0


def test_the_interval_of_the_kernel_distance_covers_its_mean() -> None:
    """Of Gaussian numbers beside fixed real ones, whose cubic kernels have moments for a mean."""
    mu, drawn, count = 0.2, Subsets(10, 100), 500
    real = FeatureBank(np.random.default_rng(99).standard_normal((count, 1)).astype(np.float32))
    raw = [1, mu, mu**2 + 1, mu**3 + 3 * mu]
    y = real.features[:, 0].astype(np.float64)
    across = sum(weight * moment * y**n for n, (weight, moment) in enumerate(zip([1, 3, 3, 1], raw, strict=True)))
    means = []
    for _, j in drawn.draw(count, count):
        kernels = (np.outer(y[j], y[j]) + 1) ** 3
        within = (kernels.sum() - np.trace(kernels)) / (100 * 99)
        means.append(1 + 3 * raw[1] ** 2 + 3 * raw[2] ** 2 + raw[3] ** 2 + within - 2 * across[j].mean())
    normal = (np.random.default_rng(seed).standard_normal((count, 1)) for seed in itertools.count())
    fakes = (FeatureBank((mu + x).astype(np.float32)) for x in normal)
    checked_against(float(np.mean(means)), Kernel(subsets=10, subset_size=100), fakes, real)


@pytest.mark.slow
@pytest.mark.parametrize(
    "metric", [PrecisionRecallDensityCoverage(), PRDCurve(clusters=8, runs=4)], ids=lambda metric: metric.name
)
def test_the_interval_of_neighbours_and_clusters_covers_it(metric: Metric) -> None:
    """These jackknives overestimate: few samples leave gaps in a manifold, and the spread of clusterings is counted whole."""
    for key, fraction in covered(metric, 150).items():
        assert fraction >= 0.88, key


def test_of_trainings_on_fixed_images_is_students() -> None:
    accuracies = [0.822, 0.792, 0.850]
    measured = of_trainings(accuracies)
    known = scipy.stats.t.interval(0.95, 2, loc=np.mean(accuracies), scale=scipy.stats.sem(accuracies))
    assert (measured.interval.low, measured.interval.high) == pytest.approx(known, rel=1e-12)
    assert measured.std_error == pytest.approx(scipy.stats.sem(accuracies), rel=1e-12)
    assert measured.interval.method == "trainings"
    assert (of_trainings([0.9]).std_error, of_trainings([0.9], 500).interval) == (None, None)
    assert (of_trainings([0.1, 0.9]).interval.low, of_trainings([0.1, 0.9]).interval.high) == (0.0, 1.0)


def test_of_trainings_that_agree_the_images_remain() -> None:
    perfect = of_trainings([1.0, 1.0, 1.0], 1297)
    assert perfect.interval.low == pytest.approx(1 / (1 + 1.959964**2 / 1297), rel=1e-9)  # Wilson's for all of 1,297
    assert (perfect.interval.high, perfect.std_error) == (1.0, 0.0)
    equal = of_trainings([0.7, 0.7], 50)
    assert (equal.interval.low, equal.interval.high) == pytest.approx((0.562496, 0.808964), abs=1e-6)
    assert equal.std_error == pytest.approx(np.sqrt(0.7 * 0.3 / 50), rel=1e-12)


@pytest.mark.parametrize(("trainings", "sampled"), [(2, False), (5, False), (2, True), (3, True), (10, True)])
def test_the_interval_of_trainings_covers_the_expected_accuracy(trainings: int, sampled: bool) -> None:
    """Images differ in how hard they are and trainings in how good; the images stay, or are drawn with the trainings."""
    rng = np.random.default_rng(trainings)
    fixed = rng.standard_normal(300)
    noise = np.sqrt(1 + 0.3**2)  # of an answer: the chance of being right is Phi of what is left
    spread = np.sqrt(noise**2 + 1) if sampled else noise
    mean = np.mean(scipy.stats.norm.cdf((1.2 + (0 if sampled else fixed)) / spread))
    covered = []
    for _ in range(1000):
        images = rng.standard_normal(300) if sampled else fixed
        skill = 1.2 + 0.3 * rng.standard_normal((trainings, 1))
        right = skill + images + rng.standard_normal((trainings, 300)) > 0
        interval = of_trainings(right.mean(axis=1).tolist(), 300 if sampled else None).interval
        covered.append(interval.low <= mean <= interval.high)
    assert 0.93 <= np.mean(covered) <= (0.99 if sampled else 0.97)
