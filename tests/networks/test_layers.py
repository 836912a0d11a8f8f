"""The layers: initialisation, conditional batch normalisation and self-attention against closed forms and torch."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.functional import batch_norm as torch_batch_norm
from torch.nn.functional import max_pool2d, scaled_dot_product_attention

from ganeval.networks.layers import (
    ConditionalBatchNorm,
    Layers,
    PlainBatchNorm,
    SelfAttention,
    batch_norm,
    track_batch_statistics,
)
from ganeval.networks.spectral_norm import SpectralNorm


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("normalised", [False, True])
def test_weights_are_orthogonal_and_biases_zero(normalised: bool) -> None:
    layers = Layers(normalised)
    made = [layers.conv(3, 5, 3), layers.conv_transpose(4, 3, 4), layers.linear(7, 4), layers.embedding(9, 4)]
    for layer in made:
        matrix = layer.weight.detach().flatten(1)
        narrow = matrix if len(matrix) <= matrix.shape[1] else matrix.t()
        torch.testing.assert_close(narrow @ narrow.t(), torch.eye(len(narrow)), rtol=0, atol=1e-5)
        assert isinstance(layer, SpectralNorm) is normalised
    assert all((layer.bias == 0).all() for layer in made[:3])
    assert layers.conv(3, 5, 1, bias=False).bias is None
    assert layers.linear(3, 5, bias=False).bias is None


def test_conditional_batch_norm_is_its_formula() -> None:
    norm = ConditionalBatchNorm(3, 5, Layers(False))
    x, condition = 2 + 3 * torch.randn(4, 3, 6, 6), torch.randn(4, 5)
    standard = torch_batch_norm(x, None, None, training=True, eps=1e-4)
    gain, bias = condition @ norm.gain.weight.t(), condition @ norm.bias.weight.t()
    expected = standard * (1 + gain)[:, :, None, None] + bias[:, :, None, None]
    torch.testing.assert_close(norm(x, condition), expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(norm.bn.running_mean, 0.1 * x.mean((0, 2, 3)), rtol=1e-5, atol=1e-6)


def test_a_zero_condition_leaves_plain_batch_norm() -> None:
    x = torch.randn(4, 3, 6, 6)
    conditional, plain = ConditionalBatchNorm(3, 5, Layers(True)), PlainBatchNorm(3)
    torch.testing.assert_close(conditional(x, torch.zeros(4, 5)), plain(x, torch.zeros(4, 5)))
    assert sum(p.numel() for p in plain.parameters()) == 6
    assert not list(conditional.bn.parameters())


def test_batch_norm_has_the_published_eps() -> None:
    x = torch.full((2, 1, 1, 1), 1e-2) * torch.tensor([1.0, -1.0])[:, None, None, None]
    variance = 1e-4
    torch.testing.assert_close(batch_norm(1)(x), x / (variance + 1e-4) ** 0.5)


def test_running_statistics_stop_and_batch_statistics_stay() -> None:
    network = nn.Sequential(batch_norm(2), nn.Sequential(PlainBatchNorm(2).bn)).train()
    x = 5 + torch.randn(8, 2, 4, 4)
    track_batch_statistics(network, False)
    untracked = network(x)
    assert (network[0].running_mean == 0).all()
    assert network[0].num_batches_tracked == 0
    track_batch_statistics(network, True)
    torch.testing.assert_close(untracked, network(x))
    assert (network[0].running_mean > 0.1).all()
    assert network[1][0].num_batches_tracked == 1
    track_batch_statistics(network, False)
    evaluated = network.eval()(x)
    track_batch_statistics(network, True)
    assert torch.equal(evaluated, network(x))


@pytest.mark.parametrize("normalised", [False, True])
def test_attention_starts_as_the_identity(normalised: bool) -> None:
    x = torch.randn(2, 16, 4, 6)
    assert torch.equal(SelfAttention(16, Layers(normalised))(x), x)


def test_attention_is_softmax_attention_over_pooled_positions() -> None:
    attention = SelfAttention(16, Layers(False))
    attention.sigma.data.fill_(0.7)
    x = torch.randn(2, 16, 4, 6)
    queries, keys, values = attention.theta(x), max_pool2d(attention.phi(x), 2), max_pool2d(attention.g(x), 2)
    assert queries.shape[1] == keys.shape[1] == 2
    assert values.shape[1] == 8
    flat = [part.flatten(2).transpose(1, 2) for part in (queries, keys, values)]
    seen = scaled_dot_product_attention(*flat, scale=1.0).transpose(1, 2).reshape(2, 8, 4, 6)
    torch.testing.assert_close(attention(x), x + 0.7 * attention.attn(seen), rtol=1e-5, atol=1e-6)


def test_attention_can_be_differentiated_twice() -> None:
    attention = SelfAttention(8, Layers(True))
    attention.sigma.data.fill_(0.5)
    x = torch.randn(2, 8, 4, 4, requires_grad=True)
    (gradient,) = torch.autograd.grad(attention(x).pow(2).sum(), x, create_graph=True)
    gradient.pow(2).sum().backward()
    assert attention.theta.weight.grad is not None
    assert attention.theta.weight.grad.abs().max() > 0


def test_attention_on_few_channels_keeps_one() -> None:
    attention = SelfAttention(4, Layers(False))
    assert attention.theta.out_channels == 1
    assert attention.g.out_channels == 2
    assert attention(torch.randn(1, 4, 4, 4)).shape == (1, 4, 4, 4)
