from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from ganeval.conditioning.base import Discriminator, Verdict
from ganeval.errors import UserError
from ganeval.losses.base import Regularizer, Stage
from ganeval.losses.regularizers.feature_matching import FeatureMatching
from ganeval.losses.regularizers.freeze_d import FreezeD
from ganeval.losses.regularizers.latent_optimization import LatentOptimization
from ganeval.losses.regularizers.lecam import LeCam
from ganeval.losses.regularizers.top_k import TopK
from ganeval.losses.regularizers.weight_clipping import WeightClipping
from ganeval.networks.base import ImageShape
from ganeval.networks.resnet import ResNet

MakeStage = Callable[..., Stage]
PENALTIES = {
    "gradient-penalty": 1, "dragan": 1, "max-gradient-penalty": 1, "r1": 1, "consistency": 1, "balanced-consistency": 1,
    "latent-consistency": 2, "lecam": 1, "feature-matching": 1, "latent-optimization": 2,
}  # fmt: skip


def verdict(*logits: float) -> Verdict:
    return Verdict(torch.tensor(logits, dtype=torch.float64, requires_grad=True), torch.zeros(len(logits), 1))


def test_every_kind_of_the_literature_is_there() -> None:
    assert set(Regularizer.members()) >= {*PENALTIES, "weight-clipping", "top-k", "freeze-d"}


@pytest.mark.parametrize("kind", PENALTIES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_penalties_keep_the_precision_and_follow_the_rng_alone(kind: str, dtype: torch.dtype, make_stage: MakeStage) -> None:
    regularizer = Regularizer.member(kind)()

    def penalties(seed: int) -> list[Tensor]:
        base = make_stage(dtype)
        stage = make_stage(
            dtype, step=2000, drawn_z=base.z * 0.9, rng=torch.Generator().manual_seed(seed),
            fresh_real=lambda: (base.real * 1.5, base.y_real),
        )  # fmt: skip
        torch.rand(1)  # the global generator must not matter
        state = regularizer.initial_state()
        values = (regularizer.d_penalty(stage, state), regularizer.g_penalty(stage, state))
        return [value for value in values if value is not None]

    first, again = penalties(1), penalties(1)
    assert len(first) == PENALTIES[kind]
    assert all(value.shape == () and value.dtype == dtype and torch.isfinite(value) for value in first)
    assert first == again


class TestLeCam:
    def stage(self, make_stage: MakeStage, step: int) -> Stage:
        return make_stage(step=step, real_verdict=verdict(2.0, 0.0, 1.0), fake_verdict=verdict(-1.0, -3.0))

    def test_anchors_move_before_they_are_used(self, make_stage: MakeStage) -> None:
        lecam = LeCam(weight=0.3, decay=0.9, start=10)
        state = {"real": torch.tensor(0.5, dtype=torch.float64), "fake": torch.tensor(0.25, dtype=torch.float64)}
        stage = self.stage(make_stage, 11)
        value = lecam.d_penalty(stage, state)
        real, fake = 0.9 * 0.5 + 0.1 * 1.0, 0.9 * 0.25 - 0.1 * 2.0
        assert state["real"].item() == pytest.approx(real, rel=1e-14)
        assert state["fake"].item() == pytest.approx(fake, rel=1e-14)
        on_real = ((2 - fake) ** 2 + 0 + (1 - fake) ** 2) / 3
        on_fake = ((real + 1) ** 2 + (real + 3) ** 2) / 2
        assert value.item() == pytest.approx(0.3 * (on_real + on_fake), rel=1e-14)
        (gradient,) = torch.autograd.grad(value, stage.real_verdict.adv)
        torch.testing.assert_close(gradient, torch.tensor([2 - fake, 0, 1 - fake], dtype=torch.float64) * 0.3 * 2 / 3)

    def test_up_to_the_start_the_anchors_follow_and_there_is_no_penalty(self, make_stage: MakeStage) -> None:
        lecam = LeCam(start=10)
        state = lecam.initial_state()
        assert lecam.d_penalty(self.stage(make_stage, 10), state) is None
        assert (state["real"].item(), state["fake"].item()) == (1.0, -2.0)
        assert lecam.d_penalty(self.stage(make_stage, 11), state) is not None

    def test_state_is_two_scalars_in_double_precision_changed_in_place(self, make_stage: MakeStage) -> None:
        state = LeCam().initial_state()
        before = dict(state)
        LeCam().d_penalty(make_stage(torch.float32, step=5000), state)
        assert all(state[name] is tensor and tensor.dtype == torch.float64 for name, tensor in before.items())
        assert state["real"] != 0


def test_weight_clipping_clamps_every_parameter_and_no_buffer() -> None:
    network = nn.Sequential(nn.Linear(20, 20), nn.BatchNorm1d(20))
    network(torch.randn(8, 20) * 5 + 3)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    WeightClipping(bound=0.02).after_d_update(network)
    for name, parameter in network.named_parameters():
        assert torch.equal(parameter, before[name].clamp(-0.02, 0.02))
    assert torch.equal(network[1].weight, torch.full((20,), 0.02))
    assert torch.equal(network[1].running_mean, before["1.running_mean"])


def test_feature_matching_compares_means_and_gives_reals_no_gradient(make_stage: MakeStage) -> None:
    shown = torch.linspace(-1, 2, 4 * 512, dtype=torch.float64).view(4, 2, 16, 16).requires_grad_()
    features = torch.randn(6, 512, dtype=torch.float64, requires_grad=True)
    stage = make_stage(
        real=None, y_real=None, real_verdict=None, fake_verdict=Verdict(features[:, 0], features),
        fresh_real=lambda: (shown, torch.tensor([0, 1, 2, 0])),
    )  # fmt: skip
    value = FeatureMatching(weight=2.0).g_penalty(stage, {})
    gap = features.detach().mean(0) - shown.detach().flatten(1).mean(0)
    assert value.item() == pytest.approx(2 * gap.abs().mean().item(), rel=1e-12)
    value.backward()
    torch.testing.assert_close(features.grad, (2 * gap.sign() / 512 / 6).expand(6, 512))
    assert shown.grad is None


class TestTopK:
    def test_share_shrinks_each_epoch_down_to_nu(self) -> None:
        top_k = TopK(gamma=0.5, nu=0.3, decay_every=100)
        counts = [len(top_k.select(torch.randn(20), step)) for step in (0, 99, 100, 199, 200, 5000)]
        assert counts == [20, 20, 10, 10, 6, 6]
        assert len(TopK(gamma=0.29, nu=0.01, decay_every=1).select(torch.randn(100), 1)) == 29
        assert len(TopK(gamma=0.5, nu=0.01, decay_every=1).select(torch.randn(10), 100)) == 1

    def test_the_most_real_looking_fakes_stay_with_their_gradient(self) -> None:
        adv = torch.tensor([0.1, 5.0, -2.0, 3.0], requires_grad=True)
        chosen = TopK(gamma=0.5, nu=0.1, decay_every=1).select(adv, 1)
        assert sorted(chosen.tolist()) == [3.0, 5.0]
        chosen.sum().backward()
        assert adv.grad.tolist() == [0, 1, 0, 1]

    @pytest.mark.parametrize("wrong", [{"gamma": 0.0}, {"nu": 1.5}, {"decay_every": 0}])
    def test_impossible_settings_are_refused(self, wrong: dict[str, float]) -> None:
        with pytest.raises(UserError, match="top-k"):
            TopK(**({"gamma": 0.9, "nu": 0.5, "decay_every": 10} | wrong))


class TestLatentOptimization:
    def slopes(self, stage: Stage) -> Tensor:
        """d D(G(z), y) / dz of the linear pair."""
        return stage.discriminator.slopes[stage.y_fake].flatten(1) @ stage.generator.weight.T

    def move(self, stage: Stage, logan: LatentOptimization, z: Tensor, seed: int = 1) -> Tensor:
        return logan.latents(z, stage.y_fake, stage.generator, stage.discriminator, torch.Generator().manual_seed(seed))

    def closed_form(self, z: Tensor, slope: Tensor, alpha: float = 0.9, beta: float = 0.1) -> Tensor:
        return (z + alpha * slope / (beta + slope.square().sum(1, keepdim=True))).clamp(-1, 1)

    def test_one_step(self, make_stage: MakeStage) -> None:
        stage = make_stage()
        z = stage.z.clamp(-0.8, 0.8)
        moved = self.move(stage, LatentOptimization(rate=1.0), z)
        expected = self.closed_form(z, self.slopes(stage))
        torch.testing.assert_close(moved, expected)
        assert (moved.abs() == 1).any()
        assert ((moved - z).abs() > 1e-3).any(dim=1).all()

    def test_further_steps_start_where_the_last_one_ended(self, make_stage: MakeStage) -> None:
        stage = make_stage()
        slope, expected = self.slopes(stage), stage.z
        for _ in range(3):
            expected = self.closed_form(expected, slope, alpha=0.2)
        torch.testing.assert_close(self.move(stage, LatentOptimization(steps=3, alpha=0.2, rate=1.0), stage.z), expected)
        once = self.move(stage, LatentOptimization(steps=1, alpha=0.2, rate=1.0), stage.z)
        assert not torch.allclose(once, expected)

    def test_a_share_of_the_samples_is_moved(self, make_stage: MakeStage) -> None:
        stage = make_stage()
        z, y = torch.zeros(400, 4, dtype=torch.float64), torch.zeros(400, dtype=torch.int64)
        rng = torch.Generator().manual_seed(3)
        moved = LatentOptimization(rate=0.8).latents(z, y, stage.generator, stage.discriminator, rng)
        share = moved.ne(0).any(1).double().mean().item()
        assert share == pytest.approx(0.8, abs=0.06)
        assert torch.equal(self.move(stage, LatentOptimization(rate=0.0), stage.z), stage.z.clamp(-1, 1))

    def test_the_gradient_flows_through_the_step_where_gradients_are_kept(self, make_stage: MakeStage) -> None:
        stage = make_stage()
        moved = self.move(stage, LatentOptimization(rate=1.0), stage.z * 0.1)
        expected = self.closed_form(stage.z * 0.1, self.slopes(stage))
        weights = (stage.generator.weight, stage.discriminator.slopes)
        for got, wanted in zip(
            torch.autograd.grad(moved.square().sum(), weights), torch.autograd.grad(expected.square().sum(), weights), strict=True
        ):
            torch.testing.assert_close(got, wanted)
            assert wanted.abs().sum() > 0
        with torch.no_grad():
            constant = self.move(stage, LatentOptimization(rate=1.0, steps=2), stage.z * 0.1)
        assert not constant.requires_grad
        assert stage.generator.weight.grad is None

    def test_transport_cost(self, make_stage: MakeStage) -> None:
        logan = LatentOptimization(weight=0.1)
        stage = make_stage()
        paid = make_stage(drawn_z=stage.z - 0.5)
        for penalty in (logan.d_penalty, logan.g_penalty):
            assert penalty(paid, {}).item() == pytest.approx(0.1 * 4 * 0.25, rel=1e-12)
            with pytest.raises(ValueError, match="drawn_z"):
                penalty(stage, {})

    @pytest.mark.parametrize("wrong", [{"steps": 0}, {"rate": 1.2}])
    def test_impossible_settings_are_refused(self, wrong: dict[str, float]) -> None:
        with pytest.raises(UserError, match="latent-optimization"):
            LatentOptimization(**wrong)


class TestFreezeD:
    def network(self) -> Discriminator:
        backbone = ResNet(d_channels=2, d_attention=(1, 3), d_spectral_norm=True)
        return Discriminator(backbone.discriminator(ImageShape(3, 32)), nn.Linear(1, 1))

    def test_first_blocks_are_frozen_with_their_attention(self) -> None:
        network = self.network()
        FreezeD(blocks=2).prepare(network)
        frozen = {name for name, parameter in network.named_parameters() if not parameter.requires_grad}
        prefixes = ("body.blocks.0.", "body.blocks.1.", "body.attention.0.", "body.attention.1.")
        assert frozen == {name for name, _ in network.named_parameters() if name.startswith(prefixes)}
        assert any(name.startswith("body.attention.0.") for name in frozen)

    def test_the_input_layer_of_deep_networks_is_frozen_too(self) -> None:
        network = nn.Module()
        network.body = nn.Module()
        network.body.from_image = nn.Linear(1, 1)
        network.body.stages = nn.ModuleList(nn.Sequential(nn.Linear(1, 1)) for _ in range(3))
        FreezeD(blocks=1).prepare(network)
        trained = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
        assert trained == {f"body.stages.{i}.0.{leaf}" for i in (1, 2) for leaf in ("weight", "bias")}

    def test_too_many_blocks_or_none_are_refused(self) -> None:
        with pytest.raises(UserError, match="has 4: give 1 to 4"):
            FreezeD(blocks=5).prepare(self.network())
        with pytest.raises(UserError, match="no blocks"):
            FreezeD(blocks=1).prepare(Discriminator(nn.Linear(1, 1), nn.Linear(1, 1)))
