"""PyTorch-StudioGAN checkpoints: the oracle's outputs, and what is inferred from names and shapes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from ganeval.conditioning.acgan import ACGAN, ClassVerdict
from ganeval.conditioning.base import Conditioning
from ganeval.conditioning.d2dce import D2DCE
from ganeval.conditioning.projection import Projection
from ganeval.conditioning.proxies import ProxyVerdict
from ganeval.errors import UserError
from ganeval.importers.studiogan import DiscriminatorWeights, GeneratorWeights, joint_backbone, read_studiogan
from ganeval.networks.base import Backbone
from ganeval.networks.big_resnet import BigGAN
from ganeval.networks.biggan_deep import BigGANDeepStudioGAN
from ganeval.networks.resnet import ResNet
from ganeval.networks.spectral_norm import fold, normalised_layers

ORACLE = Path(__file__).resolve().parents[2].parent / "shared" / "oracle" / "checkpoints"
NAMES = [
    "cifar10-acgan",
    "cifar10-biggan",
    "cifar10-biggan-deep",
    "cifar10-contragan",
    "cifar10-projgan",
    "cifar10-reacgan",
    "cifar10-sagan",
    "cub200-reacgan",
]
BACKBONES: dict[str, type[Backbone]] = {
    "resnet": ResNet,
    "big_resnet": BigGAN,
    "big_resnet_deep_studiogan": BigGANDeepStudioGAN,
}
SCHEMES: dict[str, type[Conditioning]] = {"PD": Projection, "AC": ACGAN, "2C": D2DCE, "D2DCE": D2DCE}
TOLERANCE = 1e-4


def checkpoint(name: str, network: str) -> Path:
    path = ORACLE / name / f"model={network}-current-weights-step=1000.pth"
    if not path.exists():
        pytest.skip(f"the checkpoints to compare with are not in {ORACLE}")
    return path


def expected(name: str) -> dict[str, Tensor]:
    return load_file(ORACLE / name / "expected.safetensors")


def settings(name: str) -> dict[str, Any]:
    return json.loads((ORACLE / name / "settings.json").read_text())


def read_generator(name: str, network: str, **options: int) -> GeneratorWeights:
    weights = read_studiogan(checkpoint(name, network), **options)
    assert isinstance(weights, GeneratorWeights)
    return weights


def read_discriminator(name: str) -> DiscriminatorWeights:
    weights = read_studiogan(checkpoint(name, "D"))
    assert isinstance(weights, DiscriminatorWeights)
    return weights


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("network", "images"), [("G", "images_g"), ("G_ema", "images_g_ema")])
def test_generators_draw_the_published_evaluations_images(name: str, network: str, images: str) -> None:
    weights, facts = read_generator(name, network), expected(name)
    drawn = weights.generator(facts["z"], facts["y"])
    assert (drawn - facts[images]).abs().max() < TOLERANCE
    assert torch.equal(drawn, weights.generator(facts["z"], facts["y"]))
    assert (drawn - facts[images].flip(0)).abs().max() > 0.1


@pytest.mark.parametrize("name", ["cifar10-reacgan", "cifar10-sagan", "cifar10-biggan-deep"])
def test_folding_once_is_the_published_evaluation_too(name: str) -> None:
    facts = expected(name) if checkpoint(name, "G_ema") else {}
    untouched = read_generator(name, "G_ema", power_iterations=0).generator
    folded = fold(untouched, iterations=1)
    assert not list(normalised_layers(folded))
    assert (folded(facts["z"], facts["y"]) - facts["images_g_ema"]).abs().max() < TOLERANCE
    raw = torch.load(checkpoint(name, "G_ema"), weights_only=True)["state_dict"]
    assert raw["linear0.weight_u"].norm() < 0.999  # averaged: sigma of these vectors is too small


@pytest.mark.parametrize("name", NAMES)
def test_discriminators_judge_as_published(name: str) -> None:
    discriminator, facts = read_discriminator(name).discriminator, expected(name)
    verdict = discriminator(facts["real"], facts["y"])
    outputs = {"d_h": verdict.h, "d_adv_output": verdict.adv}
    if isinstance(verdict, ClassVerdict):
        outputs["d_cls_output"] = verdict.class_logits
    if isinstance(verdict, ProxyVerdict):  # upstream's are of norm 1 as well
        outputs |= {"d_embed": verdict.embedding, "d_proxy": verdict.proxy}
    assert set(outputs) == {key for key in facts if key.startswith("d_")}
    for key, output in outputs.items():
        assert (output - facts[key]).abs().max() < TOLERANCE, key


@pytest.mark.parametrize("name", NAMES)
def test_settings_are_inferred(name: str) -> None:
    generator, discriminator = read_generator(name, "G"), read_discriminator(name)
    known = settings(name)
    backbone = joint_backbone(generator, discriminator)
    attention = known["apply_attn"]
    fields: dict[str, Any] = {
        "z_dim": known["z_dim"],
        "g_channels": known["g_conv_dim"],
        "d_channels": known["d_conv_dim"],
        "g_attention": tuple(known["attn_g_loc"]) if attention else (),
        "d_attention": tuple(known["attn_d_loc"]) if attention else (),
        "g_spectral_norm": known["apply_g_sn"],
        "d_spectral_norm": known["apply_d_sn"],
        "class_conditional": True,
    }
    optional = {"shared_dim": "g_shared_dim", "g_depth": "g_depth", "d_depth": "d_depth"}
    fields |= {field: known[key] for field, key in optional.items() if known[key] != "N/A"}
    assert backbone == BACKBONES[known["backbone"]](**fields)
    for weights in (generator, discriminator):
        assert weights.shape == (3, known["img_size"])
        assert weights.num_classes == known["num_classes"]
    scheme = SCHEMES[known["d_cond_mtd"]]
    assert discriminator.conditioning == (scheme(embed_dim=known["d_embed_dim"]) if scheme is D2DCE else scheme())  # type: ignore[call-arg]


@pytest.mark.parametrize("network", ["G_ema", "D"])
def test_stylegan_is_refused(network: str) -> None:
    with pytest.raises(UserError, match=r"holds a StyleGAN network: .* deep_conv, resnet, big_resnet"):
        read_studiogan(checkpoint("cifar10-stylegan2-d2dce", network))


def test_networks_of_different_runs_are_not_joined() -> None:
    generator, discriminator = read_generator("cifar10-reacgan", "G"), read_discriminator("cub200-reacgan")
    with pytest.raises(UserError, match="biggan generator of 3 x 32 x 32 images and a resnet discriminator of 3 x 128"):
        joint_backbone(generator, discriminator)
    deep = replace(discriminator, backbone=BigGANDeepStudioGAN(), shape=generator.shape)
    with pytest.raises(UserError, match="a biggan-deep-studiogan discriminator"):
        joint_backbone(generator, deep)
