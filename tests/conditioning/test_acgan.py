from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from ganeval.conditioning.acgan import ACGAN, ClassVerdict
from ganeval.conditioning.d2dce import D2DCE
from ganeval.conditioning.label_scheme import LabelScheme
from ganeval.errors import UserError
from ganeval.networks.layers import Layers

Y_REAL, Y_FAKE = torch.tensor([0, 2, 1, 1]), torch.tensor([1, 1, 0, 2])


def verdict(seed: int) -> ClassVerdict:
    logits = torch.randn(4, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 2
    return ClassVerdict(torch.zeros(4), torch.zeros(4, 1), logits.requires_grad_())


def slow_cross_entropy(logits: Tensor, labels: Tensor) -> float:
    return sum(-torch.log(row.exp()[y] / row.exp().sum()).item() for row, y in zip(logits, labels, strict=True)) / len(labels)


def test_variants_differ_in_what_the_classifier_learns_of_fakes() -> None:
    real, fake = verdict(1), verdict(2)
    on_real, on_fake = slow_cross_entropy(real.class_logits, Y_REAL), slow_cross_entropy(fake.class_logits, Y_FAKE)
    dynamic = slow_cross_entropy(fake.class_logits, fake.class_logits.argmax(1))
    assert dynamic < on_fake
    expected = {"studiogan": (on_real, on_fake), "original": (on_real + on_fake, on_fake), "am-gan": (on_real, dynamic)}
    for variant, (d_value, g_value) in expected.items():
        scheme = ACGAN(weight=0.7, variant=variant)
        assert scheme.d_loss(real, fake, Y_REAL, Y_FAKE).item() == pytest.approx(0.7 * d_value, rel=1e-12)
        assert scheme.g_loss(fake, Y_FAKE).item() == pytest.approx(0.7 * g_value, rel=1e-12)


def test_dynamic_target_has_the_gradient_of_a_constant_one() -> None:
    fake = verdict(3)
    (gradient,) = torch.autograd.grad(ACGAN(variant="am-gan").g_loss(fake, Y_FAKE), fake.class_logits)
    target = fake.class_logits.detach().argmax(1)
    expected = (fake.class_logits.softmax(1) - torch.eye(3, dtype=torch.float64)[target]) / 4
    torch.testing.assert_close(gradient, expected)


def test_class_gradient_grows_with_p_minus_one_times_h() -> None:
    """dCE/dw_k = sum_i (p_ik - 1[y_i = k]) h_i."""
    head = ACGAN().head(5, 3, Layers(False)).double()
    h = torch.randn(4, 5, dtype=torch.float64)
    answer = head(h, Y_REAL)
    (gradient,) = torch.autograd.grad(ACGAN().g_loss(answer, Y_REAL), head.classifier.weight)
    residual = answer.class_logits.softmax(1) - torch.eye(3, dtype=torch.float64)[Y_REAL]
    torch.testing.assert_close(gradient, residual.T @ h / 4)


def growth(scheme: LabelScheme, layer: str, num_classes: int, seed: int) -> float:
    """How much the gradient of a random ``layer`` rises when rectified features grow tenfold."""
    torch.manual_seed(seed)
    h = torch.randn(256, 128, dtype=torch.float64).relu()
    y = torch.arange(256) % num_classes
    head = scheme.head(128, num_classes, Layers(False)).double()
    for parameter in head.parameters():
        nn.init.normal_(parameter, std=128**-0.5)
    weight = getattr(head, layer).weight
    small, large = (torch.autograd.grad(scheme.label_loss(head(scale * h, y), y), weight)[0].norm().item() for scale in (1, 10))
    return large / small


@pytest.mark.parametrize("num_classes", [10, 20, 100])
def test_raw_class_gradient_explodes_with_the_feature_norm_and_the_normalised_one_does_not(num_classes: int) -> None:
    raw = [growth(ACGAN(), "classifier", num_classes, seed) for seed in range(5)]
    assert 19 < sorted(raw)[2] < 31
    for seed in range(2):
        for scheme, layer in ((ACGAN(normalize=True), "classifier"), (D2DCE(embed_dim=32), "embed")):
            assert 1 / 1.35 < growth(scheme, layer, num_classes, seed) < 1.35


@pytest.mark.parametrize("spectral_norm", [False, True])
def test_normalisation_reaches_features_and_class_weights(spectral_norm: bool) -> None:
    head = ACGAN(normalize=True).head(6, 3, Layers(spectral_norm))
    h = torch.randn(4, 6)
    logits = head(h, Y_REAL).class_logits
    torch.testing.assert_close(logits, normalize(h, dim=1) @ normalize(head.classifier.weight, dim=1).T)
    with torch.no_grad():
        head.classifier.weight.mul_(torch.tensor([[5.0], [0.1], [2.0]]))
    torch.testing.assert_close(head(9 * h, Y_REAL).class_logits, logits)
    assert ACGAN().head(6, 3, Layers(False))(9 * h, Y_REAL).class_logits.abs().max() > 1


def test_normalised_weights_are_trained() -> None:
    head = ACGAN(normalize=True).head(6, 3, Layers(False))
    cross_entropy(head(torch.randn(4, 6), Y_REAL).class_logits, Y_REAL).backward()
    assert head.classifier.weight.grad.abs().sum() > 0


def test_unknown_variant_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UserError, match="choose one of studiogan, original, am-gan"):
        ACGAN(variant="amgan")
