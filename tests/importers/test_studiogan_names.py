"""Upstream's complete listings of names and shapes are read as the networks they come from; what is strange is refused.

The listings hold the key names and shapes of PyTorch-StudioGAN's CIFAR-10 networks; files with these names are written with
tensors that take no memory.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from ganeval.conditioning.acgan import ACGAN
from ganeval.conditioning.adc import ADC
from ganeval.conditioning.base import Conditioning
from ganeval.conditioning.d2dce import D2DCE
from ganeval.conditioning.mirror import Mirror
from ganeval.conditioning.multi_hinge import MultiHinge
from ganeval.conditioning.none import Unconditional
from ganeval.conditioning.projection import Projection
from ganeval.conditioning.tac import TAC
from ganeval.errors import UserError
from ganeval.importers.studiogan import DiscriminatorWeights, GeneratorWeights, read_studiogan
from ganeval.networks.base import Backbone
from ganeval.networks.big_resnet import BigGAN
from ganeval.networks.biggan_deep import BigGANDeep, BigGANDeepStudioGAN
from ganeval.networks.dcgan import DCGAN
from ganeval.networks.resnet import ResNet

LISTING = Path(__file__).resolve().parents[2].parent / "shared" / "reference" / "studiogan_keys.txt"
State = dict[str, Tensor]


def zeros(*shape: int) -> Tensor:
    return torch.zeros(()).expand(shape)


def listed(section: str, network: str) -> State:
    """The state dict of ``network`` (G or D) under the heading that begins with ``section``."""
    if not LISTING.exists():
        pytest.skip(f"the listing of names is not at {LISTING}")
    state: State = {}
    inside = False
    for line in LISTING.read_text().splitlines():
        if line.startswith("#") and not line.startswith("## parameters"):
            inside = re.match(rf"#+ {re.escape(section)}\b(?!-)", line) is not None
        elif inside and line.startswith(f"{network} "):
            prefix, _, leaves = line[2:].partition(": ")
            for leaf, shape in re.findall(r"(\w+)\(([\d,]*)\)", leaves):
                state[f"{prefix}.{leaf}"] = zeros(*(int(size) for size in shape.split(",") if size))
    return state


def write(folder: Path, state: Mapping[str, object], **more: object) -> Path:
    path = folder / "model=X-best-weights-step=1.pth"
    torch.save({"state_dict": dict(state), **more}, path)
    return path


GENERATORS: dict[str, Backbone] = {
    "CIFAR10/ReACGAN": BigGAN(g_attention=(2,)),
    "CIFAR10/SNGAN": ResNet(),
    "CIFAR10/SAGAN": ResNet(g_spectral_norm=True, g_attention=(2,)),
    "CIFAR10/DCGAN": DCGAN(class_conditional=False),
    "CIFAR10/BigGAN-Deep": BigGANDeep(g_attention=(2,)),
    "CIFAR10/BigGAN-Deep-StudioGAN": BigGANDeepStudioGAN(g_attention=(2,)),
}
BODIES: dict[str, tuple[Backbone, Conditioning]] = {
    "CIFAR10/ReACGAN": (ResNet(d_channels=96, d_attention=(1,), d_spectral_norm=True), D2DCE(embed_dim=512)),
    "CIFAR10/SNGAN": (ResNet(d_spectral_norm=True), Projection()),
    "CIFAR10/SAGAN": (ResNet(d_spectral_norm=True, d_attention=(1,)), Projection()),
    "CIFAR10/ProjGAN": (ResNet(), Projection()),
    "CIFAR10/DCGAN": (DCGAN(), Unconditional()),
    "CIFAR10/BigGAN-Deep": (BigGANDeep(d_attention=(1,)), Projection()),
    "CIFAR10/BigGAN-Deep-StudioGAN": (BigGANDeepStudioGAN(d_attention=(1,)), Projection()),
}
HEADS: dict[str, tuple[int | None, Conditioning, int]] = {
    # heading: what is said about K, the scheme, K
    "BigGAN": (None, Projection(), 10),
    "ContraGAN": (None, D2DCE(embed_dim=512), 10),
    "ACGAN-Mod-Big": (None, ACGAN(), 10),
    "ACGAN-Mod-Big-TAC": (None, TAC(ACGAN()), 10),
    "ACGAN-Mod-Big-ADC": (10, ADC(ACGAN()), 10),
    "ReACGAN-TAC": (10, TAC(D2DCE(embed_dim=512)), 10),
    "ReACGAN-ADC": (10, ADC(D2DCE(embed_dim=512)), 10),
    "MHGAN": (10, MultiHinge(), 10),
    "MDGAN": (10, Mirror(), 10),
    "BigGAN-Uncond": (None, Unconditional(), 1),
}


def blocks_of_biggan() -> State:
    return {key: tensor for key, tensor in listed("CIFAR10/ReACGAN", "D").items() if key.startswith("blocks")}


@pytest.mark.parametrize("section", GENERATORS)
def test_listed_generators(section: str, tmp_path: Path) -> None:
    weights = read_studiogan(write(tmp_path, listed(section, "G")))
    assert isinstance(weights, GeneratorWeights)
    assert weights.backbone == GENERATORS[section]
    assert weights.shape == (3, 32)
    assert weights.num_classes == (1 if section == "CIFAR10/DCGAN" else 10)
    assert not weights.generator.training


@pytest.mark.parametrize("section", BODIES)
def test_listed_discriminators(section: str, tmp_path: Path) -> None:
    weights = read_studiogan(write(tmp_path, listed(section, "D")))
    assert isinstance(weights, DiscriminatorWeights)
    assert (weights.backbone, weights.conditioning) == BODIES[section]
    assert weights.shape == (3, 32)


@pytest.mark.parametrize("section", HEADS)
def test_listed_heads(section: str, tmp_path: Path) -> None:
    said, conditioning, num_classes = HEADS[section]
    weights = read_studiogan(write(tmp_path, {**blocks_of_biggan(), **listed(section, "D")}), num_classes=said)
    assert isinstance(weights, DiscriminatorWeights)
    assert (weights.conditioning, weights.num_classes) == (conditioning, num_classes)


def test_an_adc_head_without_k_is_its_base_scheme_with_twice_the_classes(tmp_path: Path) -> None:
    weights = read_studiogan(write(tmp_path, {**blocks_of_biggan(), **listed("ACGAN-Mod-Big-ADC", "D")}))
    assert isinstance(weights, DiscriminatorWeights)
    assert (weights.conditioning, weights.num_classes) == (ACGAN(), 20)


def test_several_outputs_without_k_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, {**blocks_of_biggan(), **listed("MHGAN", "D")})
    with pytest.raises(UserError, match=r"11 adversarial outputs.* give the number of classes"):
        read_studiogan(path)
    with pytest.raises(UserError, match="discriminator of 11 classes, not of 7"):
        read_studiogan(path, num_classes=7)


def test_an_unconditional_biggan_is_not_taken_for_a_resnet(tmp_path: Path) -> None:
    state = {key: tensor for key, tensor in listed("CIFAR10/ReACGAN", "G").items() if key != "shared.weight"}
    for key in state:
        if re.search(r"\.(gain|bias)\.weight_(orig|v)$", key):
            state[key] = zeros(*state[key].shape[:-1], 20)
    assert {key: state[key].shape for key in listed("BigGAN-Uncond", "G")} == {
        key: tensor.shape for key, tensor in listed("BigGAN-Uncond", "G").items()
    }
    weights = read_studiogan(write(tmp_path, state))
    assert weights.backbone == BigGAN(g_attention=(2,), class_conditional=False)
    assert weights.num_classes == 1


def test_an_unconditional_resnet_has_plain_norms(tmp_path: Path) -> None:
    state = listed("CIFAR10/SNGAN", "G")
    for number in range(3):
        for norm in ("bn1", "bn2"):
            prefix = f"blocks.{number}.0.{norm}"
            for leaf in ("running_mean", "running_var", "num_batches_tracked"):
                state[f"{prefix}.{leaf}"] = state.pop(f"{prefix}.bn.{leaf}")
            for leaf in ("gain", "bias"):
                del state[f"{prefix}.{leaf}.weight"]
            state |= {f"{prefix}.weight": zeros(256), f"{prefix}.bias": zeros(256)}
    assert set(listed("WGAN-GP", "G")) <= set(state)
    assert read_studiogan(write(tmp_path, state)).backbone == ResNet(class_conditional=False)


def with_code(state: State, beside: int, normalised: bool) -> State:
    """A generator's ``state`` with the projection of a code of 10 values, whose norms read it beside ``beside`` numbers."""
    for key in state:
        if re.search(r"\.(gain|bias)\.weight(_orig|_v)?$", key):
            state[key] = zeros(*state[key].shape[:-1], 128 + beside)
    weight = {"weight_orig": (128, 10), "weight_u": (128,), "weight_v": (10,)} if normalised else {"weight": (128, 10)}
    projection = {f"info_proj_linear.{leaf}": zeros(*shape) for leaf, shape in {**weight, "bias": (128,)}.items()}
    return {**state, **projection}


@pytest.mark.parametrize(
    ("section", "base", "beside", "backbone"),
    [
        ("BigGAN-Info", "CIFAR10/ReACGAN", 128 + 20, BigGAN(g_attention=(2,), code_dim=10)),
        ("SNGAN-Info", "CIFAR10/SNGAN", 10, ResNet(code_dim=10)),
    ],
)
def test_infogan(section: str, base: str, beside: int, backbone: Backbone, tmp_path: Path) -> None:
    state = with_code(listed(base, "G"), beside, normalised=section == "BigGAN-Info")
    known = {key: tensor.shape for key, tensor in listed(section, "G").items()}
    assert known == {key: state[key].shape for key in known}
    generator = read_studiogan(write(tmp_path, state))
    assert (generator.backbone, generator.num_classes) == (backbone, 10)
    blocks = {key: tensor for key, tensor in listed(base, "D").items() if key.startswith("blocks")}
    weights = read_studiogan(write(tmp_path, {**blocks, **listed(section, "D")}))
    assert isinstance(weights, DiscriminatorWeights)
    assert (weights.conditioning, weights.num_classes) == (Projection(), 10)
    assert weights.discriminator.code_head.weight.shape == (10, weights.discriminator.body.features)


def test_infogan_without_labels(tmp_path: Path) -> None:
    """Upstream's blocks read code and chunk in BigGAN-Info-Uncond, the code alone in DCGAN-Info."""
    state = with_code(listed("CIFAR10/ReACGAN", "G"), 20, normalised=True)
    del state["shared.weight"]
    expected = BigGAN(g_attention=(2,), class_conditional=False, code_dim=10)
    assert read_studiogan(write(tmp_path, state)).backbone == expected
    state = with_code(listed("CIFAR10/DCGAN", "G"), 0, normalised=False)
    for prefix, channels in {"blocks.0.0.bn0": 256, "blocks.1.0.bn0": 128, "blocks.2.0.bn0": 64}.items():
        del state[f"{prefix}.weight"], state[f"{prefix}.bias"]
        for leaf in ("running_mean", "running_var", "num_batches_tracked"):
            state[f"{prefix}.bn.{leaf}"] = state.pop(f"{prefix}.{leaf}")
        state |= {f"{prefix}.{module}.weight": zeros(channels, 128) for module in ("gain", "bias")}
    assert read_studiogan(write(tmp_path, state)).backbone == DCGAN(class_conditional=False, code_dim=10)


@pytest.mark.parametrize(
    ("section", "key"),
    [
        ("CIFAR10/SNGAN", "info_mix_linear.weight"),
        ("CIFAR10/BigGAN-Deep", "info_proj_linear.weight"),
        ("CIFAR10/DCGAN", "info_conti_mu_linear.weight"),
    ],
)
def test_other_forms_of_infogan_are_named_as_unknown(section: str, key: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"does not know: {re.escape(key)}$"):
        read_studiogan(write(tmp_path, {**listed(section, "G"), key: zeros(128, 138)}))


def test_up_to_five_unknown_names_are_listed(tmp_path: Path) -> None:
    state = {f"layer{number}.weight": zeros(2) for number in range(8)}
    with pytest.raises(UserError, match=r"layer0.weight, .*, layer4.weight and 3 more$") as error:
        read_studiogan(write(tmp_path, state))
    assert "layer5" not in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("key", ["blocks.0.0.conv2d1.weight", "bn4.running_mean"])
def test_missing_and_misshapen_weights_are_refused(key: str, tmp_path: Path) -> None:
    state = listed("CIFAR10/SNGAN", "G")
    whole = state.pop(key)
    with pytest.raises(UserError, match=r"unexpected shapes, or not all .*(conv1.weight|norm.running_mean)"):
        read_studiogan(write(tmp_path, state))
    with pytest.raises(UserError, match=r"unexpected shapes"):
        read_studiogan(write(tmp_path, {**state, key: zeros(*whole.shape, 2)}))


@pytest.mark.parametrize("shape", [(), (3,), (0,), (0, 0), (2, 2, 2), (0, 0, 0, 0), (1, 1, 1, 1, 1)])
@pytest.mark.parametrize(("section", "network"), [*((name, "G") for name in GENERATORS), *((name, "D") for name in BODIES)])
def test_weights_of_any_shape_are_refused_in_words(section: str, network: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    state = listed(section, network)
    for key in (key for key in state if re.search(r"(linear|shared|embedding|gain|conv0|conv2d1|input_conv)\w*\.weight", key)):
        if key.startswith(("linear", "shared", "embedding", "input_conv", "blocks.0.")):
            with pytest.raises(UserError, match=r"unexpected shapes|no weight"):
                read_studiogan(write(tmp_path, {**state, key: zeros(*shape)}))


@pytest.mark.parametrize(
    "strange",
    [torch.eye(3).to_sparse(), torch.zeros(3, dtype=torch.complex64), torch.zeros(3, device="meta")],
    ids=["sparse", "complex", "meta"],
)
def test_weights_that_are_no_plain_numbers_are_refused(strange: Tensor, tmp_path: Path) -> None:
    state = listed("CIFAR10/SNGAN", "G")
    with pytest.raises(UserError, match=r"sparse, quantised, complex, or without numbers: linear0\.bias$"):
        read_studiogan(write(tmp_path, {**state, "linear0.bias": strange}))


@pytest.mark.parametrize(("section", "network"), [("CIFAR10/SNGAN", "G"), ("CIFAR10/SNGAN", "D")])
def test_weights_of_a_training_that_diverged_are_refused(section: str, network: str, tmp_path: Path) -> None:
    state = listed(section, network)
    key = next(key for key in state if key.endswith(".bias"))
    with pytest.raises(UserError, match=rf"weights that are not finite, of a training that diverged: {re.escape(key)}$"):
        read_studiogan(write(tmp_path, {**state, key: torch.full_like(state[key], torch.nan)}))


def test_names_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "numbered.pth"
    torch.save({0: torch.zeros(3)}, path)
    with pytest.raises(UserError, match="holds no state dict"):
        read_studiogan(path)


def test_unknown_plans_are_refused(tmp_path: Path) -> None:
    state = listed("CIFAR10/SNGAN", "G")
    more = {f"blocks.{number}.0.conv2d1.weight": zeros(256, 256, 3, 3) for number in range(3, 9)}
    with pytest.raises(UserError, match="has 9 blocks, as no network"):
        read_studiogan(write(tmp_path, {**state, **more}))
    with pytest.raises(UserError, match=r"has 100 outputs where .* a multiple of 64"):
        read_studiogan(write(tmp_path, {**state, "linear0.weight": zeros(100, 128)}))
    with pytest.raises(UserError, match="has no weight 'conv2d5'"):
        read_studiogan(write(tmp_path, {key: tensor for key, tensor in state.items() if "conv2d5" not in key}))


def test_a_numpy_number_beside_the_weights_is_harmless(tmp_path: Path) -> None:
    path = write(tmp_path, listed("CIFAR10/SNGAN", "D"), best_fid=np.float64(3.5), aa_p=np.float32(0), step=np.int64(7))
    assert isinstance(read_studiogan(path), DiscriminatorWeights)


def test_the_old_file_format_is_read(tmp_path: Path) -> None:
    state = {key: tensor.contiguous() for key, tensor in listed("CIFAR10/SNGAN", "D").items()}
    path = tmp_path / "old.pth"
    torch.save({"state_dict": state}, path, _use_new_zipfile_serialization=False)
    assert isinstance(read_studiogan(path), DiscriminatorWeights)


class Trap:
    """What a hostile file holds: reading it as an ordinary pickle runs code."""

    def __reduce__(self) -> tuple[object, ...]:
        return (print, ("run",))


def test_a_pickle_that_runs_code_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError, match=r"wants to run .*print and is not opened") as error:
        read_studiogan(write(tmp_path, {"linear0.weight": Trap()}))
    assert "\n" not in str(error.value)
    assert capsys.readouterr().out == ""


def test_what_is_no_state_dict_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    for content in ([1, 2], {"state_dict": {}}, {"state_dict": {"a": 1}}, torch.zeros(2)):
        torch.save(content, path)
        with pytest.raises(UserError, match=r"holds no state dict: give a file model=G"):
            read_studiogan(path)


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere\.pth: No such file"):
        read_studiogan(tmp_path / "nowhere.pth")
    with pytest.raises(UserError, match="Is a directory"):
        read_studiogan(tmp_path)
    path = write(tmp_path, {"a": torch.randn(100)})
    for damaged in (b"", b"not a checkpoint", path.read_bytes()[:700]):
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=r"no file of torch\.save"):
            read_studiogan(path)
