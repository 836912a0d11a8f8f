"""What holds for every extractor made of a resizer, a scaling and a network."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from ganeval.errors import UserError
from ganeval.extractors.network import IMAGENET, TF1, UNIT, Input, Known, NetworkExtractor, Scaling, fold_batch_norm, imported
from ganeval.extractors.resize import CLEAN, PIL_BILINEAR, Resizer


class Small(nn.Module):
    """Two convolutions; 5 features, 3 logits or none."""

    def __init__(self, logits: bool = True) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.Conv2d(8, 5, 3), nn.Dropout(0.5))
        self.head = nn.Linear(5, 3) if logits else None

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        features = self.body(x).mean(dim=(2, 3))
        return features, None if self.head is None else self.head(features)


def extractor(
    resizer: Resizer = PIL_BILINEAR, scaling: Scaling = IMAGENET, head: str = "3", logits: bool = True
) -> NetworkExtractor:
    known = Known("small", "ab" * 32, 5, head, ("a", "b", "c") if logits else None, {"dataset": "none"})
    return NetworkExtractor(Small(logits), Input(16, resizer, scaling), known)


def test_it_is_the_network_behind_resize_and_scaling(pictures: Callable[..., Tensor]) -> None:
    x = pictures(3, 24)
    made = extractor()(x)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    scaled = (PIL_BILINEAR(x, 16) / 255 - mean.view(3, 1, 1)) / std.view(3, 1, 1)
    with torch.no_grad():
        features, logits = Small().eval()(scaled)
    torch.testing.assert_close(made.features, features, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(made.logits, logits, rtol=1e-5, atol=1e-6)
    assert not made.features.requires_grad
    assert extractor(logits=False)(x).logits is None


@pytest.mark.parametrize(("scaling", "black", "white"), [(TF1, -1.0, 127 / 128), (UNIT, -1.0, 1.0)])
def test_the_scalings_of_inception(scaling: Scaling, black: float, white: float) -> None:
    x = torch.tensor([0.0, 255.0]).view(1, 1, 1, 2).expand(1, 3, 1, 2).clone()
    assert scaling(x)[0, 1, 0].tolist() == [black, white]


def test_an_image_does_not_depend_on_what_comes_with_it(pictures: Callable[..., Tensor]) -> None:
    x, net = pictures(21, 24), extractor()
    whole = net(x)
    for batch in (1, 5, 8, 21):
        parts = [net(part) for part in x.split(batch)]
        assert torch.equal(torch.cat([part.features for part in parts]), whole.features)
        assert torch.equal(torch.cat([part.logits for part in parts if part.logits is not None]), whole.logits)


def test_grey_is_repeated(pictures: Callable[..., Tensor]) -> None:
    x = pictures(2, 24)[:, :1]
    assert torch.equal(extractor()(x).features, extractor()(x.repeat(1, 3, 1, 1)).features)


@pytest.mark.parametrize(
    "wrong",
    [
        torch.zeros(2, 3, 16, 16),
        torch.zeros(2, 2, 16, 16, dtype=torch.uint8),
        torch.zeros(3, 16, 16, dtype=torch.uint8),
        torch.zeros(0, 3, 16, 16, dtype=torch.uint8),
    ],
)
def test_anything_but_uint8_images_is_refused(wrong: Tensor) -> None:
    with pytest.raises(UserError, match="'small' takes uint8 images"):
        extractor()(wrong)


def test_settings_around_it_change_nothing_and_stay(pictures: Callable[..., Tensor]) -> None:
    x, net = pictures(2, 24), extractor()
    plain = net(x).features
    torch.set_float32_matmul_precision("medium")
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert torch.equal(net(x).features, plain)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")


def test_the_fingerprint_tells_apart_what_gives_other_numbers() -> None:
    others = [extractor(), extractor(resizer=CLEAN), extractor(scaling=UNIT), extractor(head="3, with bias")]
    assert len({each.fingerprint for each in others}) == 4
    assert extractor().fingerprint == others[0].fingerprint
    assert others[0].record == {"logits": "3", "dataset": "none"}
    assert others[0].resize == "pil-bilinear to 16x16, float32"


def test_on_its_own_device_it_stays_itself() -> None:
    net = extractor()
    assert net.to(torch.device("cpu")) is net


class Unit(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, bias=False)
        self.bn = nn.BatchNorm2d(6, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.bn(self.conv(x))
        return made


def test_folding_changes_the_network_and_not_its_function(calm: Callable[..., dict[str, Tensor]]) -> None:
    x = torch.randn(4, 3, 9, 9, generator=torch.Generator().manual_seed(1)) + 0.3
    net = nn.Sequential(Unit())
    calm(net, 2 * x)
    before = net(x)
    folded = fold_batch_norm(net)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    torch.testing.assert_close(folded(x), before, rtol=1e-5, atol=1e-6)


def test_a_missing_or_broken_package_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(UserError, match="the package timm is not installed: do this"):
        imported("timm", "do this")

    def broken(name: str) -> None:
        raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setattr("importlib.import_module", broken)
    with pytest.raises(UserError, match=r"x cannot be imported \(operator torchvision::nms does not exist\): do that"):
        imported("x", "do that")
