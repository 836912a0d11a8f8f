from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from ganeval.checkpoints import save_folder
from ganeval.classifiers.recipe import RECIPES
from ganeval.classifiers.record import ClassifierRecord
from ganeval.classifiers.small import SmallCNN, stages_for
from ganeval.data.pixels import to_float
from ganeval.errors import UserError
from ganeval.extractors.classifier import CHUNK, ClassifierExtractor, with_channels
from ganeval.extractors.registry import find_extractor


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Networks this small only lose time to more threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def random_net(channels: int, resolution: int) -> tuple[SmallCNN, ClassifierRecord]:
    """A network of random weights whose BatchNorm statistics are not those of a fresh one."""
    torch.manual_seed(0)
    net = SmallCNN(channels, stages_for(resolution), 3)
    net(torch.randn(32, channels, resolution, resolution) * 2 + 1)
    record = ClassifierRecord("made-up", ("a", "b", "c"), channels, resolution, RECIPES.get("small"), 0, 32, "none")
    return net.eval(), record


def saved(path: Path, channels: int, resolution: int) -> Path:
    net, record = random_net(channels, resolution)
    save_folder(path, {"classifier": net.state_dict()}, record.to_json())
    return path


@pytest.fixture(scope="module")
def grey16(tmp_path_factory: pytest.TempPathFactory) -> ClassifierExtractor:
    return ClassifierExtractor(saved(tmp_path_factory.mktemp("x") / "grey16", 1, 16))


@pytest.fixture(scope="module")
def colour32(tmp_path_factory: pytest.TempPathFactory) -> ClassifierExtractor:
    return ClassifierExtractor(saved(tmp_path_factory.mktemp("x") / "colour32", 3, 32))


def images(count: int, channels: int, resolution: int) -> Tensor:
    rng = np.random.default_rng(count)
    return torch.from_numpy(rng.integers(0, 256, (count, channels, resolution, resolution), dtype=np.uint8))


def test_the_result_is_the_networks_own(grey16: ClassifierExtractor) -> None:
    x = images(64, 1, 16)
    features, logits = random_net(1, 16)[0](to_float(x))
    made = grey16(x)
    assert made.features.shape == (64, grey16.feature_dim)
    assert made.logits is not None
    assert made.logits.shape == (64, 3)
    assert (made.features.dtype, made.logits.dtype) == (torch.float32, torch.float32)
    torch.testing.assert_close(made.features, features, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(made.logits, logits, rtol=1e-5, atol=1e-6)
    assert float(made.features.min()) >= 0
    assert not made.features.requires_grad


@pytest.mark.parametrize("resolution", [16, 24])
def test_an_image_does_not_depend_on_what_comes_with_it(grey16: ClassifierExtractor, resolution: int) -> None:
    x = images(70, 1, resolution)
    whole = grey16(x)
    assert whole.logits is not None
    for batch, count in ((1, 10), (7, 70), (64, 70)):
        parts = [grey16(part) for part in x[:count].split(batch)]
        assert torch.equal(torch.cat([part.features for part in parts]), whole.features[:count])
        assert torch.equal(torch.cat([part.logits for part in parts if part.logits is not None]), whole.logits[:count])
    order = torch.randperm(70, generator=torch.Generator().manual_seed(0))
    assert torch.equal(grey16(x[order]).features, whole.features[order])


def test_more_images_than_a_chunk(grey16: ClassifierExtractor) -> None:
    x = images(CHUNK + 3, 1, 16)
    assert torch.equal(grey16(x).features[CHUNK - 2 :], grey16(x[CHUNK - 2 :]).features)


def test_the_resize_is_torchs_antialiased_bilinear(grey16: ClassifierExtractor) -> None:
    x = images(3, 1, 40)
    smaller = F.interpolate(to_float(x), size=(16, 16), mode="bilinear", antialias=True)
    expected = random_net(1, 16)[0](smaller)[0]
    torch.testing.assert_close(grey16(x).features, expected, rtol=1e-5, atol=1e-6)
    assert "bilinear antialiased to 16x16" in grey16.resize


def test_grey_is_repeated_for_a_colour_network(colour32: ClassifierExtractor) -> None:
    x = images(5, 1, 32)
    assert torch.equal(colour32(x).features, colour32(x.repeat(1, 3, 1, 1)).features)


def test_colour_becomes_pillows_luma_for_a_grey_network(grey16: ClassifierExtractor) -> None:
    x = images(5, 3, 16)
    luma = torch.stack([torch.from_numpy(np.asarray(Image.fromarray(c.permute(1, 2, 0).numpy()).convert("L")).copy()) for c in x])
    assert torch.equal(with_channels(x, 1)[:, 0], luma)
    assert torch.equal(grey16(x).features, grey16(luma.unsqueeze(1)).features)


def test_grey_in_three_channels_stays_what_it_was() -> None:
    levels = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    assert torch.equal(with_channels(with_channels(levels, 3), 1), levels)


@pytest.mark.parametrize(
    "wrong",
    [
        torch.zeros(2, 1, 16, 16),
        torch.zeros(2, 2, 16, 16, dtype=torch.uint8),
        torch.zeros(1, 16, 16, dtype=torch.uint8),
        torch.zeros(0, 1, 16, 16, dtype=torch.uint8),
    ],
)
def test_anything_but_uint8_images_is_refused(grey16: ClassifierExtractor, wrong: Tensor) -> None:
    with pytest.raises(UserError, match="takes uint8 images"):
        grey16(wrong)


def test_autocast_around_it_changes_nothing(grey16: ClassifierExtractor) -> None:
    x = images(3, 1, 16)
    plain = grey16(x).features
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(grey16(x).features, plain)


def test_it_computes_without_tf32_whatever_the_settings_around_it(grey16: ClassifierExtractor) -> None:
    found = []
    hook = grey16._net.register_forward_hook(
        lambda *_: found.append((torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()))
    )
    torch.set_float32_matmul_precision("high")
    try:
        grey16(images(3, 1, 16))
        assert (found, torch.get_float32_matmul_precision()) == ([(False, "highest")], "high")
    finally:
        torch.set_float32_matmul_precision("highest")
        hook.remove()


def test_a_copy_on_a_device_gives_the_same(grey16: ClassifierExtractor) -> None:
    x = images(3, 1, 16)
    moved = grey16.to(torch.device("cpu"))
    assert moved is not grey16
    assert torch.equal(moved(x).features, grey16(x).features)
    assert moved.fingerprint == grey16.fingerprint


def test_it_is_found_by_its_path_and_called_by_its_folder(tmp_path: Path) -> None:
    path = saved(tmp_path / "mine", 3, 16)
    found = find_extractor(f"classifier:{path}")
    assert (found.name, found.classes, found.record["dataset"]) == ("mine", ("a", "b", "c"), "made-up")
    other, record = random_net(3, 16)
    with torch.no_grad():
        other.head.bias[0] += 1
    save_folder(tmp_path / "other", {"classifier": other.state_dict()}, record.to_json())
    assert find_extractor(f"classifier:{tmp_path / 'other'}").fingerprint != found.fingerprint


@pytest.mark.parametrize("name", ["inception", "inception-clean"])
def test_no_classifier_passes_for_inception(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match=f"a classifier called '{name}' would pass for Inception, .* rename it"):
        find_extractor(f"classifier:{saved(tmp_path / name, 1, 16)}")


def test_a_folder_of_another_kind_is_refused(tmp_path: Path) -> None:
    net, record = random_net(1, 16)
    weights = {"classifier": net.state_dict()}
    save_folder(tmp_path / "kind", weights, {**record.to_json(), "kind": "generator"})
    with pytest.raises(UserError, match="holds a generator, not a classifier"):
        ClassifierExtractor(tmp_path / "kind")
    save_folder(tmp_path / "fields", weights, {"kind": "classifier", "dataset": "x"})
    with pytest.raises(UserError, match="classifier of another version"):
        ClassifierExtractor(tmp_path / "fields")
    save_folder(tmp_path / "shape", weights, {**record.to_json(), "channels": 3})
    with pytest.raises(UserError, match="weights do not fit"):
        ClassifierExtractor(tmp_path / "shape")
