"""Values and gradients of all 64 recorded loss evaluations."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from ganeval.conditioning.acgan import ACGAN, ClassVerdict
from ganeval.conditioning.contrastive import conditional_contrastive
from ganeval.conditioning.d2dce import d2d_ce
from ganeval.conditioning.multi_hinge import crammer_singer
from ganeval.losses.adversarial.hinge import Hinge
from ganeval.losses.adversarial.least_squares import LeastSquares
from ganeval.losses.adversarial.logistic import Logistic
from ganeval.losses.adversarial.nonsaturating import NonSaturating
from ganeval.losses.adversarial.wasserstein import Wasserstein
from ganeval.losses.regularizers.feature_matching import feature_distance
from ganeval.losses.regularizers.lecam import lecam

ORACLE = Path(__file__).resolve().parents[3] / "shared" / "oracle"
ADVERSARIAL = {
    "vanilla": NonSaturating(), "logistic": Logistic(), "ls": LeastSquares(), "hinge": Hinge(), "wasserstein": Wasserstein(),
}  # fmt: skip


def _cross_entropy(t: dict[str, Tensor], p: dict[str, Any]) -> Tensor:
    verdict = ClassVerdict(torch.zeros(len(t["label"])), torch.zeros(len(t["label"]), 1), t["class_logits"])
    return ACGAN(weight=1.0).g_loss(verdict, t["label"])


def _scalar(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float64)


LOSSES: dict[str, Callable[[dict[str, Tensor], dict[str, Any]], Tensor]] = {
    "d2dce_studiogan": lambda t, p: d2d_ce(t["embed"], t["proxy"], t["label"], p["temperature"], p["margin"]),
    "conditional_contrastive": lambda t, p: conditional_contrastive(t["embed"], t["proxy"], t["label"], p["temperature"]),
    "cross_entropy": _cross_entropy,
    "multi_hinge_crammer_singer": lambda t, p: crammer_singer(t["adv_logits"], t["label"]),
    "lecam": lambda t, p: lecam(t["real"], t["fake"], _scalar(p["ema_real"]), _scalar(p["ema_fake"])),
    "feature_matching": lambda t, p: feature_distance(t["fake_features"], t["real_features"]),
    **{f"d_{name}": lambda t, p, loss=loss: loss.d_loss(t["real"], t["fake"]) for name, loss in ADVERSARIAL.items()},
    **{f"g_{name}": lambda t, p, loss=loss: loss.g_loss(t["fake"]) for name, loss in ADVERSARIAL.items()},
}


@pytest.fixture(scope="module")
def oracle() -> tuple[list[dict[str, Any]], dict[str, Tensor]]:
    if not ORACLE.is_dir():
        pytest.skip("the folder shared/oracle with recorded losses is not beside the repository")
    return json.loads((ORACLE / "losses.json").read_text()), load_file(ORACLE / "losses.safetensors")


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_values_and_gradients_are_those_recorded(name: str, oracle: tuple[list[dict[str, Any]], dict[str, Tensor]]) -> None:
    cases, tensors = oracle
    mine = [case for case in cases if case["loss"] == name]
    assert len(mine) == 4
    assert len(cases) == 4 * len(LOSSES)
    for case in mine:
        prefix = case["case"] + "."
        inputs = {key[4:]: value.clone() for key, value in tensors.items() if key.startswith(prefix) and ".grad." not in key}
        for tensor in inputs.values():
            tensor.requires_grad_(tensor.is_floating_point())
        value = LOSSES[name](inputs, case["params"])
        value.backward()
        assert value.item() == pytest.approx(case["value"], abs=1e-9)
        recorded = {key[len(prefix) + 5 :]: t for key, t in tensors.items() if key.startswith(prefix + "grad.")}
        assert recorded
        for key, expected in recorded.items():
            gradient = inputs[key].grad
            torch.testing.assert_close(torch.zeros_like(expected) if gradient is None else gradient, expected, rtol=0, atol=1e-9)
