"""Statistics files: those of others are read, ours are read by others, and nothing else is."""

from __future__ import annotations

import dataclasses
import json
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from scipy import linalg

from ganeval import features
from ganeval.errors import UserError
from ganeval.extractors.registry import find_extractor
from ganeval.features import Moments, moments_of
from ganeval.metrics.frechet import frechet_distance
from ganeval.protocols import PROTOCOLS
from ganeval.reference import reference_of
from ganeval.scoring import score
from ganeval.statistics import read_statistics, write_statistics

RECORD = {
    "dataset": "d", "dataset_sha256": "1" * 64, "split": "train", "resolution": 8, "protocol": "p", "protocol_sha256": "2" * 64,
    "extractor": "e", "extractor_fingerprint": "f",
}  # fmt: skip


def moments(seed: int = 0, count: int = 50, dimensions: int = 6) -> Moments:
    mixing = np.random.default_rng(7).standard_normal((dimensions, dimensions))
    return moments_of(np.random.default_rng(seed).standard_normal((count, dimensions)) @ mixing + seed)


def same(a: Moments, b: Moments) -> bool:
    return np.array_equal(a.mean, b.mean) and np.array_equal(a.cov, b.cov) and a.count == b.count


def test_ours_come_back_bit_for_bit_and_the_file_is_always_the_same(tmp_path: Path) -> None:
    written = moments()
    for name in ("a.npz", "b.npz"):
        write_statistics(tmp_path / name, written, RECORD)
    found = read_statistics(tmp_path / "a.npz")
    assert same(found.moments, written)
    assert {name: found.record[name] for name in RECORD} == RECORD
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert found.sha256 == read_statistics(tmp_path / "b.npz").sha256


def test_others_read_ours_as_their_own(tmp_path: Path) -> None:
    """What pytorch-fid's and clean-fid's readers do, word for word what their files allow: no pickle, two arrays."""
    a, b = moments(0), moments(1)
    write_statistics(tmp_path / "ours.npz", a, RECORD)
    with np.load(tmp_path / "ours.npz") as f:
        mu, sigma = f["mu"][:], f["sigma"][:]
    assert mu.dtype == sigma.dtype == np.float64
    assert np.array_equal(mu, a.mean)
    root = linalg.sqrtm(sigma @ b.cov)
    expected = (mu - b.mean) @ (mu - b.mean) + np.trace(sigma + b.cov - 2 * root.real)
    assert frechet_distance(read_statistics(tmp_path / "ours.npz").moments, b) == pytest.approx(expected, rel=1e-9)


def test_clean_fid_measures_ours_as_we_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own loader finds our file among its statistics; its distance needs a SciPy that still has sqrtm(disp=)."""
    from cleanfid import features, fid

    a, b = moments(0), moments(1)
    write_statistics(tmp_path / "ours.npz", a, RECORD)
    monkeypatch.setattr(features, "check_download_url", lambda local_folder, url: str(tmp_path / "ours.npz"))
    mu, sigma = features.get_reference_statistics("ours", "na", split="custom")
    assert np.array_equal(mu, a.mean)
    assert np.array_equal(sigma, a.cov)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            linalg.sqrtm(np.eye(2), disp=False)
        except TypeError:
            pytest.skip("this SciPy has no sqrtm(disp=), which clean-fid's frechet_distance calls")
        theirs = fid.frechet_distance(mu, sigma, b.mean, b.cov)
    assert frechet_distance(read_statistics(tmp_path / "ours.npz").moments, b) == pytest.approx(float(theirs), rel=1e-9)


@pytest.mark.parametrize("kind", [np.float32, np.float64, ">f8"])
@pytest.mark.parametrize("more", [{}, {"mu_s": np.zeros(3), "sigma_s": np.eye(3)}, {"arr_0": np.zeros((2, 8, 8, 3), np.uint8)}])
def test_the_files_of_others(kind: object, more: dict[str, np.ndarray], tmp_path: Path) -> None:
    """pytorch-fid and clean-fid write mu and sigma, ADM also spatial moments and, in its reference batches, images."""
    a = moments()
    np.savez_compressed(tmp_path / "theirs.npz", mu=a.mean.astype(kind), sigma=a.cov.astype(kind), **more)
    found = read_statistics(tmp_path / "theirs.npz")
    assert (found.record, found.moments.count, found.name) == (None, None, "theirs")
    assert found.moments.cov.dtype == np.float64
    np.testing.assert_allclose(found.moments.mean, a.mean, rtol=1e-6)
    np.testing.assert_allclose(found.moments.cov, a.cov, rtol=1e-6)


def test_a_covariance_of_the_largest_numbers_does_not_overflow(tmp_path: Path) -> None:
    np.savez(tmp_path / "large.npz", mu=np.zeros(2), sigma=np.diag([1.5e308, 1.0]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_statistics(tmp_path / "large.npz").moments.cov[0, 0] == 1.5e308


def test_a_singular_covariance_in_float32_is_one(tmp_path: Path) -> None:
    thin = moments_of(np.random.default_rng(0).standard_normal((40, 300)) * 5)
    np.savez(tmp_path / "thin.npz", mu=thin.mean.astype(np.float32), sigma=thin.cov.astype(np.float32))
    found = read_statistics(tmp_path / "thin.npz").moments
    assert np.array_equal(found.cov, found.cov.T)
    assert frechet_distance(found, thin) == pytest.approx(0, abs=1e-3 * np.trace(thin.cov))


def broken(**arrays: np.ndarray) -> dict[str, np.ndarray]:
    return {"mu": np.arange(3.0), "sigma": np.diag([1.0, 2.0, 3.0]), **arrays}


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        (broken(mu=np.array([0, np.nan, 0])), "mu has numbers that are not finite"),
        (broken(sigma=np.diag([1, np.inf, 1])), "sigma has numbers that are not finite"),
        (broken(sigma=np.array([[1, 0.5, 0], [0, 1, 0], [0, 0, 1.0]])), "sigma is not symmetric, so it is no covariance"),
        (broken(sigma=np.diag([1, 1, -0.1])), "sigma has the eigenvalue -0.1, so it is no covariance"),
        (broken(sigma=-np.eye(3)), "sigma has the eigenvalue -1, so it is no covariance"),
        (broken(sigma=np.eye(4)), r"mu has the shape \(3,\) and sigma \(4, 4\) instead of \(D,\) and \(D, D\)"),
        (broken(mu=np.zeros((1, 3))), r"mu has the shape \(1, 3\)"),
        (broken(mu=np.zeros(0), sigma=np.zeros((0, 0))), r"mu has the shape \(0,\)"),
        (broken(mu=np.arange(3)), "mu holds int64 instead of float32 or float64"),
        (broken(sigma=np.array([None] * 9).reshape(3, 3)), "'sigma' holds Python objects, which are never opened"),
        ({"mu": np.zeros(3)}, "has no sigma, but mu: statistics are mu and sigma"),
        ({"feats": np.zeros((4, 3))}, "has no mu, but feats"),
        (broken(ganeval=np.array("{}")), "is not what 'ganeval ref' wrote"),
        (broken(ganeval=np.zeros(3)), "is not what 'ganeval ref' wrote"),
    ],
)
def test_what_is_no_covariance_is_refused(arrays: dict[str, np.ndarray], said: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(UserError, match=said) as error:
        read_statistics(tmp_path / "bad.npz")
    assert str(tmp_path / "bad.npz") in str(error.value)


def test_one_changed_number_in_ours_is_found(tmp_path: Path) -> None:
    written = moments()
    write_statistics(tmp_path / "ours.npz", written, RECORD)
    with np.load(tmp_path / "ours.npz") as file:
        arrays = {name: file[name] for name in file.files}
    arrays["sigma"] = arrays["sigma"] * (1 + 1e-12)
    np.savez(tmp_path / "altered.npz", **arrays)
    with pytest.raises(UserError, match="its numbers do not match their own SHA-256"):
        read_statistics(tmp_path / "altered.npz")


def test_a_reference_is_that_of_the_score_and_costs_nothing_the_second_time(
    tmp_path: Path, few_digits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GANEVAL_HOME", str(tmp_path / "home"))
    first = score(few_digits, dataset="digits", metrics=["fid"])
    made = reference_of("digits")
    made.write(tmp_path / "digits.npz")
    expected = {"dataset": "digits", "split": "train", "resolution": 16, "protocol": "small-v2", "extractor": "digits-cnn"}
    assert {name: made.record[name] for name in expected} == expected
    assert (made.moments.count, made.record["dataset_sha256"]) == (1297, first.reference_sha256)

    moments_of = features.moments_of

    def not_again(samples: np.ndarray) -> Moments:
        assert len(samples) != 1297, "the reference was computed again"
        return moments_of(samples)

    asked: list[str] = []
    monkeypatch.setattr(features, "moments_of", not_again)
    again = score(few_digits, dataset="digits", metrics=["fid"], talk=lambda what, done, total: asked.append(what))
    assert (again.scores, again.counts) == (first.scores, first.counts)
    assert not [what for what in asked if "images" in what]
    file = score(few_digits, metrics=["fid"], reference=tmp_path / "digits.npz")
    assert file["fid"].value == first["fid"].value
    assert file.reference_sha256 == read_statistics(tmp_path / "digits.npz").sha256
    assert file.dataset == "digits"
    assert "the reference is statistics in digits.npz (digits, train, 1,297 images)" in file.deviations
    assert file.counts == {"fake": first.counts["fake"], "reference": 1297, "floor": 0}


@pytest.fixture
def few_digits(tmp_path: Path) -> Path:
    from ganeval.data.registry import find_dataset

    test = find_dataset("digits").load("test")
    np.savez(tmp_path / "few.npz", images=test.images[:100].numpy(), labels=test.labels[:100].numpy())
    return tmp_path / "few.npz"


def test_against_a_file_what_needs_no_reference_and_no_images_is_left(few_digits: Path, tmp_path: Path) -> None:
    reference_of("digits").write(tmp_path / "digits.npz")
    unlabelled = score(few_digits, reference=tmp_path / "digits.npz")
    assert [each.key for each in unlabelled.scores] == ["fid", "is"]
    labelled = score(few_digits, reference=tmp_path / "digits.npz", dataset="digits")
    assert [each.key for each in labelled.scores] == ["fid", "is", "top1", "top5"]
    with pytest.raises(UserError, match="kid: only a mean and a covariance are known of the reference"):
        score(few_digits, reference=tmp_path / "digits.npz", metrics=["fid", "kid"])


def test_two_files_are_compared_as_pytorch_fid_does(tmp_path: Path) -> None:
    a, b = moments(0, dimensions=64, count=400), moments(1, dimensions=64, count=400)
    for name, each in (("a.npz", a), ("b.npz", b)):
        np.savez(tmp_path / name, mu=each.mean, sigma=each.cov)
    card = score(tmp_path / "a.npz", reference=tmp_path / "b.npz", extractor="digits-cnn")
    (fid,) = card.scores
    assert fid.value == pytest.approx(frechet_distance(a, b), rel=1e-12)
    assert (card.dataset, card.resolution, card.counts) == ("b", None, {"floor": 0})
    text = json.dumps(card.to_json())
    assert json.dumps(type(card).from_json(json.loads(text)).to_json()) == text
    assert "the extractor of the statistics is taken on trust" in card.deviations
    with pytest.raises(UserError, match="nothing says which extractor the statistics are of"):
        score(tmp_path / "a.npz", reference=tmp_path / "b.npz")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"protocol": "other-v1", "protocol_sha256": "0" * 64}, "is a reference of protocol other-v1, not of small-v2"),
        ({"extractor": "inception", "extractor_fingerprint": "0"}, "is of the extractor inception, not of digits-cnn"),
        ({"resolution": 32}, "is of images of 32 px, not of 16 px"),
    ],
)
def test_the_reference_of_another_protocol_extractor_or_size(
    change: dict[str, object], said: str, few_digits: Path, tmp_path: Path, ganeval: Callable[..., Result]
) -> None:
    made = reference_of("digits")
    write_statistics(tmp_path / "other.npz", made.moments, {**made.record, **change})
    words = ("score", few_digits, "--dataset", "digits", "--extractor", "digits-cnn", "--reference", tmp_path / "other.npz")
    done = ganeval(*words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"ganeval: {tmp_path / 'other.npz'} {said}")
    assert done.stderr.count("\n") == 1


def test_statistics_of_other_dimensions(few_digits: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", mu=np.zeros(3), sigma=np.eye(3))
    with pytest.raises(UserError, match="has 3 dimensions, the features of digits-cnn have 64"):
        score(few_digits, dataset="digits", reference=tmp_path / "other.npz")
    with pytest.raises(UserError, match="has 3 dimensions, the features of digits-cnn have 64"):
        score(tmp_path / "other.npz", dataset="digits")


def test_ganeval_ref_writes_the_file_and_says_what_it_is(ganeval: Callable[..., Result], tmp_path: Path) -> None:
    done = ganeval("ref", "digits", "--out", tmp_path / "digits.npz")
    summary, path = done.stdout.splitlines()
    assert (done.exit_code, done.stderr, path) == (0, "", str(tmp_path / "digits.npz"))
    sha256 = PROTOCOLS.get("small-v2").sha256()[:8]
    assert summary.startswith(f"digits train: 1,297 images of 16 px, 64 features of digits-cnn, protocol small-v2 {sha256}; ")
    found = read_statistics(tmp_path / "digits.npz")
    assert found.record["extractor_fingerprint"] == find_extractor("digits-cnn").fingerprint
    bad = ganeval("ref", "digits", "--out", tmp_path / "digits.csv")
    assert (bad.exit_code, bad.stdout) == (2, "")
    assert "give the file a name that ends in .npz" in bad.stderr


def test_statistics_of_images_that_keep_their_size_go_with_any_other(tmp_path: Path) -> None:
    record = {**reference_of("digits").record, "resolution": 48}
    own = dataclasses.replace(PROTOCOLS.get("small-v2"), reference_size="own")
    write_statistics(tmp_path / "own.npz", moments(0, dimensions=64), {**record, "protocol_sha256": own.sha256()})
    statistics = read_statistics(tmp_path / "own.npz")
    statistics.require(find_extractor("digits-cnn"), own, 16)
    with pytest.raises(UserError, match="is a reference of protocol"):
        statistics.require(find_extractor("digits-cnn"), PROTOCOLS.get("small-v2"), 16)
