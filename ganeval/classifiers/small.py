"""The classifier recipe ``small``: a narrow network, half a minute on one core for ``digits``. Ours, not a paper's.

``digits-cnn``, the extractor that comes with the package, is made by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from ganeval.classifiers.augmentations import Distort
from ganeval.classifiers.optimizers import AdamW
from ganeval.classifiers.recipe import RECIPES, ClassifierRecipe, Net, Network
from ganeval.recipes.recipe import Citation

Stages = tuple[tuple[int, ...], ...]
"""The output channels of the convolutions, one tuple per resolution."""

SMALL: Stages = ((16, 32), (32, 64), (64,))
LARGE: Stages = ((32, 32), (64, 64), (128, 128), (64,))


def stages_for(resolution: int) -> Stages:
    """Three resolutions up to 16 pixels, four above."""
    return SMALL if resolution <= 16 else LARGE


class SmallCNN(Net):
    """Images (N, C, R, R) in [-1, 1] to features (N, 64) and logits (N, K).

    Stages of 3x3 convolutions, each with BatchNorm and ReLU, with 2x2 maximum pooling between stages; features are the
    mean over the last stage's pixels (after the ReLU: none is negative), logits a linear layer on them.
    """

    def __init__(self, channels: int, stages: Stages, num_classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for i, stage in enumerate(stages):
            layers += [nn.MaxPool2d(2)] if i else []
            for width in stage:
                layers += [nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
                channels = width
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(channels, num_classes)
        self.feature_dim = channels

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = self.body(images).mean(dim=(2, 3))
        return features, self.head(features)


@dataclass(frozen=True)
class SmallNetwork(Network):
    """:class:`SmallCNN` with the stages that fit the resolution."""

    kind: ClassVar[str] = "small-cnn"

    def build(self, channels: int, resolution: int, num_classes: int) -> Net:
        return SmallCNN(channels, stages_for(resolution), num_classes)


RECIPES.add(
    "small",
    ClassifierRecipe(
        name="small",
        network=SmallNetwork(),
        optimizer=AdamW(lr=4e-3, weight_decay=5e-4, warmup=0.2),
        augmentation=Distort(shift=0.1, rotation=10.0, zoom=0.1),
        epochs=30,
        batch_size=64,
        resolution=32,
        flip=False,
        standardise=False,
        citation=Citation("none", "", "ganeval"),
    ),
)
