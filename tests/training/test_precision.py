"""bf16 and fp16: what stays in float32, what a run remembers, and how close it is to fp32."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import batch_norm

from ganeval.checkpoints import Folder, load_folder
from ganeval.conditioning.base import Verdict
from ganeval.conditioning.contrastive import Contrastive
from ganeval.conditioning.proxies import ProxyScheme
from ganeval.data.base import Dataset
from ganeval.errors import UserError
from ganeval.losses.base import Stage
from ganeval.losses.regularizers.gradients import critic_for, image_gradients
from ganeval.losses.regularizers.latent_optimization import LatentOptimization
from ganeval.losses.regularizers.r1 import R1
from ganeval.networks.base import ImageShape
from ganeval.networks.layers import BatchNorm, SelfAttention
from ganeval.networks.spectral_norm import SpectralNorm
from ganeval.precision import Precision
from ganeval.recipes.recipe import Recipe
from ganeval.sampling import generate, load_generator, resolve_checkpoint
from ganeval.training.engine import Engine
from ganeval.training.loop import Habits, train
from ganeval.training.non_finite import NonFiniteLoss
from ganeval.training.state import TrainState, initial_state
from ganeval.training.step import RealImages, discriminator_update, generator_update

CPU = torch.device("cpu")
LOGGED = Habits(log_every=1, snapshot_every=1000, checkpoint_every=1000)


@pytest.fixture
def wider(recipe: Recipe) -> Recipe:
    """Channels enough for rounding to average out as it does in real networks."""
    backbone: Any = replace(recipe.backbone, g_channels=8, d_channels=8)  # type: ignore[call-arg]
    return replace(recipe, backbone=backbone)


def final(out: Path) -> Folder:
    return load_folder(resolve_checkpoint(out))


def losses(out: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def state_of(recipe: Recipe, precision: Precision) -> TrainState:
    state = initial_state(recipe, ImageShape(1, 16), 2, 0, CPU)
    Engine(precision=precision).apply_to(state, recipe)
    return state


def stage_of(state: TrainState) -> Stage:
    draw = torch.Generator().manual_seed(1)
    images, y = torch.randn(6, 1, 16, 16, generator=draw), torch.arange(6) % 2
    verdict = state.discriminator(images, y)
    z = torch.randn(6, state.generator.z_dim, generator=draw)
    return Stage(
        state.generator, state.discriminator, images, y, images.flip(3), y, z, verdict, verdict,
        lambda images: images, lambda: (images, y), draw, 0, z,
    )  # fmt: skip


def test_bf16_stays_close_to_fp32_and_is_another_computation(wider: Recipe, stripes: Dataset, tmp_path: Path) -> None:
    for precision in ("fp32", "bf16"):
        train(wider, stripes, tmp_path / precision, steps=4, habits=LOGGED, engine=Engine(precision=precision))  # type: ignore[arg-type]
    full, half = losses(tmp_path / "fp32"), losses(tmp_path / "bf16")
    for name in ("d_loss", "g_loss", "d_conditional", "real_logit"):
        assert [line[name] for line in half] == pytest.approx([line[name] for line in full], abs=0.05), name
    assert half[0]["d_loss"] != full[0]["d_loss"]


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_stopped_and_resumed_it_is_bit_identical(precision: Precision, recipe: Recipe, stripes: Dataset, tmp_path: Path) -> None:
    engine = Engine(precision=precision)
    for out, stops in (("whole", (6,)), ("parts", (1, 4, 6))):
        for stop in stops:
            train(recipe, stripes, tmp_path / out, steps=stop, habits=LOGGED, engine=engine)
    whole, parts = final(tmp_path / "whole").tensors, final(tmp_path / "parts").tensors
    for file, content in whole.items():
        assert content.keys() == parts[file].keys()
        for name, value in content.items():
            assert torch.equal(value, parts[file][name]), f"{file}: {name}"
    assert ("g_scaler.scale" in whole["extras"]) == (precision == "fp16")


def test_everything_that_is_saved_is_float32_and_loads_like_any(recipe: Recipe, stripes: Dataset, tmp_path: Path) -> None:
    for precision in ("fp32", "bf16"):
        train(recipe, stripes, tmp_path / precision, steps=5, habits=LOGGED, engine=Engine(precision=precision))  # type: ignore[arg-type]
    plain, mixed = final(tmp_path / "fp32").tensors, final(tmp_path / "bf16").tensors
    assert {file: content.keys() for file, content in plain.items()} == {file: content.keys() for file, content in mixed.items()}
    for file, content in mixed.items():
        assert {value.dtype for value in content.values()} <= {torch.float32, torch.int64}, file
        assert all(value.is_contiguous() for value in content.values()), file
    images, _ = next(generate(load_generator(tmp_path / "bf16"), 8))
    assert images.dtype == torch.uint8
    assert images.float().std() > 1


def test_a_run_remembers_its_precision(recipe: Recipe, stripes: Dataset, tmp_path: Path) -> None:
    train(recipe, stripes, tmp_path / "run", steps=1, habits=LOGGED, engine=Engine(precision="bf16"))
    assert final(tmp_path / "run").record["precision"] == "bf16"
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    with pytest.raises(UserError, match=r"holds another run \(precision: bf16 -> fp32\)"):
        train(recipe, stripes, tmp_path / "run", steps=2, habits=LOGGED)
    with pytest.raises(UserError, match=r"\(compile: False -> True\)"):
        train(recipe, stripes, tmp_path / "run", steps=2, habits=LOGGED, engine=Engine(precision="bf16", compile=True))
    assert {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()} == before


def test_a_plain_run_is_known_by_what_it_was_known_by(recipe: Recipe, stripes: Dataset, tmp_path: Path) -> None:
    train(recipe, stripes, tmp_path / "run", steps=1, habits=LOGGED)
    assert json.loads((tmp_path / "run" / "run.json").read_text()).keys() == {"dataset", "seed"}
    with pytest.raises(UserError, match=r"precision: fp32 -> fp16"):
        train(recipe, stripes, tmp_path / "run", steps=2, habits=LOGGED, engine=Engine(precision="fp16"))


def test_what_leaves_the_networks_is_in_full_precision(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, set[torch.dtype]] = {"attention": set(), "sigma": set(), "embedding": set(), "proxy": set()}
    attend, normalise, compare = SelfAttention.forward, SpectralNorm.normalised_weight, Contrastive.compare

    def watch_attention(self: SelfAttention, x: Tensor) -> Tensor:
        seen["attention"].add(x.dtype)
        return attend(self, x)

    def watch_sigma(self: SpectralNorm) -> Tensor:
        weight = normalise(self)
        seen["sigma"].add(weight.dtype)
        return weight

    def watch_comparison(self: ProxyScheme, embedding: Tensor, proxy: Tensor, labels: Tensor) -> Tensor:
        assert not torch.is_autocast_enabled("cpu")
        seen["embedding"].add(embedding.dtype)
        seen["proxy"].add(proxy.dtype)
        return compare(self, embedding, proxy, labels)  # type: ignore[arg-type]

    monkeypatch.setattr(SelfAttention, "forward", watch_attention)
    monkeypatch.setattr(SpectralNorm, "normalised_weight", watch_sigma)
    monkeypatch.setattr(Contrastive, "compare", watch_comparison)
    chosen = replace(recipe, conditioning=Contrastive(embed_dim=4))
    state = state_of(chosen, "bf16")
    update(chosen, state)
    full, half = {torch.float32}, {torch.bfloat16}
    assert seen == {"attention": half, "sigma": full, "embedding": full, "proxy": full}
    images = state.generator(torch.randn(2, 6), torch.tensor([0, 1]))
    assert images.dtype == torch.float32
    assert {value.dtype for value in vars(state.discriminator(images, torch.tensor([0, 1]))).values()} == full
    assert {p.grad.dtype for p in state.discriminator.parameters() if p.grad is not None} == full


def update(recipe: Recipe, state: TrainState) -> dict[str, Tensor]:
    images = torch.randint(0, 256, (40, 1, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    reals = RealImages(images, torch.arange(40) % 2, False, 0, CPU)
    rng = torch.Generator().manual_seed(state.step)
    batches = (reals.batch(8, 8 * index, rng) for index in range(100))
    return discriminator_update(state, recipe, batches, rng) | generator_update(state, recipe, batches, rng)


def test_evaluation_is_in_full_precision(recipe: Recipe) -> None:
    z, y = torch.randn(4, 6, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 0, 1])
    plain, mixed = (state_of(recipe, precision).generator for precision in ("fp32", "bf16"))  # type: ignore[arg-type]
    assert not torch.equal(plain(z, y), mixed(z, y))
    mixed.load_state_dict(plain.state_dict())
    assert torch.equal(plain.eval()(z, y), mixed.eval()(z, y))


def test_gradients_that_a_loss_is_made_of_are_in_full_precision(recipe: Recipe) -> None:
    found = {}
    for precision in ("fp32", "bf16"):
        stage = stage_of(state_of(recipe, precision))  # type: ignore[arg-type]
        real, y, _ = stage.reals()
        stage.generator.eval()
        stage.discriminator.eval()  # or the power iterations of the passes before would be told apart
        stage.discriminator.training = stage.generator.training = True
        moved = LatentOptimization(rate=1.0).latents(stage.z, y, stage.generator, stage.discriminator, stage.rng)
        found[precision] = image_gradients(critic_for(stage, y), real), moved
        assert (stage.discriminator.computes_in is not None) == (precision == "bf16")
    for full, half in zip(found["fp32"], found["bf16"], strict=True):
        torch.testing.assert_close(half, full, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("tracked", [True, False])
def test_batch_statistics_of_maps_in_half_precision_are_not_rounded(tracked: bool) -> None:
    norm = BatchNorm(3, eps=1e-4, affine=False)
    norm.track_running_stats = tracked
    maps = (3 * torch.randn(64, 3, 8, 8, generator=torch.Generator().manual_seed(0)) + 100).bfloat16()
    expected = batch_norm(maps.float(), None, None, training=True, eps=1e-4)
    torch.testing.assert_close(norm(maps).float(), expected, rtol=2**-8, atol=1e-3)


def test_a_factor_too_large_for_fp16_leaves_updates_out_until_it_fits(recipe: Recipe) -> None:
    chosen = replace(recipe, schedule=replace(recipe.schedule, accumulation=1))
    state = state_of(chosen, "fp16")
    state.d_scaler = torch.amp.GradScaler("cpu", init_scale=2.0**40, backoff_factor=2.0**-8)
    before = {name: value.clone() for name, value in state.discriminator.named_parameters()}
    update(chosen, state)
    assert state.d_scaler.get_scale() == 2.0**32
    assert all(torch.equal(value, before[name]) for name, value in state.discriminator.named_parameters())
    for _ in range(6):
        update(chosen, state)
    assert 1 <= state.d_scaler.get_scale() < 2.0**32
    assert all(not torch.equal(value, before[name]) for name, value in state.discriminator.named_parameters())


def test_a_loss_that_is_no_number_is_no_matter_of_scale(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    state = state_of(recipe, "fp16")
    monkeypatch.setattr(type(recipe.conditioning), "d_loss", lambda self, real, *rest: real.adv.sum() * float("nan"))
    with pytest.raises(NonFiniteLoss):
        update(recipe, state)


def test_gradients_that_are_infinite_at_scale_one_stop_the_run(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    class Cliff(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Tensor:
            return grad * float("inf")

    def steep(self: object, real: Verdict, *rest: object) -> Tensor:
        finite: Tensor = Cliff.apply(real.adv).mean()
        return finite

    state = state_of(recipe, "fp16")
    state.d_scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
    monkeypatch.setattr(type(recipe.conditioning), "d_loss", steep)
    update(recipe, state)
    with pytest.raises(NonFiniteLoss):
        update(recipe, state)


@pytest.mark.parametrize("part", [R1(), LatentOptimization()])
def test_compilation_and_double_backward_are_refused_in_one_line(
    part: Any, recipe: Recipe, stripes: Dataset, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=f"cannot differentiate twice, which {part.kind} needs: leave out --compile"):
        train(replace(recipe, regularizers=(part,)), stripes, tmp_path / "run", engine=Engine(compile=True))
    assert not (tmp_path / "run").exists()


def test_every_part_that_differentiates_gradients_says_so() -> None:
    import inspect

    from ganeval.losses.base import Regularizer

    for member in Regularizer.members().values():
        source = inspect.getsource(inspect.getmodule(member))  # type: ignore[arg-type]
        assert ("image_gradients(" in source or "create_graph" in source) == member.differentiates_gradients, member.kind


@pytest.mark.slow
def test_compiled_networks_compute_the_same(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    """The graphs torch captures, run by torch itself: what a compiler makes of them is its own affair."""
    compiler = torch.nn.Module.compile
    compiled: list[str] = []

    def capture(self: torch.nn.Module) -> None:
        compiled.append(type(self).__name__)
        compiler(self, backend="aot_eager")

    monkeypatch.setattr(torch.nn.Module, "compile", capture)
    logs, states = [], []
    for compile_ in (False, True):
        state = initial_state(recipe, ImageShape(1, 16), 2, 0, CPU)
        Engine(compile=compile_).apply_to(state, recipe)
        logs.append(update(recipe, state))
        states.append(state.tensors())
    assert compiled == ["BigGANGenerator", "Discriminator"]
    for name, value in logs[0].items():
        torch.testing.assert_close(logs[1][name], value, rtol=1e-4, atol=1e-5)
    for file, content in states[0].items():
        assert content.keys() == states[1][file].keys()
        for name, value in content.items():
            torch.testing.assert_close(states[1][file][name], value, rtol=1e-3, atol=1e-5, msg=name)
