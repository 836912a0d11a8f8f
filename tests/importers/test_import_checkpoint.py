"""Foreign generators end to end: loaded, imported, sampled and scored as our own are."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from click.testing import Result
from PIL import Image
from safetensors.torch import load_file

import ganeval as package
from ganeval.errors import UserError
from ganeval.importers.checkpoint import import_studiogan

ORACLE = Path(__file__).resolve().parents[2].parent / "shared" / "oracle" / "checkpoints"
NAMES = sorted(path.name for path in ORACLE.glob("*") if "stylegan" not in path.name)
needs_oracle = pytest.mark.skipif(not NAMES, reason="the oracle checkpoints are not beside the repository")


def file(name: str, network: str) -> Path:
    (found,) = (ORACLE / name).glob(f"model={network}-*.pth")
    return found


@needs_oracle
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("network", "images"), [("G", "images_g"), ("G_ema", "images_g_ema")])
def test_a_generator_gives_upstreams_images_and_so_does_its_import(name: str, network: str, images: str, tmp_path: Path) -> None:
    expected = load_file(ORACLE / name / "expected.safetensors")
    loaded = package.load_generator(file(name, network))
    assert loaded.z_dim == expected["z"].shape[1]
    ours = loaded(expected["z"], expected["y"])
    torch.testing.assert_close(ours, expected[images], rtol=0, atol=1e-4)
    import_studiogan(file(name, network), tmp_path / "imported")
    imported = package.load_generator(tmp_path / "imported")
    assert torch.equal(imported(expected["z"], expected["y"]), ours)
    assert imported.record["imported"]["file"] == file(name, network).name


@needs_oracle
@pytest.mark.parametrize("name", NAMES)
def test_a_discriminator_gives_upstreams_logits(name: str) -> None:
    expected = load_file(ORACLE / name / "expected.safetensors")
    verdict = package.load_discriminator(file(name, "D"))(expected["real"], expected["y"])
    torch.testing.assert_close(verdict.adv, expected["d_adv_output"], rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(verdict.h, expected["d_h"], rtol=1e-5, atol=1e-4)


def test_a_folder_and_a_part_of_a_checkpoint_are_no_files_of_studiogan(tiny_run: Path) -> None:
    with pytest.raises(UserError, match=rf"{tiny_run} is a folder: give a file model=D... of PyTorch-StudioGAN"):
        package.load_discriminator(tiny_run)
    checkpoint = tiny_run / "checkpoints" / "step-00000002"
    with pytest.raises(UserError, match=f"is a part of the checkpoint {checkpoint}: give that"):
        package.load_generator(checkpoint / "generator.safetensors")


@needs_oracle
def test_the_wrong_network_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds a discriminator"):
        package.load_generator(file("cifar10-reacgan", "D"))
    with pytest.raises(UserError, match="holds a generator"):
        package.load_discriminator(file("cifar10-reacgan", "G"))
    with pytest.raises(UserError, match="StyleGAN"):
        import_studiogan(file("cifar10-stylegan2-d2dce", "G_ema"), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """A folder of ten classes of 30 colour images, 32 pixels."""
    rng = torch.Generator().manual_seed(0)
    for label in range(10):
        (tmp_path / "photographs" / f"class{label}").mkdir(parents=True)
        for index in range(30):
            pixels = torch.randint(0, 256, (32, 32, 3), generator=rng, dtype=torch.uint8)
            Image.fromarray(pixels.numpy()).save(tmp_path / "photographs" / f"class{label}" / f"{index}.png")
    return tmp_path / "photographs"


@needs_oracle
def test_a_pth_file_is_sampled_imported_and_scored_from_the_command_line(
    ganeval: Callable[..., Result], photographs: Path, tmp_path: Path
) -> None:
    weights = file("cifar10-reacgan", "G_ema")
    assert ganeval("sample", weights, "--grid", "2x10", "--out", tmp_path / "grid.png", "--device", "cpu").exit_code == 0
    assert ganeval("import", "studiogan", weights, tmp_path / "imported").exit_code == 0
    words = ["--dataset", photographs, "--extractor", "digits-cnn", "--metrics", "fid,precision", "--num", "300", "--json"]
    cards = []
    for source in (weights, tmp_path / "imported"):
        done = ganeval("score", source, *words, "--device", "cpu")
        assert done.exit_code == 0, done.stderr
        cards.append(json.loads(done.stdout))
    assert [score["value"] for score in cards[0]["scores"]] == [score["value"] for score in cards[1]["scores"]]
    assert cards[0]["source"]["imported"]["format"] == "studiogan"


@needs_oracle
def test_what_it_is_held_against_must_be_said_and_must_fit(ganeval: Callable[..., Result]) -> None:
    weights = file("cifar10-reacgan", "G_ema")
    for words, said in (
        (("--metrics", "fid"), "give --dataset NAME"),
        (("--dataset", "digits"), "3 channels, those of 'digits' 1"),
    ):
        done = ganeval("score", weights, *words, "--device", "cpu")
        assert (done.exit_code, done.stdout) == (2, "")
        assert said in done.stderr
        assert done.stderr.count("\n") == 1
