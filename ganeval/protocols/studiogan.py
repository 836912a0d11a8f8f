"""``studiogan-*``: the published tables of PyTorch-StudioGAN, Kang et al., TPAMI 2023, arXiv 2206.09479.

Tables of version 0.3 and of version 0.4 differ in almost everything. Within one, ImageNet and its subsets are evaluated with
other BatchNorm statistics than CIFAR and Tiny ImageNet. Standing statistics use the training batch size for both numbers; a
generator without BatchNorm (StyleGAN) has none either way.
"""

from __future__ import annotations

from dataclasses import replace

from ganeval.batch_statistics import Batch, Standing
from ganeval.metrics.frechet import Frechet
from ganeval.metrics.inception_score import InceptionScore
from ganeval.metrics.intra_frechet import IntraFrechet
from ganeval.metrics.prd_curve import PRDCurve
from ganeval.metrics.prdc import PrecisionRecallDensityCoverage
from ganeval.protocols.base import HELD_OUT, PROTOCOLS, Protocol

V3 = Protocol(
    name="studiogan-v0.3",
    description="StudioGAN's tables of version 0.3, CIFAR and Tiny ImageNet: as many images as held-out ones, batch statistics",
    reference_split=HELD_OUT,
    fakes=50_000,
    fakes_follow_reference=True,
    labels="uniform",
    weights="ema",
    extractor="inception-studiogan-legacy",
    metrics=(Frechet(), InceptionScore(splits=1), PRDCurve()),
    statistics=Batch(64),
)

V4 = Protocol(
    name="studiogan-v0.4",
    description="StudioGAN's table of version 0.4, CIFAR: as many images as training ones, standing statistics 64 x 64",
    reference_split="train",
    fakes=50_000,
    fakes_follow_reference=True,
    labels="uniform",
    weights="ema",
    extractor="inception-studiogan-friendly",
    metrics=(Frechet(), InceptionScore(splits=1), PrecisionRecallDensityCoverage(k=5, comparison="less"), IntraFrechet()),
    statistics=Standing(max_batch=64, passes=64),
)

V3_IMAGENET = replace(
    V3,
    name="studiogan-v0.3-imagenet",
    description="StudioGAN's tables of version 0.3, ImageNet: 50,000 images against the held-out ones, standing statistics",
    statistics=Standing(max_batch=256, passes=256),
)

V4_IMAGENET = replace(
    V4,
    name="studiogan-v0.4-imagenet",
    description="StudioGAN's table of version 0.4, ImageNet and its subsets: 50,000 images, standing statistics 256 x 256",
    metrics=(*V4.metrics[:2], PrecisionRecallDensityCoverage(k=5, comparison="less", reals=50_000), IntraFrechet()),
    statistics=Standing(max_batch=256, passes=256),
)

for _protocol in (V3, V3_IMAGENET, V4, V4_IMAGENET):
    PROTOCOLS.add(_protocol.name, _protocol)
