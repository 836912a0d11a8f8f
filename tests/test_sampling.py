"""Samples are functions of (weights, seed, i): whatever the batch size, the count or the order of labels."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from ganeval.batch_statistics import parse_statistics
from ganeval.checkpoints import save_folder
from ganeval.data.registry import find_dataset
from ganeval.errors import UserError
from ganeval.recipes.registry import find_recipe
from ganeval.recipes.schema import override
from ganeval.sampling import LoadedGenerator, Manner, generate, load_generator, planned_labels, resolve_checkpoint, sample_grid
from ganeval.training.export import export
from ganeval.training.loop import Habits, train

TINY = (
    "backbone.g_channels=2", "backbone.d_channels=2", "conditioning.embed_dim=8", "schedule.batch_size=8",
    "ema.start=1", "ema.decay=0.5",
)  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    digits = find_dataset("digits")
    out = tmp_path_factory.mktemp("runs") / "tiny"
    train(override(find_recipe("reacgan", digits), *TINY), digits, out, steps=4, habits=Habits(checkpoint_every=2))
    return out


@pytest.fixture(scope="module")
def generator(run: Path) -> LoadedGenerator:
    return load_generator(run)


def collect(generator: LoadedGenerator, count: int, batch_size: int, **more: object) -> tuple[torch.Tensor, torch.Tensor]:
    batches = list(generate(generator, count, batch_size=batch_size, **more))  # type: ignore[arg-type]
    assert all(len(y) == batch_size for _, y in batches[:-1])
    return torch.cat([images for images, _ in batches]), torch.cat([y for _, y in batches])


@pytest.mark.parametrize("batch_size", [1, 7, 64])
@pytest.mark.parametrize("count", [5, 64, 150])
def test_samples_do_not_depend_on_the_batch_size_or_the_count(generator: LoadedGenerator, batch_size: int, count: int) -> None:
    images, labels = collect(generator, count, batch_size)
    whole, all_labels = collect(generator, 200, 200)
    assert images.shape == (count, 1, 16, 16)
    assert images.dtype == torch.uint8
    assert torch.equal(images, whole[:count])
    assert torch.equal(labels, all_labels[:count])


@pytest.mark.parametrize("bound", [0.0, -1.0, math.inf, math.nan])
def test_a_bound_of_the_latents_is_finite_and_above_0(bound: float) -> None:
    with pytest.raises(UserError, match=f"truncation {bound}: give a finite bound above 0"):
        Manner(truncation=bound)


def test_a_label_changes_its_own_sample_only(generator: LoadedGenerator) -> None:
    labels = planned_labels("balanced", 0, 0, 100, 10)
    changed = labels.clone()
    changed[70] = (changed[70] + 1) % 10
    before, after = collect(generator, 100, 32, labels=labels)[0], collect(generator, 100, 32, labels=changed)[0]
    different = (before != after).flatten(1).any(1)
    assert different.nonzero().flatten().tolist() == [70]


def test_seeds_give_different_samples(generator: LoadedGenerator) -> None:
    assert not torch.equal(collect(generator, 10, 10, seed=0)[0], collect(generator, 10, 10, seed=1)[0])


def test_the_balanced_plan_is_exactly_balanced() -> None:
    assert torch.bincount(planned_labels("balanced", 3, 0, 70, 10)).tolist() == [7] * 10


def test_the_uniform_plan_is_a_function_of_seed_and_index() -> None:
    whole = planned_labels("uniform", 3, 0, 5000, 10)
    assert torch.equal(planned_labels("uniform", 3, 1234, 1300, 10), whole[1234:1300])
    assert torch.bincount(whole, minlength=10).float().sub(500).abs().max() < 5 * 500**0.5
    assert not torch.equal(planned_labels("uniform", 4, 0, 5000, 10), whole)


def test_labels_must_be_as_many_as_samples(generator: LoadedGenerator) -> None:
    with pytest.raises(UserError, match="3 labels for 4 samples"):
        list(generate(generator, 4, labels=torch.tensor([1, 2, 3])))


def test_the_loaded_generator_says_what_it_takes(generator: LoadedGenerator) -> None:
    assert (generator.z_dim, generator.num_classes, generator.resolution) == (60, 10, 16)
    images = generator(torch.randn(3, 60), torch.tensor([0, 5, 9]))
    assert images.shape == (3, 1, 16, 16)
    assert images.abs().max() <= 1


@pytest.mark.parametrize(
    ("z", "y", "given"),
    [
        (torch.zeros(3, 59), torch.tensor([0, 1, 2]), "(3, 59) of float32 and (3,) of int64 from 0 to 2"),
        (torch.zeros(3, 60), torch.tensor([0, 1]), "(3, 60) of float32 and (2,) of int64 from 0 to 1"),
        (torch.zeros(1, 60), torch.tensor(7), "(1, 60) of float32 and () of int64 from 7 to 7"),
        (torch.zeros(2, 60), torch.tensor([0, 10]), "(2, 60) of float32 and (2,) of int64 from 0 to 10"),
        (torch.zeros(2, 60), torch.tensor([-1, 0]), "(2, 60) of float32 and (2,) of int64 from -1 to 0"),
        (torch.zeros(2, 60), torch.tensor([0.5, 0.0]), "(2, 60) of float32 and (2,) of float32 from 0 to 0.5"),
        (torch.zeros(1, 60, dtype=torch.float64), torch.tensor([0]), "(1, 60) of float64 and (1,) of int64 from 0 to 0"),
    ],
)
def test_the_loaded_generator_refuses_what_it_does_not_take(generator: LoadedGenerator, z: Tensor, y: Tensor, given: str) -> None:
    with pytest.raises(UserError) as refused:
        generator(z, y)
    takes = "the generator takes latents (N, 60) of float32 and labels (N,) of int64 from 0 to 9"
    assert str(refused.value) == f"{takes}, not {given}"


def test_average_and_raw_weights_are_told_apart(run: Path) -> None:
    ema, raw = load_generator(run), load_generator(run, "raw")
    assert not torch.equal(collect(ema, 4, 4)[0], collect(raw, 4, 4)[0])


def test_a_run_means_its_latest_checkpoint(run: Path, generator: LoadedGenerator) -> None:
    assert resolve_checkpoint(run).name == "step-00000004"
    assert generator.record["step"] == 4
    assert load_generator(run / "checkpoints" / "step-00000002").record["step"] == 2


def test_a_checkpoint_of_another_kind_is_refused(tmp_path: Path) -> None:
    save_folder(tmp_path / "other", {}, {"kind": "classifier"})
    with pytest.raises(UserError, match="kind 'classifier': it holds no generator"):
        load_generator(tmp_path / "other")


def test_the_grid_has_one_class_per_row_and_a_latent_per_image(generator: LoadedGenerator, tmp_path: Path) -> None:
    sample_grid(generator, 3, 2, 7, tmp_path / "grid.png")
    picture = np.asarray(Image.open(tmp_path / "grid.png"))
    expected = collect(generator, 6, 6, seed=7, labels=torch.tensor([0, 0, 0, 1, 1, 1]))[0]
    factor = picture.shape[1] // (3 * 18 + 2)
    small = picture[::factor, ::factor, 0]
    for index in range(6):
        top, left = 2 + index // 3 * 18, 2 + index % 3 * 18
        assert np.array_equal(small[top : top + 16, left : left + 16], expected[index, 0].numpy())


def test_an_export_samples_the_same(run: Path, generator: LoadedGenerator, tmp_path: Path) -> None:
    export(run, tmp_path / "published")
    published = load_generator(tmp_path / "published")
    assert torch.equal(collect(published, 20, 20)[0], collect(generator, 20, 20)[0])
    assert published.sha256 == generator.sha256
    assert sorted(path.name for path in (tmp_path / "published").iterdir()) == ["ema.safetensors", "manifest.json"]
    with pytest.raises(UserError, match="exists"):
        export(run, tmp_path / "published")


@pytest.mark.parametrize("statistics", ["running", "standing:4x2"])
def test_samples_are_made_without_tf32_whatever_the_settings_around_them(tiny_run: Path, statistics: str) -> None:
    generator, found = load_generator(tiny_run), set[tuple[bool, str]]()
    generator.module.register_forward_hook(
        lambda *_: found.add((torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()))
    )
    torch.set_float32_matmul_precision("high")
    try:
        for _ in generate(generator, 80, manner=Manner(statistics=parse_statistics(statistics))):
            assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision("highest")
    assert found == {(False, "highest")}


@pytest.mark.parametrize("statistics", ["running", "standing:4x2"])
def test_autocast_around_it_changes_no_sample(tiny_run: Path, statistics: str) -> None:
    generator, manner = load_generator(tiny_run), Manner(statistics=parse_statistics(statistics))
    (plain, _), *_ = generate(generator, 64, manner=manner)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        (around, _), *_ = generate(generator, 64, manner=manner)
    assert torch.equal(around, plain)


def test_an_imported_generator_needs_no_export(tmp_path: Path) -> None:
    save_folder(tmp_path / "imported", {"generator": {"w": torch.zeros(1)}}, {"kind": "generator"})
    with pytest.raises(UserError, match="is an imported generator and nothing else already: copy the folder"):
        export(tmp_path / "imported", tmp_path / "published")
