"""Spectral normalisation against torch's two implementations, and its own closed forms."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm as parametrized

from ganeval.networks.layers import Layers
from ganeval.networks.spectral_norm import (
    SNConv2d,
    SNConvTranspose2d,
    SNEmbedding,
    SNLinear,
    SpectralNorm,
    fold,
    normalised_layers,
    refresh,
)

Make = Callable[[], tuple[SpectralNorm, nn.Module, Tensor]]


def pair(ours: SpectralNorm, plain: nn.Module, inputs: Tensor) -> tuple[SpectralNorm, nn.Module, Tensor]:
    """Our layer, torch's legacy layer with the same weights and vectors, and an input."""
    plain.load_state_dict({key: value for key, value in ours.state_dict().items() if key in ("weight", "bias")})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        peer = nn.utils.spectral_norm(plain, eps=1e-6)
    peer.weight_u.copy_(ours.u)  # type: ignore[operator, union-attr]
    peer.weight_v.copy_(ours.v)  # type: ignore[operator, union-attr]
    return ours, peer, inputs


LAYERS: dict[str, Make] = {
    "conv": lambda: pair(SNConv2d(3, 5, 3, 1, 1), nn.Conv2d(3, 5, 3, 1, 1), torch.randn(2, 3, 6, 6)),
    "strided": lambda: pair(SNConv2d(3, 5, 4, 2, 1, bias=False), nn.Conv2d(3, 5, 4, 2, 1, bias=False), torch.randn(2, 3, 6, 6)),
    "transposed": lambda: pair(SNConvTranspose2d(3, 5, 4, 2, 1), nn.ConvTranspose2d(3, 5, 4, 2, 1), torch.randn(2, 3, 6, 6)),
    "linear": lambda: pair(SNLinear(7, 4), nn.Linear(7, 4), torch.randn(3, 7)),
    "embedding": lambda: pair(SNEmbedding(6, 4), nn.Embedding(6, 4), torch.tensor([5, 0, 0, 2])),
}


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("name", LAYERS)
def test_trains_step_by_step_as_the_legacy_hook(name: str) -> None:
    ours, peer, inputs = LAYERS[name]()
    ours_step = torch.optim.SGD(ours.parameters(), lr=0.1)
    peer_step = torch.optim.SGD(peer.parameters(), lr=0.1)
    weight_before = ours.weight.detach().clone()
    for _ in range(4):
        outputs = [module(inputs) for module in (ours, peer)]
        torch.testing.assert_close(outputs[0], outputs[1], rtol=1e-5, atol=1e-6)
        for output, optimizer in zip(outputs, (ours_step, peer_step), strict=True):
            optimizer.zero_grad()
            output.pow(3).sum().backward()
        torch.testing.assert_close(ours.weight.grad, peer.weight_orig.grad, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(ours.u, peer.weight_u, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(ours.v, peer.weight_v, rtol=1e-5, atol=1e-6)
        ours_step.step()
        peer_step.step()
    assert (ours.weight - weight_before).abs().max() > 1e-3
    assert torch.allclose(ours.eval()(inputs), peer.eval()(inputs), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", LAYERS)
def test_sigma_is_the_largest_singular_value_in_the_end(name: str) -> None:
    ours, _, _ = LAYERS[name]()
    refresh(ours, 300)
    largest = torch.linalg.matrix_norm(ours.matrix(), ord=2)
    torch.testing.assert_close(ours.eval().normalised_weight(), ours.weight / largest, rtol=1e-4, atol=1e-6)


def test_agrees_with_torchs_parametrization_once_converged() -> None:
    ours = SNLinear(7, 4)
    plain = nn.Linear(7, 4)
    plain.weight.data.copy_(ours.weight.data)
    peer = parametrized(plain, n_power_iterations=300).train()
    refresh(ours, 300)
    torch.testing.assert_close(ours.eval().normalised_weight(), peer.weight, rtol=1e-4, atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(rows=st.integers(1, 9), columns=st.integers(1, 9), scale=st.floats(1e-3, 1e3), seed=st.integers(0, 2**31))
def test_the_normalised_weight_has_norm_one(rows: int, columns: int, scale: float, seed: int) -> None:
    torch.manual_seed(seed)
    layer = SNLinear(columns, rows, bias=False).double()
    layer.weight.data.normal_().mul_(scale)
    refresh(layer, 500)
    norm = torch.linalg.matrix_norm(layer.eval().normalised_weight(), ord=2).item()
    assert 1 - 1e-9 <= norm <= 1.01


def test_evaluation_changes_nothing_and_training_does() -> None:
    layer = SNLinear(7, 4)
    inputs, before = torch.randn(3, 7), copy.deepcopy(layer.state_dict())
    layer.eval()
    assert torch.equal(layer(inputs), layer(inputs))
    assert all(torch.equal(value, before[key]) for key, value in layer.state_dict().items())
    layer.train()(inputs)
    assert not torch.equal(layer.u, before["u"])
    assert not torch.equal(layer.v, before["v"])


def test_two_forward_passes_share_one_backward_pass() -> None:
    ours, peer, inputs = LAYERS["linear"]()
    for module in (ours, peer):
        (module(inputs).pow(2).sum() + 3 * module(2 * inputs).pow(2).sum()).backward()
    torch.testing.assert_close(ours.weight.grad, peer.weight_orig.grad, rtol=1e-4, atol=1e-5)


def test_the_gradient_through_sigma_is_the_closed_form() -> None:
    layer = SNLinear(3, 2, bias=False).eval()
    with torch.no_grad():
        sigma = layer.u @ layer.weight @ layer.v
    direction = torch.randn(2, 3)
    (layer.normalised_weight() * direction).sum().backward()
    expected = direction / sigma - (direction * layer.weight).sum() / sigma**2 * torch.outer(layer.u, layer.v)
    torch.testing.assert_close(layer.weight.grad, expected.detach(), rtol=1e-5, atol=1e-6)


def test_vectors_of_any_length_are_brought_to_one() -> None:
    layer, averaged = SNLinear(7, 4), SNLinear(7, 4)
    averaged.load_state_dict({**layer.state_dict(), "u": layer.u * 0.7, "v": layer.v * 0.9})
    torch.testing.assert_close(averaged.eval().normalised_weight(), layer.eval().normalised_weight() / 0.63)
    for iterations in (0, 1, 3):
        mended, reference = copy.deepcopy(averaged), copy.deepcopy(layer)
        refresh(mended, iterations)
        refresh(reference, iterations)
        assert mended.u.norm().item() == pytest.approx(1, abs=1e-6)
        torch.testing.assert_close(mended.normalised_weight(), reference.normalised_weight(), rtol=1e-5, atol=1e-7)


def test_folding_gives_plain_layers_with_the_same_outputs() -> None:
    layers = Layers(spectral_norm=True)
    network = nn.Sequential(
        layers.conv(3, 4, 3, padding=1),
        nn.Sequential(layers.conv(4, 4, 4, stride=2, padding=1), nn.ReLU(), layers.conv_transpose(4, 2, 4, 2, 1)),
        nn.Flatten(),
        layers.linear(2 * 8 * 8, 5),
    ).eval()
    before, inputs = copy.deepcopy(network.state_dict()), torch.randn(2, 3, 8, 8)
    folded = fold(network, iterations=2)
    assert not list(normalised_layers(folded))
    assert len(list(normalised_layers(network))) == 4
    assert [key for key in before if key.rpartition(".")[2] not in "uv"] == list(folded.state_dict())
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert [type(layer) for layer in folded.modules()][1:3] == [nn.Conv2d, nn.Sequential]
    assert not folded[0].training
    refresh(network, 2)
    torch.testing.assert_close(folded(inputs), network(inputs), rtol=1e-5, atol=1e-6)


def test_a_layer_used_twice_stays_one_layer() -> None:
    layer = SNLinear(4, 4)
    folded = fold(nn.Sequential(layer, nn.ReLU(), layer))
    assert folded[0] is folded[2]
    assert type(folded[0]) is nn.Linear


def test_folding_a_single_layer() -> None:
    layer = SNEmbedding(6, 4)
    layer.iterate(1)
    folded = fold(layer, iterations=0)
    assert type(folded) is nn.Embedding
    torch.testing.assert_close(folded.weight, layer.eval().normalised_weight())


def test_autocast_does_not_round_sigma() -> None:
    layer = SNLinear(64, 64).eval()
    exact = layer.normalised_weight()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(layer.normalised_weight(), exact)
        assert layer(torch.randn(2, 64)).dtype == torch.bfloat16


def test_builds_and_runs_without_memory_on_the_meta_device() -> None:
    with torch.device("meta"):
        layer = Layers(True).conv(3, 4, 3)
        assert layer(torch.empty(2, 3, 8, 8)).shape == (2, 4, 6, 6)


def test_an_output_size_is_refused() -> None:
    with pytest.raises(ValueError, match="output_padding"):
        SNConvTranspose2d(3, 5, 4, 2, 1)(torch.randn(1, 3, 4, 4), [9, 9])
