"""``am-gan``: the AM Score of Zhou et al., ICLR 2018, arXiv 1703.02000.

The authors' DenseNet was never published: the classifier is the one that is given, and its test accuracy stands beside the
values. Their Inception Score is another extractor's, and comes from the protocol ``torch-fidelity``.
"""

from __future__ import annotations

from ganeval.metrics.am_score import AMScore
from ganeval.protocols.base import PROTOCOLS, Protocol

PROTOCOLS.add(
    "am-gan",
    Protocol(
        name="am-gan",
        description="AM Score of 50,000 images under a classifier of the dataset, given with --extractor; IS: see torch-fidelity",
        reference_split="train",
        fakes=50_000,
        labels="uniform",
        weights="ema",
        extractor=None,
        metrics=(AMScore(floor=1e-18),),
    ),
)
