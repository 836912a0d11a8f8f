"""bf16 on request: near the exact features, never mistaken for them; and the layers that make both fast."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganeval.errors import UserError
from ganeval.extractors import rectified
from ganeval.extractors.network import HALF
from ganeval.extractors.rectified import RectifiedConv, rounded
from ganeval.extractors.registry import find_extractor
from ganeval.metrics.base import FRECHET
from ganeval.metrics.frechet import frechet_distance_of_samples


@pytest.fixture(scope="module")
def exact(random_inception: Path) -> Any:
    return find_extractor(f"inception:{random_inception}")


def test_bf16_features_are_near_and_float32_and_have_a_name_of_their_own(exact: Any, pictures: Callable[..., Tensor]) -> None:
    images = pictures(8, 32, seed=2)
    half = exact.in_precision("bf16")
    near, true = half(images), exact(images)
    error = ((near.features - true.features).norm(dim=1) / true.features.norm(dim=1)).max()
    assert 1e-4 < float(error) < 0.2  # random weights magnify rounding; those of the published file do less
    assert near.features.dtype == near.logits.dtype == torch.float32
    assert half.name == f"{exact.name}@bf16"
    assert half.record["precision"] == "bf16"
    assert half.fingerprint == f"{exact.fingerprint}:{HALF}"
    assert FRECHET.column("inception@bf16") == "FD-inception@bf16"
    assert FRECHET.column("inception-clean@bf16") == "FD-inception-clean@bf16"
    assert exact.in_precision("fp32") is exact
    assert "precision" not in exact.record
    assert torch.equal(exact(images).features, true.features)


def test_features_do_not_depend_on_what_comes_with_them(exact: Any, pictures: Callable[..., Tensor]) -> None:
    images, half = pictures(9, 32, seed=3), exact.in_precision("bf16")
    assert torch.equal(torch.cat([half(part).features for part in images.split(5)]), half(images).features)


def test_whoever_computes_in_float32_alone_says_so() -> None:
    with pytest.raises(UserError, match="extractor 'digits-cnn' computes in fp32 alone: leave out --precision bf16"):
        find_extractor("digits-cnn").in_precision("bf16")


def test_the_command_line_refuses_it_in_one_line(ganeval: Callable[..., Any], tiny_run: Path) -> None:
    done = ganeval("score", tiny_run, "--num", 300, "--precision", "bf16", "--metrics", "fid")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == "ganeval: extractor 'digits-cnn' computes in fp32 alone: leave out --precision bf16\n"


@pytest.mark.parametrize("case", [{"stride": 2}, {"padding": (0, 3)}, {"bias": False}, {"groups": 2, "dilation": 2}])
def test_the_one_layer_is_the_two_in_turn(case: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(6, 8, 3, **case).to(memory_format=torch.channels_last)
    x = torch.randn(4, 6, 15, 17).contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        layer = RectifiedConv(conv)
        expected = conv(x).relu()
        torch.testing.assert_close(layer(x), expected, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(copy.deepcopy(layer)(x[:1]), expected[:1], rtol=1e-5, atol=1e-6)
        with torch.autocast("cpu", torch.bfloat16):
            near = layer(x)
        assert near.dtype == torch.bfloat16
        torch.testing.assert_close(near.float(), expected, rtol=0.05, atol=0.05)
        monkeypatch.setattr(rectified, "_has_operation", lambda dtype: False)
        assert torch.equal(layer(x), expected)


@pytest.mark.parametrize("as_one", [True, False])
def test_images_are_not_rounded(as_one: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    conv, images = nn.Conv2d(3, 4, 3), torch.rand(2, 3, 8, 8)
    if not as_one:
        monkeypatch.setattr(rectified, "_has_operation", lambda dtype: False)
    with torch.no_grad():
        with torch.autocast("cpu", torch.bfloat16):
            made = RectifiedConv(conv)(images)
        assert made.dtype == torch.float32
        torch.testing.assert_close(made, conv(images).relu(), rtol=1e-6, atol=1e-6)


@pytest.mark.skipif(not rectified._has_operation(torch.bfloat16), reason="this torch has not the one operation")
def test_biases_are_not_rounded() -> None:
    """-1 + (1 + 2^-12), of which bfloat16 would leave 0."""
    conv = nn.Conv2d(4, 4, 1)
    with torch.no_grad():
        conv.weight.fill_(-0.25)
        conv.bias.fill_(1 + 2**-12)  # type: ignore[union-attr]
        with torch.autocast("cpu", torch.bfloat16):
            made = RectifiedConv(conv)(torch.ones(2, 4, 8, 8))
    assert made.dtype == torch.bfloat16
    assert torch.equal(made.float(), torch.full((2, 4, 8, 8), 2**-12))


def test_rounded_weights_have_the_sums_of_the_true_ones() -> None:
    weight = torch.randn(5, 7, 3, 3, generator=torch.Generator().manual_seed(0))
    made, plain = rounded(weight, torch.bfloat16), weight.bfloat16()
    assert made.dtype == torch.bfloat16
    assert made.shape == weight.shape
    step = 2.0**-8 * weight.abs().clamp(min=0.5)  # of bfloat16 at least, where it matters
    assert ((made.double() - weight).abs() <= 1.5 * step.amax()).all()
    off, plain_off = ((each.double() - weight.double()).flatten(1).sum(dim=1).abs() for each in (made, plain))
    assert float(off.max()) <= 2.0**-8 * float(weight.abs().max())
    assert float(off.mean()) < float(plain_off.mean()) / 4
    assert rounded(weight, torch.float32) is weight


def test_half_precision_moves_the_frechet_distance_little(exact: Any, pictures: Callable[..., Tensor]) -> None:
    """Of sets that differ; random weights magnify rounding more than those of the published file."""
    fake, real = pictures(32, 32, seed=4), pictures(32, 32, seed=5) // 2
    half = exact.in_precision("bf16")
    near, true = (
        frechet_distance_of_samples(extractor(fake).features.numpy(), extractor(real).features.numpy())
        for extractor in (half, exact)
    )
    assert near == pytest.approx(true, rel=0.02)
