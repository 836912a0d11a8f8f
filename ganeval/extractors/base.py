"""The contract of an extractor: uint8 images in, features and logits out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from ganeval.errors import UserError

Precision = Literal["fp32", "bf16"]


class Extracted(NamedTuple):
    """``features`` (N, D) float32 and ``logits`` (N, K) float32, or ``None`` where the network has no classes."""

    features: Tensor
    logits: Tensor | None


class Extractor(ABC):
    """A frozen network with its own idea of resize and scaling, known by the SHA-256 of its weights.

    ``name`` appears in every metric's heading; ``classes`` are the class names behind the logits, in order, or ``None``;
    ``device`` is where it computes; ``record`` holds what is known about the network (test accuracy, training set ...) as plain
    JSON.
    """

    name: str
    feature_dim: int
    classes: tuple[str, ...] | None
    resize: str
    value_range: str
    weights_sha256: str
    record: dict[str, object]
    device: torch.device = torch.device("cpu")

    @abstractmethod
    def __call__(self, images: Tensor) -> Extracted:
        """Images uint8 (N, C, R, R) on any device to features and logits on the CPU. float32, no autocast."""

    @abstractmethod
    def to(self, device: torch.device) -> Extractor:
        """The same extractor with its weights on ``device``."""

    def in_precision(self, precision: Precision) -> Extractor:
        """The same extractor, faster and less exact in ``bf16``; raises ``UserError`` where it computes in ``fp32`` alone.

        What computes otherwise has another name and another fingerprint: its features are not the same.
        """
        if precision == "fp32":
            return self
        raise UserError(f"extractor '{self.name}' computes in fp32 alone: leave out --precision {precision}")

    @property
    def fingerprint(self) -> str:
        """What the features depend on beside the images: weights, resize and value range."""
        return f"{self.weights_sha256}:{self.resize}:{self.value_range}"
