"""The classifier recipe ``densenet-bc-40-40``: the classifier behind published AM Scores.

Network: Huang et al., Densely Connected Convolutional Networks, CVPR 2017, arXiv 1608.06993, section 3 and table 2 (BC:
bottleneck layers and compression 0.5). Settings: those of the classifier in AM-GAN's code (Zhou et al., ICLR 2018, arXiv
1703.02000; github.com/ZhimingZhou/AM-GAN), which follow section 4.2 of the network's paper: depth 40, growth rate 40, SGD with
Nesterov's momentum 0.9, rate 0.1 divided by 10 after 150 and 225 of 300 epochs, batches of 64, weight decay 1e-4 on all
variables, no dropout, channels standardised, crops from a border of 4 pixels and flips. AM-GAN states no test accuracy.
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

BLOCKS = 3


class DenseNetBC(Net):
    """Images (N, C, R, R) to features (N, D), the pooled end of the last block, and logits (N, K).

    torchvision's blocks and transitions under the paper's first layer for small images: a 3x3 convolution to 2 ``growth``
    channels, no pooling. ``layers`` bottleneck pairs (1x1 to 4 ``growth`` channels, 3x3 to ``growth``) in each block.
    """

    def __init__(self, channels: int, layers: int, growth: int, num_classes: int) -> None:
        super().__init__()
        from torchvision.models import DenseNet

        whole = DenseNet(growth, (layers,) * BLOCKS, 2 * growth, bn_size=4, num_classes=num_classes)
        for name in ("norm0", "relu0", "pool0"):  # of the ImageNet stem; every block begins with its own BatchNorm and ReLU
            delattr(whole.features, name)
        whole.features.conv0 = nn.Conv2d(channels, 2 * growth, 3, padding=1, bias=False)
        nn.init.kaiming_normal_(whole.features.conv0.weight)
        self.features, self.head = whole.features, whole.classifier
        self.feature_dim = whole.classifier.in_features

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = F.relu(self.features(images)).mean(dim=(2, 3))
        return features, self.head(features)


@dataclass(frozen=True)
class DenseNet(Network):
    """DenseNet-BC of ``depth`` layers and the ``growth`` rate; ``depth`` is 6 n + 4: n bottleneck pairs in each of 3 blocks."""

    kind: ClassVar[str] = "densenet-bc"
    depth: int = 40
    growth: int = 40

    def __post_init__(self) -> None:
        if self.depth < 10 or (self.depth - 4) % (2 * BLOCKS) or self.growth < 1:
            raise UserError(f"network: a DenseNet-BC has 10, 16, 22, ... layers and a growth rate from 1, not {self.depth} and "
                            f"{self.growth}")  # fmt: skip

    def build(self, channels: int, resolution: int, num_classes: int) -> Net:
        return DenseNetBC(channels, (self.depth - 4) // (2 * BLOCKS), self.growth, num_classes)


RECIPES.add(
    "densenet-bc-40-40",
    ClassifierRecipe(
        name="densenet-bc-40-40",
        network=DenseNet(depth=40, growth=40),
        optimizer=SGD(lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-4, milestones=(0.5, 0.75), decay=0.1),
        augmentation=Crop(border=0.125),
        epochs=300,
        batch_size=64,
        resolution=64,
        citation=Citation("arXiv:1703.02000", "the classifier of AM Score", "github.com/ZhimingZhou/AM-GAN"),
    ),
)
