"""Hints decide where a generator's file fits two networks, and are refused where they contradict it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from click.testing import Result
from PIL import Image

from ganeval.cas import CasProtocol
from ganeval.cas import _open as open_cas
from ganeval.checkpoints import read_record
from ganeval.classifiers.recipe import find_classifier_recipe
from ganeval.errors import UserError
from ganeval.importers.studiogan import GeneratorWeights, Hints, read_studiogan
from ganeval.importers.studiogan_keys import RESIDUAL_GENERATOR
from ganeval.networks.base import ImageShape
from ganeval.networks.big_resnet import BigGAN
from ganeval.networks.resnet import ResNet
from ganeval.sampling import load_generator

SHAPE = ImageShape(3, 32)
CLASSES = 10
AMBIGUOUS = ResNet(z_dim=CLASSES, g_channels=2, g_spectral_norm=False, g_attention=())
PLAIN = ResNet(z_dim=6, g_channels=2, g_spectral_norm=False, g_attention=())


def theirs(key: str) -> str:
    """Upstream's name for a weight of a ResNet generator without attention."""
    top, block = ({ours: name for name, ours in table.items()} for table in (RESIDUAL_GENERATOR.top, RESIDUAL_GENERATOR.block))
    parts = key.split(".")
    if parts[0] != "blocks":
        return ".".join([top[parts[0]], *parts[1:]])
    return ".".join(["blocks", parts[1], "0", block[parts[2]], *parts[3:]])


def write(path: Path, backbone: ResNet) -> Path:
    torch.manual_seed(0)
    generator = backbone.generator(SHAPE, CLASSES)
    torch.save({"state_dict": {theirs(key): value for key, value in generator.state_dict().items()}}, path)
    return path


@pytest.fixture(scope="module")
def ambiguous(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As many latents as classes: a conditional ResNet, or a BigGAN without labels."""
    return write(tmp_path_factory.mktemp("hints") / "model=G-a.pth", AMBIGUOUS)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("hints") / "model=G-p.pth", PLAIN)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of as many classes, each with a training and a test image."""
    root = tmp_path_factory.mktemp("photographs")
    for number in range(CLASSES):
        for split in ("train", "test"):
            folder = root / split / f"class{number}"
            folder.mkdir(parents=True)
            Image.new("RGB", (32, 32), (20 * number, 0, 0)).save(folder / "0.png")
    return root


@pytest.mark.parametrize(
    ("hints", "kind", "classes", "z_dim"),
    [
        (Hints(), BigGAN, 1, 4 * CLASSES),
        (Hints(label_count=1), BigGAN, 1, 4 * CLASSES),
        (Hints(z_dim=4 * CLASSES), BigGAN, 1, 4 * CLASSES),
        (Hints(label_count=CLASSES), ResNet, CLASSES, CLASSES),
        (Hints(z_dim=CLASSES), ResNet, CLASSES, CLASSES),
        (Hints(CLASSES, CLASSES), ResNet, CLASSES, CLASSES),
    ],
)
def test_a_file_that_fits_two_networks_is_what_the_user_says(
    ambiguous: Path, hints: Hints, kind: type, classes: int, z_dim: int
) -> None:
    found = read_studiogan(ambiguous, hints=hints)
    assert isinstance(found, GeneratorWeights)
    assert type(found.backbone) is kind
    assert (found.num_classes, found.backbone.z_dim) == (classes, z_dim)
    generator = load_generator(ambiguous, hints=hints)
    images = generator(torch.randn(2, z_dim), torch.tensor([0, classes - 1]))
    assert images.shape == (2, 3, 32, 32)


def test_as_the_conditional_network_it_draws_what_was_saved(ambiguous: Path) -> None:
    torch.manual_seed(0)
    saved = AMBIGUOUS.generator(SHAPE, CLASSES).eval()
    z, y = torch.randn(3, CLASSES), torch.tensor([0, 4, 9])
    with torch.no_grad():
        expected = saved(z, y)
    assert torch.allclose(load_generator(ambiguous, hints=Hints(CLASSES))(z, y), expected, atol=1e-5)


@pytest.mark.parametrize("hints", [Hints(CLASSES), Hints(z_dim=6), Hints(CLASSES, 6), Hints()])
def test_hints_that_say_what_the_file_says_change_nothing(plain: Path, hints: Hints) -> None:
    found = read_studiogan(plain, hints=hints)
    assert isinstance(found, GeneratorWeights)
    assert (found.num_classes, found.backbone.z_dim) == (CLASSES, 6)


@pytest.mark.parametrize(
    ("hints", "said"),
    [
        (Hints(11), "contradicts --label-count 11: its label count and z_dim are 10 and 6"),
        (Hints(z_dim=7), "contradicts --z-dim 7: its label count and z_dim are 10 and 6"),
        (Hints(1, 6), "contradicts --label-count 1 --z-dim 6: its label count and z_dim are 10 and 6"),
    ],
)
def test_hints_that_contradict_the_file(plain: Path, hints: Hints, said: str) -> None:
    with pytest.raises(UserError) as error:
        read_studiogan(plain, hints=hints)
    assert str(error.value) == f"{plain}: {said}"


def test_hints_of_two_different_networks(ambiguous: Path) -> None:
    with pytest.raises(UserError, match="its label count and z_dim are 1 and 40 or 10 and 10"):
        read_studiogan(ambiguous, hints=Hints(CLASSES, 40))


def test_on_the_command_line(ambiguous: Path, plain: Path, ganeval: Callable[..., Result], tmp_path: Path) -> None:
    done = ganeval("import", "studiogan", ambiguous, tmp_path / "out", "--label-count", CLASSES)
    assert done.exit_code == 0, done.output
    record = read_record(tmp_path / "out")
    assert (record["num_classes"], record["backbone"]["kind"]) == (CLASSES, "resnet")
    for verb in ("score", "cas"):
        done = ganeval(verb, plain, "--dataset", "digits", "--label-count", "3")
        assert (done.exit_code, done.stdout) == (2, "")
        assert "contradicts --label-count 3" in done.stderr


def test_cas_takes_what_the_user_says_of_the_network(ambiguous: Path, photographs: Path) -> None:
    def opened(hints: Hints) -> tuple[int, int]:
        source, _ = open_cas(
            ambiguous, CasProtocol(find_classifier_recipe("small"), 1), str(photographs), num=20, seed=0,
            device=torch.device("cpu"), hints=hints, which="latest",
        )  # fmt: skip
        return source.origin["recipe"]["backbone"]["z_dim"], source.count

    for hints in (Hints(label_count=CLASSES), Hints(z_dim=CLASSES)):
        assert opened(hints) == (CLASSES, 20)
    with pytest.raises(UserError, match="has no labelled images"):
        opened(Hints())
