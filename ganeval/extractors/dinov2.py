"""The extractors ``dinov2*``: self-supervised vision transformers, whose Fréchet distance follows human judgement closely.

Oquab et al., 2023, arXiv 2304.07193; as features for evaluation: Stein et al., NeurIPS 2023, arXiv 2306.04675, who use
ViT-L/14 at 224 pixels and the normalised class token. The network is timm's; position embeddings are resampled from 518 pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

from torch import Tensor, nn

from ganeval.errors import UserError
from ganeval.extractors.network import IMAGENET, Input, Known, NetworkExtractor, imported
from ganeval.extractors.published import named_by_weights, weights_at
from ganeval.extractors.registry import EXTRACTORS
from ganeval.extractors.resize import CLEAN
from ganeval.extractors.weights import load_into

EXTRA = "pip install 'ganeval[dinov2]'"
SIZE = 224


class ClassToken(nn.Module):
    """float32 (N, 3, 224, 224) to the normalised class token of ``net``, and no logits."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        return self.net(x), None


@dataclass(frozen=True)
class DINOv2:
    """Factory of the extractor ``name``. The published file carries no checksum, so it is never downloaded."""

    name: str
    architecture: str
    url: str

    @property
    def description(self) -> str:
        return f"DINOv2 ({self.architecture.split('_patch')[0]}, patch 14) at {SIZE} px, class token; {self.name}:PATH"

    def __call__(self, argument: str | None) -> NetworkExtractor:
        """The extractor ``name@`` and the beginning of the SHA-256 of the file at ``argument``; raises ``UserError``."""
        timm = imported("timm", EXTRA)
        if argument is None:
            raise UserError(f"extractor '{self.name}' needs the file of its weights, {self.url}: write {self.name}:PATH")
        weights = weights_at(argument, self.name)
        net = timm.create_model(self.architecture, pretrained=False, img_size=SIZE, num_classes=0)
        fitted = imported("timm.models.vision_transformer", EXTRA).checkpoint_filter_fn(weights.tensors, net)
        load_into(net, fitted, weights)
        known = Known(named_by_weights(self.name, weights), weights.sha256, net.num_features, "none")
        return NetworkExtractor(ClassToken(net), Input(SIZE, CLEAN, IMAGENET), known)

    def status(self) -> str:
        """Whether the package is installed."""
        return "installed" if find_spec("timm") else f"not installed: {EXTRA}"


_SITE = "https://dl.fbaipublicfiles.com/dinov2"
for _factory in (
    DINOv2("dinov2", "vit_large_patch14_dinov2", f"{_SITE}/dinov2_vitl14/dinov2_vitl14_pretrain.pth"),
    DINOv2("dinov2-vitb14", "vit_base_patch14_dinov2", f"{_SITE}/dinov2_vitb14/dinov2_vitb14_pretrain.pth"),
    DINOv2("dinov2-vits14", "vit_small_patch14_dinov2", f"{_SITE}/dinov2_vits14/dinov2_vits14_pretrain.pth"),
):
    EXTRACTORS.add(_factory.name, _factory)
