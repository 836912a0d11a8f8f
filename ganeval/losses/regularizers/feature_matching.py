"""Feature matching (Salimans et al., NIPS 2016, arXiv 1606.03498), as MHingeGAN uses it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ganeval.gather import gather
from ganeval.losses.base import Regularizer, Stage, State


def feature_distance(fake: Tensor, real: Tensor) -> Tensor:
    """mean |mean over fakes - mean over reals| of features (N, C) and (M, C): a scalar."""
    return (fake.mean(0) - real.mean(0)).abs().mean()


@dataclass(frozen=True)
class FeatureMatching(Regularizer):
    """G: ``weight`` * :func:`feature_distance` of ``h`` to that of a fresh batch of reals, over the batches of all processes."""

    kind: ClassVar[str] = "feature-matching"
    weight: float = 1.0

    def g_penalty(self, stage: Stage, state: State) -> Tensor:
        with torch.no_grad():
            features = stage.discriminator(*stage.fresh_real()).h
        return self.weight * feature_distance(gather(stage.fake_verdict.h), gather(features))
