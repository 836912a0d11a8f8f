"""DINOv2: the layout of Meta's files, read into timm's network at 224 pixels."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ganeval.errors import UserError
from ganeval.extractors.registry import find_extractor
from ganeval.extractors.resize import CLEAN


@pytest.fixture(scope="module")
def random_vits14(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file like dinov2_vits14_pretrain.pth: position embeddings for 518 pixels, and the mask token of the training."""
    timm = pytest.importorskip("timm", reason="the extra 'dinov2' is not installed")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        state = timm.create_model("vit_small_patch14_dinov2", pretrained=False, num_classes=0).state_dict()
    for name, value in state.items():
        if name.endswith(".gamma"):
            value.fill_(1.0)  # Layer scale begins at 1e-5, where no block would matter.
    path = tmp_path_factory.mktemp("weights") / "dinov2_vits14_pretrain.pth"
    torch.save({**state, "mask_token": torch.zeros(1, 384)}, path)
    return path


def test_features_are_the_class_token_of_timms_network(random_vits14: Path, pictures: Callable[..., Tensor]) -> None:
    import timm
    from timm.layers import resample_abs_pos_embed

    x = pictures(2, 64)
    extractor = find_extractor(f"dinov2-vits14:{random_vits14}")
    assert extractor.name == f"dinov2-vits14@{extractor.weights_sha256[:8]}"
    made = extractor(x)
    assert (made.features.shape, made.logits) == ((2, 384), None)

    net = timm.create_model("vit_small_patch14_dinov2", pretrained=False, num_classes=0, img_size=224).eval()
    state = torch.load(random_vits14, weights_only=True)
    del state["mask_token"]
    state["pos_embed"] = resample_abs_pos_embed(state["pos_embed"], new_size=[16, 16])
    net.load_state_dict(state)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.no_grad():
        tokens = net.forward_features((CLEAN(x, 224) / 255 - mean.view(3, 1, 1)) / std.view(3, 1, 1))
    assert tokens.shape == (2, 257, 384)
    assert float((made.features - tokens[:, 0]).norm() / tokens[:, 0].norm()) < 1e-4


def test_another_size_does_not_fit(random_vits14: Path) -> None:
    with pytest.raises(UserError, match="weights of another network"):
        find_extractor(f"dinov2-vitb14:{random_vits14}")


def test_the_weights_are_the_users_to_bring() -> None:
    pytest.importorskip("timm", reason="the extra 'dinov2' is not installed")
    with pytest.raises(
        UserError, match=r"needs the file of its weights, https://\S+/dinov2_vitl14_pretrain.pth: write dinov2:PATH"
    ):
        find_extractor("dinov2")


def test_without_the_extra_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(UserError, match=r"the package timm is not installed: pip install 'ganeval\[dinov2\]'"):
        find_extractor("dinov2:somewhere.pth")
