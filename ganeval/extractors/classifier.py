"""The extractor ``classifier:PATH``: features and logits of a classifier trained with ``ganeval.classifiers``."""

from __future__ import annotations

import copy
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from ganeval.classifiers.evaluate import BLOCK, run_in_blocks
from ganeval.classifiers.record import load_classifier
from ganeval.data.pixels import to_float
from ganeval.errors import UserError
from ganeval.extractors.base import Extracted, Extractor
from ganeval.extractors.registry import EXTRACTORS
from ganeval.files import from_home

CHUNK = 16 * BLOCK
"""Images converted and resized at a time; bounds the memory, a whole number of the network's blocks."""


def with_channels(images: Tensor, channels: int) -> Tensor:
    """uint8 images (N, 1 or 3, R, R) with ``channels`` channels: grey is repeated, RGB becomes ITU-R 601 luma.

    Luma is computed in integers as Pillow does it: (19595 R + 38470 G + 7471 B + 32768) >> 16.
    """
    if images.shape[1] == channels:
        return images
    if channels == 3:
        return images.expand(-1, 3, -1, -1)
    weights = torch.tensor([19595, 38470, 7471], dtype=torch.int32, device=images.device).view(1, 3, 1, 1)
    return (((images * weights).sum(dim=1, keepdim=True) + 32768) >> 16).to(torch.uint8)


class ClassifierExtractor(Extractor):
    """Features (N, D): the last layer before the classes, pooled, never negative. Logits (N, K): one per class it was trained on.

    Images of another resolution are brought to the network's by torch's antialiased bilinear filter, in float32 on [-1, 1].
    An image's result is the same whatever comes with it. ``name`` is the folder's unless given.
    """

    value_range = "[-1, 1]"

    def __init__(self, path: Path, name: str | None = None) -> None:
        """Load and verify the folder at ``path``; raises ``UserError`` where it is no intact classifier."""
        self._net, known, folder = load_classifier(path)
        self.name = name or path.resolve().name
        self.feature_dim = self._net.feature_dim
        self.classes = known.classes
        self.channels, self.resolution = known.channels, known.resolution
        self.resize = f"torch bilinear antialiased to {known.resolution}x{known.resolution}, float32"
        self.weights_sha256 = folder.sha256
        self.record = known.to_json()
        self.device = torch.device("cpu")

    def __call__(self, images: Tensor) -> Extracted:
        if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] not in (1, 3) or len(images) == 0:
            given = f"{images.dtype} {tuple(images.shape)}"
            raise UserError(f"extractor '{self.name}' takes uint8 images (N, 1 or 3, R, R), not {given}")
        parts = [self._extract(chunk.to(self.device)) for chunk in images.split(CHUNK)]
        return Extracted(torch.cat([f for f, _ in parts]), torch.cat([y for _, y in parts]))

    def to(self, device: torch.device) -> ClassifierExtractor:
        moved = copy.copy(self)
        moved._net = copy.deepcopy(self._net).to(device)
        moved.device = device
        return moved

    def _extract(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features and logits, on the CPU, of at most CHUNK images on the network's device."""
        with torch.autocast(self.device.type, enabled=False):
            x = to_float(with_channels(images, self.channels))
            if x.shape[2:] != (self.resolution, self.resolution):
                x = F.interpolate(x, size=(self.resolution, self.resolution), mode="bilinear", antialias=True)
            features, logits = run_in_blocks(self._net, x)
        return features.cpu(), logits.cpu()


def _from_path(argument: str | None) -> ClassifierExtractor:
    if not argument:
        raise UserError("extractor 'classifier' needs the folder of a trained classifier: classifier:PATH")
    made = ClassifierExtractor(from_home(argument))
    if made.name.partition("-")[0] == "inception":
        raise UserError(
            f"{argument}: a classifier called '{made.name}' would pass for Inception, whose scores are FID: rename it"
        )
    return made


EXTRACTORS.add("classifier", _from_path)
