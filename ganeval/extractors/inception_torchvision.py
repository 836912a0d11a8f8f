"""The extractor ``inception-torchvision``: torchvision's Inception-v3, trained anew on ImageNet's 1000 classes.

StudioGAN calls it InceptionV3_torch. Its numbers compare with nothing measured on the Inception of FID. Images are resized by
Pillow's Lanczos filter, which is StudioGAN's "friendly" choice for this network.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from ganeval.extractors.network import UNIT, Input, Known, NetworkExtractor, fold_batch_norm, imported
from ganeval.extractors.published import PublishedExtractor
from ganeval.extractors.registry import EXTRACTORS
from ganeval.extractors.resize import PIL_LANCZOS
from ganeval.extractors.weights import PublishedFile, Weights, load_into

NAME = "inception-torchvision"
FILE = PublishedFile("https://download.pytorch.org/models/inception_v3_google-0cc3c7bd.pth")
SIZE, FEATURES, CLASSES = 299, 2048, 1000


class TorchvisionInception(nn.Module):
    """float32 (N, 3, 299, 299) in [-1, 1] to the 2048 pooled features and the 1000 logits."""

    fc: nn.Linear

    def __init__(self, net: Any) -> None:
        super().__init__()
        self.fc = net.fc
        net.fc = nn.Identity()
        net.AuxLogits = None
        self.trunk = net

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.trunk(x)
        return features, self.fc(features)


def build_torchvision_inception(name: str, weights: Weights) -> NetworkExtractor:
    """The extractor from the tensors of the published file.

    torchvision turns ImageNet's normalisation back into [-1, 1] inside the network (``transform_input``); here images come
    as [-1, 1] at once.
    """
    models = imported("torchvision.models", "install the torchvision of your torch")
    net = models.inception_v3(weights=None, init_weights=False, aux_logits=True, transform_input=False)
    load_into(net, weights.tensors, weights)
    known = Known(name, weights.sha256, FEATURES, f"{CLASSES} ImageNet classes")
    return NetworkExtractor(fold_batch_norm(TorchvisionInception(net)), Input(SIZE, PIL_LANCZOS, UNIT), known)


EXTRACTORS.add(
    NAME,
    PublishedExtractor(NAME, "torchvision's own Inception-v3, not the network of FID", FILE, build_torchvision_inception),
)
