"""The extractors ``inception*``: the network behind FID, Inception Score and KID, under the resizers of four tools.

TensorFlow's Inception-v3 of 2015-12-05 as torch-fidelity ported it; its building blocks are torch-fidelity's. The weights of
clean-fid, pytorch-fid and PyTorch-StudioGAN are the same parameters; what differs is how an image reaches the network, and
whether the logits have their bias (torch-fidelity: no; StudioGAN: yes).
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import partial
from types import ModuleType

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganeval.extractors.network import TF1, UNIT, Input, Known, NetworkExtractor, Scaling, fold_batch_norm, imported
from ganeval.extractors.published import PublishedExtractor
from ganeval.extractors.rectified import rectify
from ganeval.extractors.registry import EXTRACTORS
from ganeval.extractors.resize import CLEAN, HALF_PIXEL_BILINEAR, PIL_BILINEAR, TF1_BILINEAR, Resizer
from ganeval.extractors.weights import PublishedFile, Weights, load_into

FILE = PublishedFile(
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth"
)
SIZE, FEATURES, CLASSES = 299, 2048, 1008


class FIDInception(nn.Module):
    """float32 (N, 3, 299, 299) to the 2048 pooled features and the 1008 logits, with or without the last layer's bias."""

    def __init__(self, bias: bool) -> None:
        super().__init__()
        self.bias = bias
        self.trunk = _trunk()
        self.fc = nn.Linear(FEATURES, CLASSES)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.trunk(x)
        with torch.autocast(x.device.type, enabled=False):
            return features, F.linear(features, self.fc.weight, self.fc.bias if self.bias else None)


class InFull(nn.Module):
    """To float32: features are averages in full precision, whatever the convolutions computed in."""

    def forward(self, x: Tensor) -> Tensor:
        return x.float()


def _blocks() -> ModuleType:
    return imported("torch_fidelity.feature_extractor_inceptionv3", "install torch-fidelity and the torchvision of your torch")


def _trunk() -> nn.Sequential:
    """Everything before the last layer. Names are those of the published file."""
    tf = _blocks()
    return nn.Sequential(
        OrderedDict(
            Conv2d_1a_3x3=tf.BasicConv2d(3, 32, kernel_size=3, stride=2),  # 149 x 149
            Conv2d_2a_3x3=tf.BasicConv2d(32, 32, kernel_size=3),  # 147 x 147
            Conv2d_2b_3x3=tf.BasicConv2d(32, 64, kernel_size=3, padding=1),
            MaxPool_1=nn.MaxPool2d(kernel_size=3, stride=2),  # 73 x 73
            Conv2d_3b_1x1=tf.BasicConv2d(64, 80, kernel_size=1),
            Conv2d_4a_3x3=tf.BasicConv2d(80, 192, kernel_size=3),  # 71 x 71
            MaxPool_2=nn.MaxPool2d(kernel_size=3, stride=2),  # 35 x 35
            Mixed_5b=tf.InceptionA(192, pool_features=32),
            Mixed_5c=tf.InceptionA(256, pool_features=64),
            Mixed_5d=tf.InceptionA(288, pool_features=64),
            Mixed_6a=tf.InceptionB(288),  # 17 x 17
            Mixed_6b=tf.InceptionC(768, channels_7x7=128),
            Mixed_6c=tf.InceptionC(768, channels_7x7=160),
            Mixed_6d=tf.InceptionC(768, channels_7x7=160),
            Mixed_6e=tf.InceptionC(768, channels_7x7=192),
            Mixed_7a=tf.InceptionD(768),  # 8 x 8
            Mixed_7b=tf.InceptionE_1(1280),
            Mixed_7c=tf.InceptionE_2(2048),
            InFull=InFull(),
            AvgPool=nn.AdaptiveAvgPool2d(1),
            Flatten=nn.Flatten(),
        )
    )


@dataclass(frozen=True)
class Variant:
    """One tool's way to Inception features."""

    name: str
    description: str
    resizer: Resizer
    scaling: Scaling
    bias: bool


VARIANTS = (
    Variant("inception", "Inception-v3 of FID as torch-fidelity runs it, TensorFlow 1's resize", TF1_BILINEAR, TF1, bias=False),
    Variant("inception-clean", "the same network under clean-fid's resize", CLEAN, TF1, bias=False),
    Variant(
        "inception-studiogan-legacy", "the same network as StudioGAN's default runs it, torch's bilinear resize",
        HALF_PIXEL_BILINEAR, UNIT, bias=True,
    ),
    Variant(
        "inception-studiogan-friendly", "the same network as StudioGAN's published tables use it, Pillow's bilinear resize",
        PIL_BILINEAR, UNIT, bias=True,
    ),
)  # fmt: skip


def build_inception(variant: Variant, name: str, weights: Weights) -> NetworkExtractor:
    """The extractor from the tensors of the published file, or of one of the same layout."""
    net = FIDInception(variant.bias)
    tensors = {key if key.startswith("fc.") else f"trunk.{key}": value for key, value in weights.tensors.items()}
    load_into(net, tensors, weights)
    head = f"{CLASSES}, {'with' if variant.bias else 'without'} the bias of the last layer"
    known = Known(name, weights.sha256, FEATURES, head)
    fast = rectify(fold_batch_norm(net), _blocks().BasicConv2d)
    return NetworkExtractor(fast, Input(SIZE, variant.resizer, variant.scaling), known)


for _variant in VARIANTS:
    EXTRACTORS.add(
        _variant.name,
        PublishedExtractor(_variant.name, _variant.description, FILE, partial(build_inception, _variant)),
    )
