"""Inception against torch-fidelity's own module, under torch-fidelity's resize and under those of clean-fid and StudioGAN."""

from __future__ import annotations

import hashlib
import urllib.error
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from cleanfid.resize import build_resizer
from PIL import Image
from torch import Tensor
from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3, FeatureExtractorInceptionV3

from ganeval.errors import UserError
from ganeval.extractors.base import Extracted
from ganeval.extractors.inception import FILE
from ganeval.extractors.registry import EXTRACTORS, find_extractor
from ganeval.features import FeatureBank
from ganeval.metrics.frechet import Frechet

COUNT = 16
FEW = 3


def relative(ours: Tensor | None, theirs: Tensor) -> float:
    """The largest deviation of an image's vector, relative to the length of the vector."""
    assert ours is not None
    return float(((ours - theirs).norm(dim=1) / theirs.norm(dim=1)).max())


@pytest.fixture(scope="module")
def images(pictures: Callable[..., Tensor]) -> Tensor:
    return pictures(COUNT, 32, seed=1)


@pytest.fixture(scope="module")
def theirs(random_inception: Path) -> FeatureExtractorInceptionV3:
    """torch-fidelity's module with the same weights: features, logits without and with their bias."""
    return FeatureExtractorInceptionV3(
        "x", ["2048", "logits_unbiased", "logits"], feature_extractor_weights_path=random_inception
    )


@pytest.fixture(scope="module")
def their_result(theirs: FeatureExtractorInceptionV3, images: Tensor) -> tuple[Tensor, ...]:
    result: tuple[Tensor, ...] = theirs(images)
    return result


@pytest.fixture(scope="module")
def our_result(random_inception: Path, images: Tensor) -> Extracted:
    return find_extractor(f"inception:{random_inception}")(images)


def without_its_resize(net: FeatureExtractorInceptionV3, x: Tensor) -> tuple[Tensor, Tensor]:
    """Features and logits with bias of images that are resized and scaled already: torch-fidelity's layers in their order."""
    for name, layer in net.named_children():
        if name != "fc":
            x = layer(x)
    features = x.flatten(1)
    return features, net.fc(features)


def test_features_and_logits_are_torch_fidelitys(our_result: Extracted, their_result: tuple[Tensor, ...]) -> None:
    features, unbiased, biased = their_result
    assert our_result.features.shape == (COUNT, 2048)
    assert relative(our_result.features, features) < 1e-4
    assert relative(our_result.logits, unbiased) < 1e-4
    assert relative(our_result.logits, biased) > 1e-2
    spread = features.std(dim=0).mean() / features.mean()
    assert spread > 0.1  # The network tells the images apart: agreement is not that of constants.


def test_fid_is_torch_fidelitys(our_result: Extracted, their_result: tuple[Tensor, ...]) -> None:
    ours, theirs = (
        Frechet().compute(FeatureBank(features[:8].numpy()), FeatureBank(features[8:].numpy()))["fid"]
        for features in (our_result.features, their_result[0])
    )
    assert ours == pytest.approx(theirs, rel=1e-5)


def test_an_image_does_not_depend_on_what_comes_with_it(random_inception: Path, our_result: Extracted, images: Tensor) -> None:
    alone = find_extractor(f"inception:{random_inception}")(images[5:8])
    assert torch.equal(alone.features, our_result.features[5:8])
    assert torch.equal(alone.logits, our_result.logits[5:8])


def test_clean_is_the_same_network_behind_clean_fids_resizer(
    random_inception: Path, theirs: FeatureExtractorInceptionV3, images: Tensor, our_result: Extracted
) -> None:
    resize = build_resizer("clean")
    resized = np.stack([resize(image.permute(1, 2, 0).numpy()) for image in images[:FEW]])
    features, logits = without_its_resize(theirs, (torch.from_numpy(resized).permute(0, 3, 1, 2) - 128) / 128)
    ours = find_extractor(f"inception-clean:{random_inception}")(images[:FEW])
    assert relative(ours.features, features) < 1e-4
    assert relative(ours.logits, logits - theirs.fc.bias) < 1e-4
    assert relative(our_result.features[:FEW], features) > 1e-3


def studiogan_legacy(image: Tensor) -> Tensor:
    return F.interpolate(image[None].float(), size=(299, 299), mode="bilinear", align_corners=False)[0].clamp(0, 255)


def studiogan_friendly(image: Tensor) -> Tensor:
    channels = [Image.fromarray(channel.numpy().astype(np.float32)) for channel in image]
    resized = [np.asarray(channel.resize((299, 299), Image.Resampling.BILINEAR)) for channel in channels]
    return torch.from_numpy(np.stack(resized))


# Where images are enlarged the two filters are the same; where they are shrunk only Pillow's is antialiased.
@pytest.mark.parametrize(("name", "resize"), [("legacy", studiogan_legacy), ("friendly", studiogan_friendly)])
def test_studiogans_resizers_with_its_biased_logits(
    name: str, resize: Callable[[Tensor], Tensor], random_inception: Path, theirs: FeatureExtractorInceptionV3,
    pictures: Callable[..., Tensor],
) -> None:  # fmt: skip
    x = pictures(FEW, 400, seed=2)
    scaled = (torch.stack([resize(image) for image in x]) / 255 - 0.5) / 0.5
    features, logits = without_its_resize(theirs, scaled)
    ours = find_extractor(f"inception-studiogan-{name}:{random_inception}")(x)
    assert relative(ours.features, features) < 1e-4
    assert relative(ours.logits, logits) < 1e-4


def test_the_file_is_the_one_torch_fidelity_downloads() -> None:
    assert FILE.url == URL_INCEPTION_V3
    assert FILE.sha256_prefix == "6726825d"


def test_other_weights_never_pass_for_the_published_ones(random_inception: Path) -> None:
    digest = hashlib.sha256(random_inception.read_bytes()).hexdigest()
    found = {name: find_extractor(f"{name}:{random_inception}") for name in ("inception", "inception-clean")}
    assert {name: extractor.name for name, extractor in found.items()} == {name: f"{name}@{digest[:8]}" for name in found}
    assert {extractor.weights_sha256 for extractor in found.values()} == {digest}
    assert found["inception"].fingerprint != found["inception-clean"].fingerprint


def test_the_published_file_gives_the_plain_name(random_inception: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = hashlib.sha256(random_inception.read_bytes()).hexdigest()
    monkeypatch.setattr("ganeval.extractors.weights.PublishedFile.sha256_prefix", digest[:8])
    assert find_extractor(f"inception:{random_inception}").name == "inception"


def test_offline_names_file_hash_address_folder_and_the_way_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def offline(*_: object, **__: object) -> None:
        raise urllib.error.URLError(OSError(101, "Network is unreachable"))

    monkeypatch.setattr("urllib.request.urlopen", offline)
    monkeypatch.setenv("GANEVAL_HOME", str(tmp_path))
    monkeypatch.setattr(EXTRACTORS, "at_hand", list)
    with pytest.raises(UserError) as caught:
        find_extractor("inception-clean")
    assert str(caught.value) == (
        "the weights of 'inception-clean' are not here and could not be downloaded (network is unreachable): put "
        "weights-inception-2015-12-05-6726825d.pth (SHA-256 begins with 6726825d) from "
        "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth "
        f"into {tmp_path / 'weights'}, or write inception-clean:PATH"
    )


def test_weights_of_another_network_are_refused(random_resnet20: Path) -> None:
    with pytest.raises(UserError, match="weights of another network"):
        find_extractor(f"inception:{random_resnet20}")
    with pytest.raises(UserError, match="write inception:PATH"):
        find_extractor("inception:")
