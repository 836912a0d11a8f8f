"""Every recipe against the reference settings, field by field: what differs is listed here and explained in docs/methods.md."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ganeval.augment.base import Augmentation
from ganeval.conditioning.base import Conditioning
from ganeval.conditioning.mirror import Mirror
from ganeval.losses.adversarial.nonsaturating import NonSaturating
from ganeval.losses.base import Adversarial, Regularizer
from ganeval.losses.regularizers.r1 import R1
from ganeval.networks.base import Backbone
from ganeval.networks.big_resnet import BigGAN
from ganeval.parts import Part
from ganeval.recipes.recipe import EMA, Adam, Recipe, Schedule
from ganeval.recipes.registry import TABLES
from ganeval.recipes.schema import to_json

REPOSITORY = Path(__file__).resolve().parents[2]
SETTINGS = REPOSITORY / ".." / "shared" / "reference" / "studiogan_settings.json"
DOCUMENT = REPOSITORY / "docs" / "methods.md"
OTHER_BACKBONES = {"stylegan2", "stylegan3"}

Settings = dict[str, Any]
Render = Callable[[Recipe], Settings]

NOT_IN_SETTINGS = {"configs/Tiny_ImageNet/MDGAN.yaml"}
"""The only recipes of PyTorch-StudioGAN without a settings row: see :func:`test_tiny_imagenet_mdgan`."""


class Difference(NamedTuple):
    """``key`` is ``theirs`` in the reference and ``ours`` here, in the rows whose source matches ``sources`` as a whole.

    ``name`` is where docs/methods.md explains it.
    """

    name: str
    sources: str
    key: str
    theirs: Any
    ours: Any


DCONV = r"configs/CIFAR100?/(DCGAN(-Info)?|LSGAN|GGAN)\.yaml"
AFHQ_LECAM = r"configs/AFHQv2/BigGAN-256Res(-DiffAug)?-LeCam\.yaml"
LOGAN = r"configs/CIFAR100?/LOGAN\.yaml"

KNOWN_DIFFERENCES = (
    # A misspelt value that upstream's own reader refuses.
    Difference("D1", r"configs/Tiny_ImageNet/LSGAN\.yaml", "loss.adv_loss", "least_squre", "least_square"),
    # A dataset that does not exist.
    Difference("D2", r"configs/CIFAR100/ACGAN-Mod(-Big)?-ADC\.yaml", "data.name", "CIFAR1000", "CIFAR100"),
    # LeCam's numbers are given and its switch is not: upstream trains these rows without LeCam.
    Difference("D3", AFHQ_LECAM, "loss.apply_lecam", False, True),
    # Upstream returns from inside its loop: 2 is never reached.
    Difference("D4", LOGAN, "loss.lo_steps4train", 2, 1),
    # Samples are drawn from plain latents here.
    Difference("D5", LOGAN, "loss.lo_steps4eval", 10, "N/A"),
    # Upstream's DCGAN has its widths in the code; a recipe says them.
    Difference("D6", DCONV, "model.g_conv_dim", "N/A", 64),
    Difference("D6", DCONV, "model.d_conv_dim", "N/A", 64),
)


@cache
def settings() -> dict[str, Settings]:
    """The reference rows whose backbone is not StyleGAN's, by the source a citation gives."""
    if not SETTINGS.exists():
        return {}
    rows = [row for row in json.loads(SETTINGS.read_text()) if row["model.backbone"] not in OTHER_BACKBONES]
    by_source = {f"configs/{row['dataset']}/{row['config']}.yaml": row for row in rows}
    assert len(by_source) == len(rows)
    return by_source


@cache
def recipes() -> dict[str, Recipe]:
    """Every recipe that cites a configuration of PyTorch-StudioGAN, by that source; two names of one recipe count once."""
    found: dict[str, Recipe] = {}
    for _, table in TABLES:
        for recipe in table.values():
            if recipe.citation.source.startswith("configs/"):
                assert found.setdefault(recipe.citation.source, recipe) is recipe, f"two recipes of {recipe.citation.source}"
    return found


@pytest.fixture
def reference() -> dict[str, Settings]:
    if not SETTINGS.exists():
        pytest.skip("the reference settings are not beside the repository (shared/reference/studiogan_settings.json)")
    return settings()


def known(source: str) -> list[Difference]:
    return [difference for difference in KNOWN_DIFFERENCES if re.fullmatch(difference.sources, source)]


def same(theirs: Any, ours: Any) -> bool:
    """Whether two settings are equal; 0 and 0.0 are, 1 and True are not."""
    return bool(theirs == ours) and isinstance(theirs, bool) == isinstance(ours, bool)


@pytest.mark.usefixtures("reference")
def test_there_are_179_settings_rows_and_each_has_one_recipe() -> None:
    assert len(settings()) == 179
    assert recipes().keys() - NOT_IN_SETTINGS == settings().keys()
    assert recipes().keys() >= NOT_IN_SETTINGS


@pytest.mark.parametrize("source", sorted(recipes().keys() - NOT_IN_SETTINGS))
def test_every_field_is_that_of_the_settings(source: str, reference: dict[str, Settings], as_settings: Render) -> None:
    theirs = {key: value for key, value in reference[source].items() if "." in key and not key.startswith("stylegan.")}
    ours = as_settings(recipes()[source])
    assert ours.keys() == theirs.keys()
    found = {key: (theirs[key], ours[key]) for key in theirs if not same(theirs[key], ours[key])}
    assert found == {difference.key: (difference.theirs, difference.ours) for difference in known(source)}


@pytest.mark.usefixtures("reference")
@pytest.mark.parametrize("difference", KNOWN_DIFFERENCES, ids=lambda difference: f"{difference.name}-{difference.key}")
def test_every_known_difference_is_used_and_explained(difference: Difference) -> None:
    assert any(difference in known(source) for source in settings())
    assert re.search(rf"^\| {difference.name} \|", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)


def test_the_document_explains_no_difference_that_is_none() -> None:
    explained = re.findall(r"^\| (D\d+) \|", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(explained) == sorted({difference.name for difference in KNOWN_DIFFERENCES})


@pytest.mark.parametrize("family", [Adversarial, Augmentation, Backbone, Conditioning, Regularizer])
def test_the_document_names_every_part(family: type[Part]) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert [kind for kind in family.members() if f"| `{kind}`" not in text and f", `{kind}`" not in text] == []


def test_flips_are_on_but_in_three_rows() -> None:
    unflipped = {source for source, recipe in recipes().items() if not recipe.data.flip}
    assert unflipped == {
        "configs/CIFAR10/ReACGAN-ADA.yaml", "configs/CIFAR100/ReACGAN-ADA.yaml", "configs/CIFAR100/BigGAN-ADA.yaml",
    }  # fmt: skip


def test_what_the_settings_do_not_say() -> None:
    assert {recipe.optimizer.eps for recipe in recipes().values()} == {1e-6}
    assert {recipe.ema.decay for recipe in recipes().values() if recipe.ema} == {0.9999}
    assert {part.interval for recipe in recipes().values() for part in recipe.regularizers if isinstance(part, R1)} == {1}
    text = json.dumps([to_json(recipe) for recipe in recipes().values()])
    for field, values in (("variant", {'"studiogan"'}), ("formula", {'"studiogan"'}), ("strength", {"1.0"})):
        assert set(re.findall(f'"{field}": ([^,}}]+)', text)) == values, field


def test_tiny_imagenet_mdgan() -> None:
    recipe = TABLES.get("tiny-imagenet")["mdgan"]
    assert recipe.backbone == BigGAN(
        z_dim=100, shared_dim=128, g_channels=80, d_channels=80, g_attention=(3,), d_attention=(1,),
        g_spectral_norm=True, d_spectral_norm=True,
    )  # fmt: skip
    assert (recipe.conditioning, recipe.adversarial, recipe.regularizers) == (Mirror(), NonSaturating(), (R1(1.0),))
    assert recipe.schedule == Schedule(steps=100_000, batch_size=1024, d_steps=1)
    assert recipe.optimizer == Adam(g_lr=1e-4, d_lr=4e-4, beta1=0.0, beta2=0.999)
    assert recipe.ema == EMA(decay=0.9999, start=20_000)


def test_method_names_follow_the_configurations() -> None:
    for source, recipe in recipes().items():
        name = Path(source).stem.lower().replace("acgan-big-mod", "acgan-big")
        assert recipe.method == re.sub("-mod|-256res", "", name), source


def test_imagenet_names_without_a_batch_size_are_the_rows_with_256() -> None:
    table = TABLES.get("imagenet")
    short = {name: row for name, row in table.items() if name != row.method}
    assert short == {name.replace("-256", ""): row for name, row in table.items() if "-256" in name}
    assert table["reacgan"] is table["reacgan-256"]
    assert table["reacgan"].schedule.batch_size == 256
