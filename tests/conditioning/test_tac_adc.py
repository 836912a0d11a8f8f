from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from ganeval.conditioning.acgan import ACGAN
from ganeval.conditioning.adc import ADC
from ganeval.conditioning.contrastive import Contrastive
from ganeval.conditioning.d2dce import D2DCE
from ganeval.conditioning.label_scheme import LabelScheme
from ganeval.conditioning.tac import TAC
from ganeval.errors import UserError
from ganeval.networks.layers import Layers

BASES = [
    ACGAN(weight=0.8), ACGAN(weight=0.8, normalize=True), Contrastive(weight=0.8, embed_dim=5, temperature=0.5),
    D2DCE(weight=0.8, embed_dim=5),
]  # fmt: skip
IDS = ["acgan", "acgan-normalised", "contrastive", "d2dce"]
Y_REAL, Y_FAKE = torch.tensor([0, 2, 1, 1, 0]), torch.tensor([1, 1, 0, 2, 2])


def features(seed: int) -> Tensor:
    return torch.randn(5, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).requires_grad_()


def head_of(scheme: TAC | ADC | LabelScheme, num_classes: int = 3) -> nn.Module:
    return scheme.head(6, num_classes, Layers(False)).double()


def base_heads(head: nn.Module, base: LabelScheme) -> tuple[nn.Module, nn.Module]:
    """Two heads of the base scheme, one with the weights of the main layers, one with those of the twin."""
    main, twin = head_of(base), head_of(base)
    weights = head.state_dict()
    main.load_state_dict({key: value for key, value in weights.items() if not key.startswith("twin_")})
    as_main = {key.removeprefix("twin_"): value for key, value in weights.items() if key.startswith("twin_")}
    twin.load_state_dict({key: as_main.get(key, value) for key, value in weights.items() if not key.startswith("twin_")})
    return main, twin


@pytest.mark.parametrize("base", BASES, ids=IDS)
class TestTAC:
    def test_losses_are_those_of_two_heads_of_the_base_scheme(self, base: LabelScheme) -> None:
        scheme = TAC(base=base, d_weight=0.3, g_weight=0.6)
        head = head_of(scheme)
        main, twin = base_heads(head, base)
        real, fake = features(1), features(2)
        d_value = scheme.d_loss(head(real, Y_REAL), head(fake, Y_FAKE), Y_REAL, Y_FAKE)
        g_value = scheme.g_loss(head(fake, Y_FAKE), Y_FAKE)
        on_twin = base.label_loss(twin(fake, Y_FAKE), Y_FAKE)
        d_expected = 0.8 * base.label_loss(main(real, Y_REAL), Y_REAL) + 0.3 * on_twin
        g_expected = 0.8 * base.label_loss(main(fake, Y_FAKE), Y_FAKE) - 0.6 * on_twin
        for value, expected in ((d_value, d_expected), (g_value, g_expected)):
            assert value.item() == pytest.approx(expected.item(), rel=1e-12)
            got, wanted = (torch.autograd.grad(x, fake, retain_graph=True)[0] for x in (value, expected))
            torch.testing.assert_close(got, wanted)

    def test_the_twin_is_trained_on_fakes_and_the_main_layers_on_reals(self, base: LabelScheme) -> None:
        scheme = TAC(base=base)
        head = head_of(scheme)
        real, fake = features(1), features(2)
        scheme.d_loss(head(real, Y_REAL), head(fake, Y_FAKE), Y_REAL, Y_FAKE).backward()
        trained = {name.split(".")[0] for name, p in head.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
        assert trained == {name for name, _ in head.named_children()} - {"adversarial"}

    def test_each_part_reads_its_own_images(self, base: LabelScheme) -> None:
        scheme = TAC(base=base)
        head = head_of(scheme)
        parameters = dict(head.named_parameters())

        def gradients(real: Tensor, fake: Tensor) -> dict[str, Tensor | None]:
            value = scheme.d_loss(head(real, Y_REAL), head(fake, Y_FAKE), Y_REAL, Y_FAKE)
            return dict(zip(parameters, torch.autograd.grad(value, list(parameters.values()), allow_unused=True), strict=True))

        plain = gradients(features(1), features(2))
        for is_twin, other in ((True, gradients(features(3), features(2))), (False, gradients(features(1), features(3)))):
            for name, gradient in plain.items():
                if gradient is not None:
                    assert torch.allclose(gradient, other[name]) == (name.startswith("twin_") == is_twin)

    def test_equal_heads_and_weights_leave_the_generator_no_conditional_gradient(self, base: LabelScheme) -> None:
        """What PyTorch-StudioGAN computes since its twin losses read the main layers; with a twin of its own it is not so."""
        scheme = TAC(base=base, g_weight=0.8)
        head, fake = head_of(scheme), features(2)
        value = scheme.g_loss(head(fake, Y_FAKE), Y_FAKE)
        assert torch.autograd.grad(value, fake)[0].abs().max() > 1e-3
        for name, twin in head.named_children():
            if name.startswith("twin_"):
                twin.load_state_dict(head.get_submodule(name.removeprefix("twin_")).state_dict())
        value = scheme.g_loss(head(fake, Y_FAKE), Y_FAKE)
        assert value.item() == pytest.approx(0, abs=1e-14)
        assert torch.autograd.grad(value, fake)[0].abs().max() < 1e-14


@pytest.mark.parametrize("base", BASES, ids=IDS)
class TestADC:
    def test_one_verdict_gives_what_two_runs_of_the_base_scheme_give(self, base: LabelScheme) -> None:
        scheme = ADC(base=base)
        head, doubled = head_of(scheme), head_of(base, num_classes=6)
        doubled.load_state_dict(head.state_dict())
        real, fake = features(1), features(2)

        def run(h: Tensor, labels: Tensor) -> Tensor:
            return base.label_loss(doubled(h, labels), labels)

        g_value = scheme.g_loss(head(fake, Y_FAKE), Y_FAKE)
        g_expected = 0.8 * (run(fake, 2 * Y_FAKE) - run(fake, 2 * Y_FAKE + 1))
        d_value = scheme.d_loss(head(real, Y_REAL), head(fake, Y_FAKE), Y_REAL, Y_FAKE)
        d_expected = 0.8 * (run(real, 2 * Y_REAL) + run(fake, 2 * Y_FAKE + 1))
        for value, expected in ((g_value, g_expected), (d_value, d_expected)):
            assert value.item() == pytest.approx(expected.item(), rel=1e-12)
            got, wanted = (torch.autograd.grad(x, fake)[0] for x in (value, expected))
            torch.testing.assert_close(got, wanted)

    def test_proxies_are_read_once_in_a_forward_pass(self, base: LabelScheme) -> None:
        head = ADC(base=base).head(6, 3, Layers(True))
        calls: list[str] = []
        for name, child in head.named_children():
            child.register_forward_hook(lambda *_, name=name: calls.append(name))
        head(features(1).float(), Y_REAL)
        assert len(calls) == len(set(calls))


def test_adc_refuses_variants_that_have_other_targets() -> None:
    with pytest.raises(UserError, match="variant is 'am-gan'"):
        ADC(base=ACGAN(variant="am-gan"))


def test_bases_are_the_schemes_with_a_loss_on_labels() -> None:
    assert set(LabelScheme.members()) == {"acgan", "contrastive", "d2dce"}
