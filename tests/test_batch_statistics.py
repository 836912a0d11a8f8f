"""Statistics of BatchNorm: closed forms on networks of one layer, and samples that stay functions of (weights, seed, i)."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from ganeval.batch_statistics import BLOCK, Batch, Running, Standing, Statistics, parse_statistics
from ganeval.checkpoints import canonical_json
from ganeval.errors import UserError
from ganeval.networks.base import Generator, ImageShape
from ganeval.rng import derived_seed, latents, truncated_latents, uniforms
from ganeval.sampling import LoadedGenerator, Manner, generate, load_generator, planned_labels

FAR = [0, 1, 63, 64, 130, 199]
EVERY = [Running(), Batch(48), Standing(16, 12)]


class OneLayer(nn.Module):
    """Latents (N, 3), ignoring labels but for a shift of ``y`` per class, through one BatchNorm."""

    def __init__(self) -> None:
        super().__init__()
        self.bn = nn.BatchNorm1d(3, eps=1e-12, momentum=0.1, affine=False)

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        normalised: Tensor = self.bn(z + y[:, None])
        return normalised


def inputs(seed: int, start: int, stop: int) -> tuple[Tensor, Tensor]:
    return 5 + 2 * latents(seed, start, stop, 3), planned_labels("uniform", seed, start, stop, 4)


def trained_layer() -> OneLayer:
    net = OneLayer().eval()
    net.bn.running_mean, net.bn.running_var = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([4.0, 9.0, 16.0])
    return net


def test_running_statistics_are_those_that_were_stored() -> None:
    net = trained_layer()
    z, y = inputs(0, 0, 5)
    made = Running().applied(net, 0, inputs)(z, y)
    assert torch.allclose(made, (z + y[:, None] - torch.tensor([1.0, 2, 3])) / torch.tensor([2.0, 3, 4]), atol=1e-6)


def test_batch_statistics_normalise_what_is_generated_together() -> None:
    net = trained_layer()
    z, y = inputs(0, 0, 7)
    x = z + y[:, None]
    changed = Batch(7).applied(net, 0, inputs)
    expected = (x - x.mean(0)) / x.var(0, unbiased=False).sqrt()
    assert torch.allclose(changed(z, y), expected, atol=1e-5)
    assert torch.allclose(changed(z, y), expected, atol=1e-5)  # The pass leaves nothing behind.
    assert net.bn.running_mean.tolist() == [1, 2, 3]


def test_standing_statistics_by_hand() -> None:
    """running <- 0.9 running + 0.1 of the pass, from mean 0 and variance 1; the variance of a pass is the unbiased one."""
    standing = Standing(max_batch=9, passes=30)
    # A pass of one image has no unbiased variance in a layer without positions: take a seed that has none.
    seed = next(seed for seed in range(10_000) if min(standing.sizes(seed)) > 1)
    net = trained_layer()
    changed = standing.applied(net, seed, inputs)
    mean, var, start = torch.zeros(3, dtype=torch.float64), torch.ones(3, dtype=torch.float64), 0
    for size in standing.sizes(seed):
        z, y = inputs(derived_seed(seed, "standing"), start, start + size)
        x = (z + y[:, None]).double()
        mean, var = 0.9 * mean + 0.1 * x.mean(0), 0.9 * var + 0.1 * x.var(0, unbiased=True)
        start += size
    assert torch.allclose(changed.bn.running_mean.double(), mean, rtol=1e-5)
    assert torch.allclose(changed.bn.running_var.double(), var, rtol=1e-5)
    assert not changed.bn.training
    assert (net.bn.running_mean.tolist(), int(net.bn.num_batches_tracked)) == ([1, 2, 3], 0)


def test_the_sizes_of_passes_are_uniform_from_one_to_the_largest() -> None:
    sizes = torch.tensor(Standing(max_batch=8, passes=8000).sizes(3))
    assert torch.bincount(sizes, minlength=9)[0] == 0
    assert (torch.bincount(sizes, minlength=9)[1:] - 1000).abs().max() < 5 * 1000**0.5
    assert len(torch.bincount(sizes)) == 9
    assert Standing(8, 8000).sizes(4) != sizes.tolist()
    assert Standing(8, 40).sizes(3) == sizes[:40].tolist()


def test_a_network_without_batch_norm_is_left_as_it_is() -> None:
    net = nn.Linear(3, 3)
    assert Standing(4, 4).applied(net, 0, inputs) is net


class Small(Generator):
    """8 x 8 grey images of 4 classes from latents (N, 6): a BatchNorm whose stored statistics are far from the true ones."""

    def __init__(self) -> None:
        super().__init__(6, 4, ImageShape(1, 8))
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.linear, self.labels, self.conv = nn.Linear(6, 4 * 16), nn.Embedding(4, 4 * 16), nn.Conv2d(4, 1, 3, padding=1)
        self.bn = nn.BatchNorm2d(4)

    def condition(self, y: Tensor) -> Tensor:
        vectors: Tensor = self.labels(y)
        return vectors

    def render(self, z: Tensor, condition: Tensor) -> Tensor:
        x = (self.linear(z) + condition).unflatten(1, (4, 4, 4)) * 3 + 1
        x = nn.functional.interpolate(self.bn(x), scale_factor=2.0)
        return torch.tanh(self.conv(x))


@pytest.fixture(scope="module")
def generator() -> LoadedGenerator:
    return LoadedGenerator(Small().requires_grad_(False).eval(), "gaussian", {}, "0" * 64)


def images(
    generator: LoadedGenerator, manner: Manner, count: int, *, start: int = 0, batch_size: int = 64, seed: int = 0
) -> Tensor:
    parts = generate(generator, count, seed=seed, manner=manner, start=start, batch_size=batch_size)
    return torch.cat([batch for batch, _ in parts])


@pytest.mark.parametrize("truncation", [None, 0.7])
@pytest.mark.parametrize("statistics", EVERY, ids=str)
def test_batch_size_count_and_slices_do_not_matter(
    generator: LoadedGenerator, statistics: Statistics, truncation: float | None
) -> None:
    manner = Manner("uniform", (), statistics, truncation)
    whole = images(generator, manner, 200, batch_size=200)
    assert whole.shape == (200, 1, 8, 8)
    for batch_size, count in ((1, 5), (7, 100), (200, 131)):
        assert torch.equal(images(generator, manner, count, batch_size=batch_size), whole[:count])
    for start, stop in ((0, 70), (70, 130), (63, 65), (130, 200)):
        assert torch.equal(images(generator, manner, stop - start, start=start, batch_size=9), whole[start:stop])
    assert all(torch.equal(images(generator, manner, 1, start=i)[0], whole[i]) for i in FAR)


def test_every_manner_gives_other_images(generator: LoadedGenerator) -> None:
    manners = [Manner(statistics=each) for each in EVERY]
    manners += [Manner(truncation=0.7), Manner(statistics=Standing(16, 13)), Manner(statistics=Batch(49))]
    made = [images(generator, manner, 60) for manner in manners]
    assert len({made_images.numpy().tobytes() for made_images in made}) == len(manners)
    assert not torch.equal(images(generator, manners[2], 60, seed=1), made[2])


def test_labels_that_are_given_count_from_sample_zero(generator: LoadedGenerator) -> None:
    labels = planned_labels("uniform", 5, 0, 100, 4)
    whole = images(generator, Manner(labels), 100)
    assert torch.equal(images(generator, Manner(labels[:80]), 30, start=50), whole[50:80])
    with pytest.raises(UserError, match="100 labels for 80 samples"):
        images(generator, Manner(labels), 30, start=50)


def test_truncated_latents_are_normal_ones_within_the_bound() -> None:
    z = truncated_latents(3, 0, 40_000, 4, 0.8)
    assert (z.dtype, z.shape) == (torch.float32, (40_000, 4))
    assert z.abs().max() <= 0.8
    normal = torch.distributions.Normal(0, 1)
    mass = 2 * normal.cdf(torch.tensor(0.8)) - 1
    spread = 1 - 2 * 0.8 * normal.log_prob(torch.tensor(0.8)).exp() / mass  # the variance of the truncated distribution
    assert z.var().item() == pytest.approx(spread.item(), rel=0.01)
    assert z.mean().abs() < 4 * (spread / z.numel()) ** 0.5
    inside = latents(4, 0, 40_000, 4)
    kept = inside[inside.abs() <= 0.8]
    for quantile in (0.1, 0.25, 0.6, 0.9):  # what drawing again would give
        assert z.flatten()[:100_000].quantile(quantile).item() == pytest.approx(kept[:80_000].quantile(quantile).item(), abs=0.01)
    assert torch.equal(truncated_latents(3, 17, 18, 4, 0.8)[0], z[17])


def test_a_wide_bound_cuts_nothing() -> None:
    z = truncated_latents(0, 0, 5000, 3, 40.0)
    assert torch.isfinite(z).all()
    assert torch.allclose(z.double(), torch.special.ndtri(torch.from_numpy(uniforms(0, 0, 5000, 3))), atol=1e-6)


def test_a_generator_of_uniform_latents_has_no_tails_to_cut(generator: LoadedGenerator) -> None:
    uniform = LoadedGenerator(generator.module, "uniform", {}, "0" * 64)
    with pytest.raises(UserError, match="truncation is for normal latents, those of this generator are uniform"):
        images(uniform, Manner(truncation=0.5), 4)


@pytest.mark.parametrize("bound", [0.0, -1.0, float("nan")])
def test_a_bound_must_be_above_zero(bound: float) -> None:
    with pytest.raises(UserError, match="give a finite bound above 0"):
        Manner(truncation=bound)


def test_labels_after_the_reference_have_its_shares() -> None:
    counts = (0, 300, 0, 100, 600)
    whole = planned_labels("reference", 3, 0, 20_000, 5, counts)
    found = torch.bincount(whole, minlength=5)
    assert found[[0, 2]].tolist() == [0, 0]
    assert (found / 20_000 - torch.tensor(counts) / 1000).abs().max() < 0.015
    assert torch.equal(planned_labels("reference", 3, 77, 90, 5, counts), whole[77:90])
    with pytest.raises(UserError, match="need its images per class: got 2 for 5"):
        planned_labels("reference", 3, 0, 5, 5, (1, 2))


@pytest.mark.parametrize("text", ["running", "batch:64", "standing:64x128"])
def test_statistics_are_written_as_they_are_read(text: str) -> None:
    assert str(parse_statistics(text)) == text


@pytest.mark.parametrize("text", ["", "batch", "batch:0", "batch:1", "standing:64", "standing:0x4", "standing:4x0", "Running"])
def test_statistics_that_mean_nothing(text: str) -> None:
    with pytest.raises(UserError):
        parse_statistics(text)


def test_a_trained_generator_under_standing_statistics(tiny_run: Path) -> None:
    """The running statistics of two steps say little; standing ones are those of the generator as it is."""
    generator = load_generator(tiny_run)
    before = canonical_json({name: value.sum().item() for name, value in generator.module.state_dict().items()})
    first = images(generator, Manner(statistics=Standing(8, 6)), 70)
    assert torch.equal(first, images(generator, Manner(statistics=Standing(8, 6)), 70, batch_size=3))
    assert not torch.equal(first, images(generator, Manner(), 70))
    assert canonical_json({name: value.sum().item() for name, value in generator.module.state_dict().items()}) == before
    assert Batch(48).block == 48
    assert Standing(8, 6).block == Running().block == BLOCK
