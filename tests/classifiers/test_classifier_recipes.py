"""Recipes say what the papers say: layer and parameter counts, learning rates, augmentation, standardisation."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import nn

from ganeval.classifiers.augmentations import Crop
from ganeval.classifiers.densenet import DenseNet, DenseNetBC
from ganeval.classifiers.optimizers import SGD, AdamW
from ganeval.classifiers.recipe import RECIPES, ClassifierRecipe, find_classifier_recipe
from ganeval.classifiers.record import Standardised
from ganeval.classifiers.resnet import CifarResNet, ResNet
from ganeval.classifiers.training import channel_statistics
from ganeval.data.registry import find_dataset
from ganeval.errors import UserError
from ganeval.recipes.schema import from_json, to_json


def parameters(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


@pytest.mark.parametrize(("depth", "growth", "millions"), [(100, 12, 0.8), (250, 24, 15.3), (190, 40, 25.6)])
def test_densenets_have_the_papers_numbers_of_parameters(depth: int, growth: int, millions: float) -> None:
    """Huang et al. 2017, table 2, DenseNet-BC."""
    with torch.device("meta"):
        net = DenseNet(depth, growth).build(3, 32, 10)
    assert parameters(net) / 1e6 == pytest.approx(millions, abs=0.05)


def test_densenet_bc_100_12_has_the_number_public_implementations_report() -> None:
    assert parameters(DenseNet(100, 12).build(3, 32, 10)) == 769_162


def test_am_scores_densenet_by_hand() -> None:
    """Every convolution and BatchNorm of depth 40, growth 40 counted on paper."""
    k, count, width = 40, 3 * 9 * 80, 80
    for block in range(3):
        for _ in range((40 - 4) // 6):
            count += 2 * width + width * 4 * k + 2 * 4 * k + 4 * k * k * 9
            width += k
        if block < 2:
            count += 2 * width + width * (width // 2)
            width //= 2
    net = RECIPES.get("densenet-bc-40-40").network.build(3, 32, 10)
    assert parameters(net) == count + 2 * width + 10 * width + 10
    assert net.feature_dim == width
    layers = [module for module in net.modules() if isinstance(module, (nn.Conv2d, nn.Linear))]
    assert len(layers) == 40
    assert sum(isinstance(layer, nn.Conv2d) and layer.kernel_size == (3, 3) for layer in layers) == 1 + 18


def test_a_densenets_features_are_the_pooled_end_of_the_last_block() -> None:
    torch.manual_seed(0)
    net = DenseNetBC(3, layers=1, growth=4, num_classes=5).eval()
    images = torch.randn(2, 3, 16, 16)
    maps: list[torch.Tensor] = []
    net.features.norm5.register_forward_hook(lambda module, given, made: maps.append(made))
    features, logits = net(images)
    assert maps[0].shape == (2, net.feature_dim, 4, 4)
    torch.testing.assert_close(features, maps[0].clamp(min=0).mean(dim=(2, 3)))
    torch.testing.assert_close(logits, features @ net.head.weight.T + net.head.bias)


@pytest.mark.parametrize("depth", [9, 38, 41])
def test_a_depth_that_no_densenet_has(depth: int) -> None:
    with pytest.raises(UserError, match=f"a DenseNet-BC has 10, 16, 22, ... layers .* not {depth} and 40"):
        find_classifier_recipe("densenet-bc-40-40", f"network.depth={depth}")


def test_resnet_20_is_the_papers() -> None:
    """He et al. 2016, table 6: 20 layers, 0.27 million parameters."""
    net = RECIPES.get("resnet-20").network.build(3, 32, 10)
    assert isinstance(net, CifarResNet)
    assert sum(isinstance(module, (nn.Conv2d, nn.Linear)) for module in net.modules()) == 20
    assert parameters(net) == 269_722
    with pytest.raises(UserError, match="a ResNet has 8, 14, 20"):
        ResNet(depth=18)


def test_the_rates_of_sgd_fall_where_the_papers_say() -> None:
    recipe = RECIPES.get("densenet-bc-40-40")
    per_epoch = -(-50_000 // recipe.batch_size)
    steps = recipe.epochs * per_epoch
    rates = [recipe.optimizer.lr * recipe.optimizer.factor((step + 0.5) / steps) for step in range(steps)]
    falls = [step for step in range(1, steps) if rates[step] != rates[step - 1]]
    assert falls == [150 * per_epoch, 225 * per_epoch]
    assert sorted({round(rate, 9) for rate in rates}) == [0.001, 0.01, 0.1]


def test_the_optimizers_are_made_as_written() -> None:
    weights = [nn.Parameter(torch.zeros(2))]
    (group,) = SGD(lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-4).make(weights).param_groups
    assert (group["lr"], group["momentum"], group["nesterov"], group["weight_decay"]) == (0.1, 0.9, True, 1e-4)
    rule = AdamW(warmup=0.25)
    assert [rule.factor(done) for done in (0.125, 0.25, 0.625)] == pytest.approx([0.5, 1.0, 0.5], rel=1e-12)
    for wrong in ("lr=0", "weight_decay=-1", "momentum=1"):
        with pytest.raises(UserError, match="optimizer"):
            find_classifier_recipe("resnet-20", f"optimizer.{wrong}")


def test_am_gans_settings() -> None:
    """methods.md of AM-GAN's code: C10+, 300 epochs, batches of 64, 1e-4, Nesterov."""
    recipe = RECIPES.get("densenet-bc-40-40")
    assert (recipe.network, recipe.epochs, recipe.batch_size) == (DenseNet(depth=40, growth=40), 300, 64)
    assert recipe.optimizer == SGD(0.1, 0.9, True, 1e-4, (0.5, 0.75), 0.1)
    assert (recipe.augmentation, recipe.standardise) == (Crop(0.125), True)
    assert recipe.resolved(find_dataset("cifar10")).flip is True


@pytest.mark.parametrize(("dataset", "flip"), [("digits", False), ("mnist", False), ("svhn", False), ("cifar10-jpeg", True)])
def test_digits_are_never_mirrored_and_photographs_are(dataset: str, flip: bool) -> None:
    for name in ("resnet-20", "densenet-bc-40-40"):
        assert RECIPES.get(name).flip is None
        assert RECIPES.get(name).resolved(find_dataset(dataset)).flip is flip
        assert find_classifier_recipe(name, f"flip={str(not flip).lower()}").resolved(find_dataset(dataset)).flip is not flip


def test_a_crop_by_hand() -> None:
    """With a border of one pixel every result is one of nine windows, each about as often, half of them mirrored."""
    images = torch.arange(16.0).view(1, 1, 4, 4).expand(1800, 1, 4, 4)
    fill = torch.tensor([-7.0])
    framed = torch.nn.functional.pad(images[:1], (1, 1, 1, 1), value=-7.0)[0, 0]
    windows = [framed[top : top + 4, left : left + 4] for top in range(3) for left in range(3)]
    for flip, kinds in ((False, windows), (True, windows + [window.flip(1) for window in windows])):
        made = Crop(border=0.25)(images, flip, fill, torch.Generator().manual_seed(3))
        counts = [int((made[:, 0] == window).all(dim=(1, 2)).sum()) for window in kinds]
        assert sum(counts) == 1800
        assert min(counts) > 0.6 * 1800 / len(kinds)
        assert max(counts) < 1.4 * 1800 / len(kinds)


def test_a_crop_keeps_the_channels_apart_and_is_a_function_of_the_generator() -> None:
    images = torch.randn(5, 3, 8, 8)
    fill = torch.tensor([0.1, 0.2, 0.3])
    one, two = (Crop()(images, True, fill, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(one, two)
    alone = Crop()(images[:, 1:2], True, fill[1:2], torch.Generator().manual_seed(1))
    assert torch.equal(one[:, 1:2], alone)
    assert torch.equal(Crop(border=0.0)(images, False, fill, torch.Generator()), images)


def test_channel_statistics_are_numpys() -> None:
    images = np.random.default_rng(0).integers(0, 256, (1030, 3, 5, 5), dtype=np.uint8)
    images[:, 2] = 51
    mean, std = channel_statistics(torch.from_numpy(images))
    x = images / 127.5 - 1
    np.testing.assert_allclose(mean, x.mean(axis=(0, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(std[:2], x.std(axis=(0, 2, 3))[:2], rtol=1e-6)
    assert std[2] == 1


def test_a_standardised_network_sees_standardised_images() -> None:
    net = RECIPES.get("resnet-20").network.build(2, 8, 3).eval()
    whole = Standardised(net, 2).eval()
    whole.mean.copy_(torch.tensor([0.5, -0.25]))
    whole.std.copy_(torch.tensor([2.0, 0.5]))
    images = torch.randn(4, 2, 8, 8)
    seen = torch.stack([(images[:, 0] - 0.5) / 2, (images[:, 1] + 0.25) * 2], dim=1)
    for made, expected in zip(whole(images), net(seen), strict=True):
        torch.testing.assert_close(made, expected)
    assert whole.feature_dim == 64


def test_recipes_survive_json_and_overrides_reach_every_part() -> None:
    for name, recipe in RECIPES:
        assert from_json(ClassifierRecipe, json.loads(json.dumps(to_json(recipe)))) == recipe
        changed = find_classifier_recipe(name, "batch_size=32", "augmentation=none", epochs=2)
        assert (changed.batch_size, changed.augmentation, changed.epochs) == (32, None, 2)
        assert changed.fingerprint() != recipe.fingerprint()
    assert find_classifier_recipe("resnet-20", "network=densenet-bc", "network.growth=4").network == DenseNet(40, 4)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("resnet20",), "unknown classifier recipe 'resnet20': did you mean resnet-20"),
        (("resnet-20", "network.deep=3"), "unknown key 'network.deep': did you mean network.depth"),
        (("resnet-20", "network=vgg"), "unknown classifier network 'vgg'"),
        (("resnet-20", "batch_size=1"), "batch_size=1: BatchNorm needs at least two"),
        (("resnet-20", "epochs=0"), "epochs=0: a classifier needs at least one"),
        (("resnet-20", "name=mine"), "a recipe keeps its name"),
    ],
)
def test_mistakes_in_a_recipe(words: tuple[str, ...], said: str) -> None:
    with pytest.raises(UserError, match=said):
        find_classifier_recipe(*words)
