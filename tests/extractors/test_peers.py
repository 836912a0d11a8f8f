"""The same two folders of images through torch-fidelity, through clean-fid and through a score under their protocols.

Every tool reads the same file of random weights. Images are few, so the subsets of KID are small; nothing else differs from the
registered protocols but the precision and recall that they leave out.
"""

from __future__ import annotations

import dataclasses
import inspect
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import cleanfid.fid
import numpy as np
import pytest
import scipy.linalg
import torch
import torch.nn.functional as F
import torch_fidelity
from torch import Tensor
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from ganeval.data.base import ImageSet
from ganeval.features import Moments
from ganeval.metrics.frechet import Frechet, frechet_distance
from ganeval.metrics.inception_score import InceptionScore
from ganeval.metrics.kernel import Kernel
from ganeval.metrics.prdc import PrecisionRecallDensityCoverage
from ganeval.protocols import PROTOCOLS
from ganeval.scorecard import ScoreCard
from ganeval.scoring import score

FAKES, REALS, CLASSES = 24, 32, ("cat", "dog", "owl")
SUBSETS, SUBSET = 20, 16
K = 3
FEW = {
    "torch-fidelity": (
        Frechet(), Kernel(subsets=SUBSETS, subset_size=SUBSET), InceptionScore(),
        PrecisionRecallDensityCoverage(k=K, comparison="less_equal"),
    ),
    "clean-fid": (Frechet(), Kernel(subsets=SUBSETS, subset_size=SUBSET)),
}  # fmt: skip


@pytest.fixture(scope="module")
def folders(
    tmp_path_factory: pytest.TempPathFactory, pictures: Callable[..., Tensor], save_images: Callable[[ImageSet, Path], Path]
) -> tuple[Path, Path]:
    """Images to score and the larger reference, ``root/<class>/*.png``. Some of the first are like some of the second.

    Their names are in another order than their paths: one class takes turns with the next.
    """
    root = tmp_path_factory.mktemp("peers")
    reals, others = pictures(REALS, 48, seed=3), pictures(FAKES, 32, seed=4)
    fakes = torch.cat([(F.interpolate(reals[:12].float(), 32, mode="area") * 0.9 + 5).to(torch.uint8), others[12:]])
    return tuple(
        save_images(ImageSet(images, torch.arange(len(images)) % 3, CLASSES), root / name)
        for name, images in (("fakes", fakes), ("reals", reals))
    )  # type: ignore[return-value]


@pytest.fixture(scope="module")
def under(
    folders: tuple[Path, Path], random_inception: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., ScoreCard]]:
    """Scores the folders under a protocol with few images' metrics; features are kept, so only the first score costs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANEVAL_HOME", str(tmp_path_factory.mktemp("home")))

        def run(name: str, source: Path = folders[0]) -> ScoreCard:
            patch.setitem(PROTOCOLS._items, f"{name}-few", dataclasses.replace(PROTOCOLS.get(name), metrics=FEW[name]))
            network = f"{PROTOCOLS.get(name).extractor}:{random_inception}"
            return score(source, protocol=f"{name}-few", dataset=str(folders[1]), extractor=network)

        yield run


@pytest.fixture(scope="module")
def fidelity(folders: tuple[Path, Path], random_inception: Path) -> dict[str, float]:
    """What torch-fidelity says of the folders."""
    result: dict[str, float] = torch_fidelity.calculate_metrics(
        input1=str(folders[0]), input2=str(folders[1]), cuda=False, isc=True, fid=True, kid=True, prc=True, verbose=False,
        feature_extractor="inception-v3-compat", feature_extractor_weights_path=str(random_inception), cache=False,
        samples_find_deep=True, kid_subsets=SUBSETS, kid_subset_size=SUBSET, prc_neighborhood=K, save_cpu_ram=True, batch_size=8,
    )  # fmt: skip
    return result


def test_the_registered_protocols_differ_in_nothing_else() -> None:
    for name, few in FEW.items():
        registered = PROTOCOLS.get(name).metrics
        same = [dataclasses.replace(m, subsets=100, subset_size=1000) if isinstance(m, Kernel) else m for m in few]
        assert tuple(m for m in same if not isinstance(m, PrecisionRecallDensityCoverage)) == registered


def test_every_value_is_torch_fidelitys(under: Callable[..., ScoreCard], fidelity: dict[str, float]) -> None:
    card = under("torch-fidelity")
    assert card.failed == []
    assert card.counts == {"fake": FAKES, "reference": REALS, "floor": 0}
    assert card["fid"].value == pytest.approx(fidelity["frechet_inception_distance"], rel=1e-5)
    assert card["is"].value == pytest.approx(fidelity["inception_score_mean"], rel=1e-5)
    assert card["kid"].value == pytest.approx(fidelity["kernel_inception_distance_mean"], rel=1e-5)
    assert card["precision"].value == pytest.approx(fidelity["precision"], abs=1e-7)  # theirs is a mean in float32
    assert card["recall"].value == pytest.approx(fidelity["recall"], abs=1e-7)
    assert 0 < card["precision"].value < 1
    assert 0 < card["recall"].value < 1
    assert card["precision"].value != card["recall"].value
    assert card["fid"].column.startswith("FD-inception@")  # These weights are not the published ones.


@pytest.fixture(scope="module")
def clean_fid(folders: tuple[Path, Path], random_inception: Path) -> Callable[[], float]:
    """What clean-fid says of the folders in its mode ``clean``; torch-fidelity's layers are its network."""
    net = FeatureExtractorInceptionV3("x", ["2048"], feature_extractor_weights_path=random_inception)
    layers = [layer for name, layer in net.to(memory_format=torch.channels_last).named_children() if name != "fc"]

    @torch.no_grad()
    def features(x: Tensor) -> Tensor:
        assert x.shape[1:] == (3, 299, 299)
        x = (x - 128) / 128
        for layer in layers:
            x = layer(x)
        return x.flatten(1)

    def run() -> float:
        distance: float = cleanfid.fid.compute_fid(
            str(folders[0]), str(folders[1]), mode="clean", num_workers=0, batch_size=8, device=torch.device("cpu"),
            custom_feat_extractor=features, verbose=False, use_dataparallel=False,
        )  # fmt: skip
        return distance

    return run


def test_fid_is_clean_fids(
    under: Callable[..., ScoreCard], clean_fid: Callable[[], float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """clean-fid takes a matrix root of 2048 x 2048 with SciPy, three quarters of a minute: its moments are caught on their way
    there and compared in float64. The slow test below lets it."""

    def distance(mu1: np.ndarray, cov1: np.ndarray, mu2: np.ndarray, cov2: np.ndarray) -> float:
        return frechet_distance(Moments(mu1.astype(np.float64), cov1, FAKES), Moments(mu2.astype(np.float64), cov2, REALS))

    monkeypatch.setattr(cleanfid.fid, "frechet_distance", distance)
    card = under("clean-fid")
    assert card["fid"].value == pytest.approx(clean_fid(), rel=1e-5)
    assert card["fid"].value != pytest.approx(under("torch-fidelity")["fid"].value, rel=1e-3)


@pytest.mark.slow
def test_fid_is_clean_fids_with_its_own_root(under: Callable[..., ScoreCard], clean_fid: Callable[[], float]) -> None:
    if "disp" not in inspect.signature(scipy.linalg.sqrtm).parameters:
        pytest.skip("clean-fid cannot take a matrix root with this SciPy: sqrtm has no argument disp since 1.18")
    assert under("clean-fid")["fid"].value == pytest.approx(clean_fid(), rel=1e-5)


def test_neither_the_order_of_files_on_disk_nor_their_names_matter(
    under: Callable[..., ScoreCard], folders: tuple[Path, Path], tmp_path: Path
) -> None:
    """Files are read in the order of their names. Other names are another order: then subsets and splits, which torch-fidelity
    draws by position, hold other images, and everything that is no such draw stays."""
    files = sorted(folders[0].rglob("*.png"))
    for name, rename in (("again", str), ("renamed", lambda stem: str(99_999 - int(stem)))):
        for file in reversed(files):
            target = tmp_path / name / file.parent.name / f"{rename(file.stem)}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)
    card, again, renamed = (under("torch-fidelity", path) for path in (folders[0], tmp_path / "again", tmp_path / "renamed"))
    assert again.scores == card.scores
    for key in ("precision", "recall", "density", "coverage"):
        assert renamed[key].value == card[key].value
    assert renamed["fid"].value == pytest.approx(card["fid"].value, rel=1e-9)
    assert renamed["kid"].value != card["kid"].value
