"""The public CIFAR-10 classifiers: their accuracy on real photographs says whether network, scaling and class order are right."""

from __future__ import annotations

import io
import shutil
import tarfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import Result
from PIL import Image
from torch import Tensor

from ganeval.data.base import ImageSet
from ganeval.errors import UserError
from ganeval.extractors.registry import EXTRACTORS, find_extractor
from ganeval.extractors.resnet_cifar10 import TABLE, CifarResNet

SHARED = Path(__file__).resolve().parents[2] / ".." / "shared"
FILES = {20: "resnet20-12fca82f.th", 56: "resnet56-4bfd9763.th"}
ACCURACY = {20: 0.810, 56: 0.832}
"""On the 10,000 JPEG test images; JPEG costs about ten points of what the authors report on CIFAR-10 itself."""


@pytest.fixture
def public_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A weights folder with the two public files in it."""
    (tmp_path / "weights").mkdir()
    for name in FILES.values():
        if not (SHARED / "weights" / name).is_file():
            pytest.skip(f"no public weights {name} in the folder shared beside the repository")
        shutil.copyfile(SHARED / "weights" / name, tmp_path / "weights" / name)
    monkeypatch.setenv("GANEVAL_HOME", str(tmp_path))


def jpeg_test_split(every: int) -> tuple[Tensor, list[str]]:
    """Every so many images of each class of the JPEG test split, uint8 (N, 3, 32, 32), and their class names."""
    archive = SHARED / "data" / "cifar10-jpeg.tar.xz"
    if not archive.is_file():
        pytest.skip("no cifar10-jpeg.tar.xz in the folder shared beside the repository")
    images, names = [], []
    seen: Counter[str] = Counter()
    with tarfile.open(archive) as tar:
        for member in tar:
            split, _, rest = member.name.partition("/")
            if split != "test" or not member.isfile():
                continue
            name = rest.partition("/")[0]
            seen[name] += 1
            content = tar.extractfile(member)
            if seen[name] % every == 0 and content is not None:
                images.append(np.asarray(Image.open(io.BytesIO(content.read())).convert("RGB")))
                names.append(name)
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2), names


@pytest.fixture(scope="module")
def sample() -> tuple[Tensor, list[str]]:
    return jpeg_test_split(every=10)


def accuracy(depth: int, images: Tensor, names: list[str]) -> float:
    extractor = find_extractor(f"resnet{depth}-cifar10")
    assert extractor.classes is not None
    logits = extractor(images).logits
    assert logits is not None
    labels = torch.tensor([extractor.classes.index(name) for name in names])
    return float((logits.argmax(dim=1) == labels).float().mean())


@pytest.mark.parametrize("depth", FILES)
@pytest.mark.usefixtures("public_weights")
def test_accuracy_on_a_thousand_photographs(depth: int, sample: tuple[Tensor, list[str]]) -> None:
    assert len(sample[1]) == 1000
    assert accuracy(depth, *sample) == pytest.approx(ACCURACY[depth], abs=0.03)


@pytest.mark.slow
@pytest.mark.usefixtures("public_weights")
def test_accuracy_on_the_whole_test_split() -> None:
    images, names = jpeg_test_split(every=1)
    assert len(names) == 10_000
    for depth, expected in ACCURACY.items():
        assert accuracy(depth, images, names) == pytest.approx(expected, abs=0.001)


@pytest.mark.usefixtures("public_weights")
def test_the_record_of_the_public_file() -> None:
    extractor = find_extractor("resnet56-cifar10")
    assert (extractor.name, extractor.feature_dim) == ("resnet56-cifar10", 64)
    assert extractor.weights_sha256 == "4bfd97631478d6b638d2764fd2baff3edb1d7d82252d54439343b6596b9b5367"
    assert extractor.record == {"logits": "10 classes of CIFAR-10", "dataset": "cifar10", "test_accuracy": 0.9339}


@pytest.mark.parametrize(("depth", "parameters"), [(20, 0.27), (32, 0.46), (44, 0.66), (56, 0.85)])
def test_parameter_counts_are_those_of_the_paper(depth: int, parameters: float) -> None:
    """He et al. 2016, table 6, in millions."""
    assert sum(p.numel() for p in CifarResNet(depth).parameters()) / 1e6 == pytest.approx(parameters, abs=0.006)
    assert f"resnet{depth}-cifar10" in EXTRACTORS
    assert [row.depth for row in TABLE] == [20, 32, 44, 56]


def test_a_file_of_ones_own_brings_its_own_name_and_no_accuracy(random_resnet20: Path, pictures: Callable[..., Tensor]) -> None:
    extractor = find_extractor(f"resnet20-cifar10:{random_resnet20}")
    assert extractor.name == f"resnet20-cifar10@{extractor.weights_sha256[:8]}"
    assert extractor.record == {"logits": "10 classes of CIFAR-10"}
    made = extractor(pictures(5, 40))
    assert made.features.shape == (5, 64)
    assert made.logits is not None
    assert made.logits.shape == (5, 10)
    assert float(made.features.std(dim=0).mean()) > 0.01


def test_the_depth_must_fit(random_resnet20: Path) -> None:
    with pytest.raises(UserError, match="weights of another network"):
        find_extractor(f"resnet32-cifar10:{random_resnet20}")


def test_a_folder_is_scored_on_it_under_its_own_name(
    ganeval: Callable[..., Result], save_images: Callable[[ImageSet, Path], Path], random_resnet20: Path, tmp_path: Path,
    pictures: Callable[..., Tensor],
) -> None:  # fmt: skip
    labels = torch.arange(60) % 3
    real, fake = (
        save_images(ImageSet(pictures(60, 32, seed), labels, ("cat", "dog", "frog")), tmp_path / name)
        for name, seed in (("real", 1), ("fake", 2))
    )
    words = ("score", fake, "--dataset", real, "--extractor", f"resnet20-cifar10:{random_resnet20}")
    done = ganeval(*words, "--metrics", "fid,is")
    assert (done.exit_code, done.exception and str(done.exception)) == (0, None), done.output
    name = find_extractor(f"resnet20-cifar10:{random_resnet20}").name
    assert f"FD-{name}" in done.stdout
    assert f"IS-{name}" in done.stdout
    # Ten classes of CIFAR-10 are not the folder's three: their numbers must not be compared with its labels.
    done = ganeval(*words, "--metrics", "top1")
    assert done.exit_code == 1
    assert f"failed: the classes of {name} are not those of real" in done.stdout
