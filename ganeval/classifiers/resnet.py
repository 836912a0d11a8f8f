"""The classifier recipe ``resnet-20``: small, and good for its cost; what ``ganeval cas`` trains unless told otherwise.

He et al., Deep Residual Learning for Image Recognition, CVPR 2016, arXiv 1512.03385, section 4.2: batches of 128, SGD with
momentum 0.9 and weight decay 1e-4, rate 0.1 divided by 10 after 32,000 and 48,000 of 64,000 updates (164 epochs of
CIFAR-10), crops from a border of 4 pixels and flips. Where the paper takes off the mean of every pixel, here channels are
standardised.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from ganeval.classifiers.augmentations import Crop
from ganeval.classifiers.optimizers import SGD
from ganeval.classifiers.recipe import RECIPES, ClassifierRecipe, Net, Network
from ganeval.errors import UserError
from ganeval.recipes.recipe import Citation


class Block(nn.Module):
    """Two 3x3 convolutions beside a shortcut: every ``stride``-th pixel, missing channels filled with zeros on both sides."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.stride, self.missing = stride, after - before
        self.conv1 = nn.Conv2d(before, after, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)

    def forward(self, x: Tensor) -> Tensor:
        h = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        half = self.missing // 2
        shortcut = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, half, self.missing - half))
        return F.relu(h + shortcut)


class CifarResNet(Net):
    """float32 (N, C, R, R) to the pooled features (N, 4 ``width``) and the logits (N, K). ``depth`` is 6 n + 2.

    Names of the weights are those of akamaster/pytorch_resnet_cifar10's files.
    """

    def __init__(self, depth: int, width: int = 16, channels: int = 3, num_classes: int = 10) -> None:
        super().__init__()
        n = (depth - 2) // 6
        self.conv1 = nn.Conv2d(channels, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.layer1 = _stage(n, width, width, 1)
        self.layer2 = _stage(n, width, 2 * width, 2)
        self.layer3 = _stage(n, 2 * width, 4 * width, 2)
        self.linear = nn.Linear(4 * width, num_classes)
        self.feature_dim = 4 * width

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = F.relu(self.bn1(self.conv1(x)))
        features = self.layer3(self.layer2(self.layer1(h))).mean(dim=(2, 3))
        return features, self.linear(features)


def _stage(n: int, before: int, after: int, stride: int) -> nn.Sequential:
    return nn.Sequential(Block(before, after, stride), *(Block(after, after, 1) for _ in range(n - 1)))


@dataclass(frozen=True)
class ResNet(Network):
    """:class:`CifarResNet` of ``depth`` layers and ``width`` channels at the first resolution; weights as He et al. 2015."""

    kind: ClassVar[str] = "resnet"
    depth: int = 20
    width: int = 16

    def __post_init__(self) -> None:
        if self.depth < 8 or (self.depth - 2) % 6 or self.width < 1:
            raise UserError(f"network: a ResNet has 8, 14, 20, ... layers and a width from 1, not {self.depth} and {self.width}")

    def build(self, channels: int, resolution: int, num_classes: int) -> Net:
        net = CifarResNet(self.depth, self.width, channels, num_classes)
        for module in net.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_normal_(module.weight)
        return net


RECIPES.add(
    "resnet-20",
    ClassifierRecipe(
        name="resnet-20",
        network=ResNet(depth=20, width=16),
        optimizer=SGD(lr=0.1, momentum=0.9, nesterov=False, weight_decay=1e-4, milestones=(0.5, 0.75), decay=0.1),
        augmentation=Crop(border=0.125),
        epochs=164,
        batch_size=128,
        resolution=32,
        citation=Citation("arXiv:1512.03385", "section 4.2"),
    ),
)
