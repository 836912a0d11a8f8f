"""Recipes as JSON and back, overrides, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganeval.augment.base import Augmentation
from ganeval.conditioning.acgan import ACGAN
from ganeval.conditioning.base import Conditioning
from ganeval.conditioning.d2dce import D2DCE
from ganeval.errors import UserError
from ganeval.losses.adversarial.hinge import Hinge
from ganeval.losses.base import Adversarial, Regularizer
from ganeval.losses.regularizers.lecam import LeCam
from ganeval.networks.base import Backbone
from ganeval.networks.big_resnet import BigGAN
from ganeval.parts import Part
from ganeval.recipes.recipe import EMA, Data, Recipe, Schedule
from ganeval.recipes.registry import TABLES
from ganeval.recipes.schema import difference, from_json, override, to_json

RECIPE = Recipe(
    method="test",
    data=Data("digits", 16),
    backbone=BigGAN(z_dim=60, g_attention=(1,)),
    conditioning=D2DCE(),
    adversarial=Hinge(),
    schedule=Schedule(steps=10),
    regularizers=(LeCam(),),
)


def rows() -> list[tuple[str, Recipe]]:
    return [(f"{dataset}-{method}", recipe) for dataset, table in TABLES for method, recipe in table.items()]


@pytest.mark.parametrize(("name", "recipe"), rows())
def test_every_recipe_survives_json(name: str, recipe: Recipe) -> None:
    text = json.dumps(to_json(recipe))
    assert from_json(Recipe, json.loads(text)) == recipe, name


@pytest.mark.parametrize(("name", "recipe"), rows())
def test_every_recipe_cites_its_paper(name: str, recipe: Recipe) -> None:
    assert recipe.citation.paper.startswith(("arXiv:", "doi:")), name
    assert recipe.citation.source, name


def test_fingerprint_is_a_function_of_the_content() -> None:
    assert RECIPE.fingerprint() == from_json(Recipe, to_json(RECIPE)).fingerprint()
    assert RECIPE.fingerprint() != replace(RECIPE, ema=EMA(start=999)).fingerprint()


@pytest.mark.parametrize(
    ("assignment", "read", "expected"),
    [
        ("conditioning.temperature=0.25", lambda r: r.conditioning.temperature, 0.25),
        ("conditioning.temperature=1", lambda r: r.conditioning.temperature, 1.0),
        ("schedule.batch_size=32", lambda r: r.schedule.batch_size, 32),
        ("data.flip=false", lambda r: r.data.flip, False),
        ("backbone.g_attention=1,2", lambda r: r.backbone.g_attention, (1, 2)),
        ("backbone.g_attention=", lambda r: r.backbone.g_attention, ()),
        ("conditioning.formula=paper", lambda r: r.conditioning.formula, "paper"),
        ("conditioning=acgan", lambda r: r.conditioning, ACGAN()),
        ("augmentation=none", lambda r: r.augmentation, None),
        ("ema=none", lambda r: r.ema, None),
        ("ema.start=0", lambda r: r.ema.start, 0),
        ("regularizers.lecam.weight=0.01", lambda r: r.regularizers[0].weight, 0.01),
        ("prior=uniform", lambda r: r.prior, "uniform"),
    ],
)
def test_overrides_reach_every_kind_of_field(assignment: str, read: object, expected: object) -> None:
    changed = override(RECIPE, assignment)
    value = read(changed)  # type: ignore[operator]
    assert value == expected
    assert type(value) is type(expected)
    assert from_json(Recipe, to_json(changed)) == changed


def test_what_must_fit_together_may_change_together() -> None:
    changed = override(RECIPE, "adversarial=none", "conditioning=multi-hinge", "schedule.steps=5", "schedule.batch_size=2")
    assert (changed.adversarial, changed.conditioning.kind, changed.schedule) == (None, "multi-hinge", Schedule(5, 2))


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("conditioning.temprature=1", "did you mean conditioning.temperature"),
        ("condtioning.temperature=1", "did you mean conditioning"),
        ("batch_size=8", "unknown key 'batch_size': did you mean schedule.batch_size?"),
        ("kind=8", "unknown key 'kind'"),
        ("count=8", "unknown key 'count': known: "),
        ("regularizers.lecan.weight=1", "did you mean regularizers.lecam.weight"),
        ("schedule.batch_size=many", "expected a whole number"),
        ("schedule.batch_size=1.5", "expected a whole number"),
        ("schedule.batch_size=0", "must be at least 1"),
        ("optimizer.beta1=1", "must be in [0, 1)"),
        ("ema.start=-4", "ema.start must be at least 0, got -4"),
        ("conditioning.temperature=nan", "expected a number"),
        ("data.flip=yes", "expected true or false"),
        ("prior=cauchy", "expected one of gaussian, uniform"),
        ("conditioning=acgn", "did you mean acgan"),
        ("backbone.g_attention=1,x", "expected a whole number"),
        ("schedule.steps", "write part.field=value"),
        ("=3", "write part.field=value"),
        ("schedule.steps.more=3", "has no fields"),
        ("backbone.g_attention.0=3", "unknown key"),
        ("adversarial=none", "needs an adversarial loss"),
        ("conditioning=multi-hinge", "is its own adversarial loss"),
        ("regularizers=lecam,r1,lecam", "regularizers=lecam,r1,lecam names one of them twice"),
    ],
)
def test_a_bad_override_is_one_line_that_helps(assignment: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        override(RECIPE, assignment)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "damage",
    [
        lambda j: j["schedule"].update(steps="10"),
        lambda j: j["schedule"].update(steps=True),
        lambda j: j["schedule"].update(speed=1),
        lambda j: j["conditioning"].update(kind="no such scheme"),
        lambda j: j["conditioning"].pop("kind"),
        lambda j: j.pop("data"),
        lambda j: j.update(prior="cauchy"),
        lambda j: j.update(regularizers=[3]),
        lambda j: j.update(regularizers={}),
        lambda j: j["backbone"].update(g_attention="1"),
    ],
)
def test_json_that_does_not_fit_is_refused(damage: object) -> None:
    content = to_json(RECIPE)
    damage(content)  # type: ignore[operator]
    with pytest.raises(UserError, match="not a valid recipe"):
        from_json(Recipe, content)


@given(st.recursive(st.integers() | st.text() | st.none(), lambda inner: st.dictionaries(st.text("ab", min_size=1), inner)))
def test_nothing_differs_from_itself(tree: object) -> None:
    assert difference(tree, tree) == []


def test_difference_names_the_place_and_both_values() -> None:
    old, new = to_json(RECIPE), to_json(override(RECIPE, "schedule.steps=20"))
    assert difference(old, new) == ["schedule.steps: 10 -> 20"]


@pytest.mark.parametrize("family", [Adversarial, Augmentation, Backbone, Conditioning, Regularizer])
def test_every_part_can_be_chosen_by_its_name(family: type[Part]) -> None:
    """On the command line nothing but the name is there to build it from."""
    assert all(member() is not None for member in family.members().values())


def test_top_k_has_nothing_to_do_beside_multi_hinge() -> None:
    with pytest.raises(UserError, match="leaves nothing for top-k"):
        override(RECIPE, "conditioning=multi-hinge", "adversarial=none", "regularizers=top-k")


def test_the_latent_must_divide_into_chunks_when_the_recipe_is_built() -> None:
    with pytest.raises(UserError, match="set z_dim to 60"):
        override(RECIPE, "backbone.z_dim=61")


def test_families_are_found_by_kind() -> None:
    assert Augmentation.members().keys() == {cls.kind for cls in Augmentation.members().values()}
    assert D2DCE.members() == {"d2dce": D2DCE}
