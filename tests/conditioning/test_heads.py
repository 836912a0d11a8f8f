from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from ganeval.conditioning.acgan import ACGAN
from ganeval.conditioning.adc import ADC
from ganeval.conditioning.base import Conditioning, Discriminator, Verdict
from ganeval.conditioning.contrastive import Contrastive
from ganeval.conditioning.d2dce import D2DCE
from ganeval.conditioning.mirror import Mirror
from ganeval.conditioning.multi_hinge import MultiHinge
from ganeval.conditioning.none import Unconditional
from ganeval.conditioning.projection import Projection
from ganeval.conditioning.tac import TAC
from ganeval.networks.layers import Layers

# Discriminator parameters of PyTorch-StudioGAN on CIFAR-10. Its BigGAN body has 2,413,250 - 193 parameters (the unconditional
# network without its logit), its ResNet body with BatchNorm 1,055,879 - 129 (WGAN-GP without its logit).
BIG, RESNET = 2_413_250 - 193, 1_055_879 - 129
TOTALS = [
    (Unconditional(), BIG, 2_413_250),
    (Projection(), BIG, 2_415_170),
    (Contrastive(), BIG, 2_517_186),
    (D2DCE(), BIG, 2_517_186),
    (ACGAN(), BIG, 2_415_170),
    (ACGAN(), RESNET, 1_057_159),
    (TAC(base=ACGAN()), BIG, 2_417_090),
    (TAC(base=D2DCE()), BIG, 2_621_122),
    (ADC(base=ACGAN()), BIG, 2_417_090),
    (ADC(base=D2DCE()), BIG, 2_522_306),
    (MultiHinge(), BIG, 2_415_180),
    (Mirror(), BIG, 2_414_987),
]
NAMES = {
    "none": {"adversarial"},
    "projection": {"adversarial", "embedding"},
    "acgan": {"adversarial", "classifier"},
    "contrastive": {"adversarial", "embed", "proxies"},
    "d2dce": {"adversarial", "embed", "proxies"},
    "multi-hinge": {"adversarial"},
    "mirror": {"adversarial"},
}


def every_scheme() -> list[Conditioning]:
    bases = [ACGAN(), ACGAN(normalize=True), Contrastive(embed_dim=6), D2DCE(embed_dim=6)]
    return [
        Unconditional(), Projection(), Mirror(), MultiHinge(), *bases, *(TAC(base=base) for base in bases),
        *(ADC(base=base) for base in bases),
    ]  # fmt: skip


@pytest.mark.parametrize(("scheme", "body", "total"), TOTALS, ids=lambda value: getattr(value, "kind", None))
@pytest.mark.parametrize("spectral_norm", [False, True])
def test_parameter_counts_are_those_of_studiogan(scheme: Conditioning, body: int, total: int, spectral_norm: bool) -> None:
    head = scheme.head(192 if body == BIG else 128, 10, Layers(spectral_norm))
    assert body + sum(parameter.numel() for parameter in head.parameters()) == total


@pytest.mark.parametrize("kind", sorted(NAMES))
def test_submodules_have_the_names_importers_rely_on(kind: str) -> None:
    head = Conditioning.member(kind)().head(8, 3, Layers(True))
    assert {name for name, _ in head.named_children()} == NAMES[kind]


def test_twin_and_doubled_heads_extend_the_names_of_their_base() -> None:
    def names(scheme: Conditioning) -> set[str]:
        return {name for name, _ in scheme.head(8, 3, Layers(False)).named_children()}

    assert names(TAC(base=ACGAN())) == NAMES["acgan"] | {"twin_classifier"}
    assert names(TAC(base=D2DCE())) == NAMES["d2dce"] | {"twin_embed", "twin_proxies"}
    assert names(ADC(base=ACGAN())) == NAMES["acgan"]
    assert names(ADC(base=Contrastive())) == NAMES["contrastive"]


@pytest.mark.parametrize("scheme", every_scheme(), ids=lambda scheme: f"{scheme.kind}-{getattr(scheme, 'base', scheme).kind}")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("count", [1, 5])
def test_every_scheme_trains_on_any_batch(scheme: Conditioning, dtype: torch.dtype, count: int) -> None:
    network = Discriminator(nn.Linear(4, 8), scheme.head(8, 3, Layers(True))).to(dtype)
    for labels in (torch.arange(count) % 3, torch.ones(count, dtype=torch.int64)):
        verdict = network(torch.randn(count, 4, dtype=dtype), labels)
        other = network(torch.randn(count, 4, dtype=dtype), labels)
        assert verdict.adv.shape == (count,)
        assert verdict.h.shape == (count, 8)
        loss = scheme.d_loss(verdict, other, labels, labels) + scheme.g_loss(other, labels) + other.adv.sum()
        assert loss.shape == ()
        assert loss.dtype == dtype
        loss.backward()
        assert torch.isfinite(loss)
        assert all(torch.isfinite(p.grad).all() for p in network.parameters() if p.grad is not None)


@pytest.mark.parametrize("scheme", [Unconditional(), Projection(), Mirror()])
def test_schemes_inside_the_logit_add_no_term(scheme: Conditioning) -> None:
    verdict = Verdict(torch.ones(3), torch.ones(3, 2))
    labels = torch.zeros(3, dtype=torch.int64)
    assert scheme.d_loss(verdict, verdict, labels, labels) == 0
    assert scheme.g_loss(verdict, labels) == 0


def test_projection_adds_the_product_with_the_labels_embedding() -> None:
    head = Projection().head(6, 4, Layers(False))
    h, y = torch.randn(5, 6), torch.tensor([0, 3, 3, 1, 2])
    expected = [
        h[i] @ head.adversarial.weight[0] + head.adversarial.bias[0] + h[i] @ head.embedding.weight[y[i]] for i in range(5)
    ]
    torch.testing.assert_close(head(h, y).adv, torch.stack(expected))


def test_mirror_reads_the_logit_of_the_label() -> None:
    head = Mirror().head(6, 4, Layers(False))
    h, y = torch.randn(5, 6), torch.tensor([0, 3, 3, 1, 2])
    assert torch.equal(head(h, y).adv, head.adversarial(h)[range(5), y])


def test_unconditional_logit_does_not_depend_on_the_label() -> None:
    head = Unconditional().head(6, 4, Layers(False))
    h = torch.randn(5, 6)
    assert torch.equal(head(h, torch.zeros(5, dtype=torch.int64)).adv, head(h, torch.arange(5) % 4).adv)
    assert torch.equal(head(h, torch.arange(5) % 4).adv, head.adversarial(h)[:, 0])


def norms(rows: Tensor) -> list[float]:
    return rows.norm(dim=-1).flatten().tolist()


def test_embeddings_and_proxies_have_unit_norm_and_proxies_are_those_of_the_labels() -> None:
    head = D2DCE(embed_dim=7).head(6, 4, Layers(False))
    h, y = 30 * torch.randn(5, 6), torch.tensor([0, 3, 3, 1, 2])
    verdict = head(h, y)
    assert norms(verdict.embedding) == pytest.approx([1] * 5)
    assert norms(verdict.proxy) == pytest.approx([1] * 5)
    torch.testing.assert_close(verdict.proxy, normalize(head.proxies.weight[y], dim=1))
    torch.testing.assert_close(verdict.embedding, normalize(head.embed(h), dim=1))


def test_what_consistency_keeps_equal() -> None:
    h, y = torch.randn(5, 6), torch.arange(5) % 3

    def outputs(scheme: Conditioning) -> list[tuple[int, ...]]:
        return [tuple(output.shape) for output in scheme.head(6, 3, Layers(False))(h, y).consistency()]

    assert outputs(Projection()) == outputs(Unconditional()) == outputs(Mirror()) == [(5,)]
    assert outputs(ACGAN()) == outputs(TAC(base=ACGAN())) == [(5,), (5, 3)]
    assert outputs(ADC(base=ACGAN())) == [(5,), (5, 6)]
    for scheme in (D2DCE(embed_dim=7), TAC(base=D2DCE(embed_dim=7)), ADC(base=Contrastive(embed_dim=7))):
        assert outputs(scheme) == [(5,), (5, 7)]
    assert outputs(MultiHinge()) == [(5, 4)]


def test_a_verdict_of_another_scheme_is_refused() -> None:
    verdict = ACGAN().head(6, 3, Layers(False))(torch.randn(2, 6), torch.zeros(2, dtype=torch.int64))
    with pytest.raises(TypeError, match="ProxyVerdict, and the head gave a ClassVerdict"):
        D2DCE().g_loss(verdict, torch.zeros(2, dtype=torch.int64))


def test_the_loss_of_a_random_classifier_is_about_the_logarithm_of_the_number_of_classes() -> None:
    head = ACGAN(normalize=True).head(64, 50, Layers(False))
    y = torch.arange(100) % 50
    value = ACGAN(normalize=True).g_loss(head(torch.randn(100, 64), y), y).item()
    assert value == pytest.approx(math.log(50), abs=0.1)
