"""What the fields of a protocol mean, in words: their value, what it says, what else is common and who does that.

``docs/protocols.md`` has the same as a table of causes, with the size of each effect.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import NamedTuple

from ganeval.batch_statistics import Batch, Running, Standing, Statistics
from ganeval.metrics.base import Metric
from ganeval.protocols.base import HELD_OUT, Protocol


class Line(NamedTuple):
    """One field: its ``name``, its ``value`` as text, what it ``means``, and what others do ``elsewhere`` (empty: nothing)."""

    name: str
    value: str
    means: str
    elsewhere: str


MEANS = {
    "reference_split": "the real images that the generated ones are compared with",
    "reference_count": "how many images of that split are used",
    "reference_seed": "draws these images where not all are used",
    "fakes": "how many images are generated",
    "fakes_follow_reference": "whether no more are generated than the reference has",
    "labels": "the classes the generator is asked for",
    "weights": "which generator is sampled, where a checkpoint has both",
    "statistics": "what the generator's BatchNorm normalises by; nothing where it has none",
    "truncation": "the bound of every entry of z, drawn again (truncated normal) until it is within",
    "extractor": "the network whose features are compared, with its own resize",
    "sample_order": "the order in which subsets are drawn and splits cut: given (files by name), by path, or the samples' own",
    "reference_size": "of the real images: the generator's, or their own where they are image files of one size",
    "jackknife_groups": "parts of the generated images that are left out in turn for the standard errors",
}
"""Each field of :class:`Protocol` but its name, description and metrics."""

ELSEWHERE = {
    "reference_split": (
        "train in GAN papers, StyleGAN and StudioGAN 0.4; the test split on clean-fid's CIFAR page, in DiffAugment and CR-GAN; "
        "the held-out split in StudioGAN 0.3"
    ),
    "reference_count": "StudioGAN draws about 50,000 of ImageNet for precision, recall, density and coverage, for these alone",
    "fakes": "50,000 in most papers, 10,000 in StudioGAN 0.3 on CIFAR; FID falls with the number (its bias is about a / N)",
    "fakes_follow_reference": "StudioGAN outside ImageNet and its subsets",
    "labels": (
        "i.i.d. uniform in torch-fidelity, BigGAN and StudioGAN, after the reference in StyleGAN, exactly balanced in small-v2 "
        "and ganeval-v1"
    ),
    "weights": "the average (EMA) in BigGAN, StyleGAN and StudioGAN's tables; the generator itself in papers without an average",
    "statistics": (
        "batch:64 in StudioGAN 0.3 on CIFAR and Tiny ImageNet, standing in StudioGAN 0.4 (64 x 64, on ImageNet 256 x 256), "
        "running elsewhere"
    ),
    "truncation": "none in tables of FID unless they say so; BigGAN trades variety for fidelity by it",
    "extractor": (
        "inception (TensorFlow 1's resize) in TTUR, torch-fidelity, StyleGAN; inception-clean in clean-fid; "
        "inception-studiogan-legacy and -friendly in StudioGAN 0.3 and 0.4"
    ),
    "sample_order": "by path in torch-fidelity: the files' names decide about KID's subsets and the splits of IS",
    "reference_size": "torch-fidelity, clean-fid and TTUR take every file as it is; training code prepares its data at one size",
    "jackknife_groups": "no other tool gives the error of FID, precision, recall, density or coverage",
}

PARAMETERS = {
    ("frechet", "ddof"): ("covariances are normalised by N minus this", "0 in StyleGAN, 1 everywhere else; tr S / N"),
    ("kernel", "subsets"): ("pairs of subsets whose distances are averaged", "100 in torch-fidelity, clean-fid, StyleGAN; 50"),
    ("kernel", "subset_size"): ("images of each set in a subset", "1000; 250 in small-v2, whose sets are small"),
    ("kernel", "seed"): ("draws the subsets, generated images first", "2020 in torch-fidelity; none in clean-fid and StyleGAN"),
    ("inception_score", "splits"): (
        "parts whose scores are averaged",
        "10 in torch-fidelity and StyleGAN, 1 in StudioGAN",
    ),
    ("inception_score", "seed"): (
        "shuffles the images before they are split",
        "2020 in torch-fidelity",
    ),
    ("inception_score", "shuffle"): ("whether they are shuffled", "StyleGAN, TTUR and StudioGAN keep the order"),
    ("am_score", "floor"): ("least mean probability of a class, caps the cost of a missing one", "1e-18 in AM-GAN"),
    ("prdc", "k"): ("a ball reaches to its k-th neighbour, itself not counted", "5 in prdc, StudioGAN, dgm-eval; 3 with VGG16"),
    ("prdc", "comparison"): (
        "whether the rim is inside",
        "less in prdc, StudioGAN, dgm-eval; else less_equal",
    ),
    ("prdc", "reals"): ("most images of the reference that are used", "about 50,000 of ImageNet in StudioGAN; all elsewhere"),
    ("prdc", "reals_seed"): ("draws them where not all are used", ""),
    ("frechet_infinity", "points"): ("subsets whose distances the line is fitted to", "15 in Chong and Forsyth, dgm-eval"),
    ("frechet_infinity", "seed"): ("draws the subsets", "none in dgm-eval"),
    ("inception_score_infinity", "points"): ("subsets whose scores the line is fitted to", "15 in Chong and Forsyth"),
    ("inception_score_infinity", "seed"): ("draws the subsets", ""),
    ("prd_curve", "clusters"): ("into which both sets are cut together", "20 in Sajjadi et al. and StudioGAN"),
    ("prd_curve", "runs"): ("clusterings whose curves are averaged", "10 in Sajjadi et al. and StudioGAN"),
    ("prd_curve", "angles"): ("points of the curve", "1001 in Sajjadi et al. and StudioGAN"),
    ("prd_curve", "seed"): ("draws the clusterings' beginnings", "none in Sajjadi et al."),
    ("memorisation", "quantile"): ("of the training images' own distances: closer than that is memorised", ""),
}
"""By metric and parameter: what it means, and what is common."""

LABELS = {
    "balanced": "exactly equally many of each class: sample i has class i mod K",
    "uniform": "i.i.d. uniform over the classes",
    "reference": "i.i.d. with the frequencies of the reference",
}


def explained(protocol: Protocol) -> Iterator[Line]:
    """Every field of ``protocol`` in order, then every parameter of each of its metrics."""
    for name, means in MEANS.items():
        yield Line(name, value_of(protocol, name), means, ELSEWHERE.get(name, ""))
    for metric in protocol.metrics:
        yield Line(metric.name, ", ".join(value.key for value in metric.values), _headings(metric), "")
        for field in dataclasses.fields(metric):  # type: ignore[arg-type]  # metrics are dataclasses
            means, elsewhere = PARAMETERS.get((metric.name, field.name), ("", ""))
            yield Line(f"{metric.name}.{field.name}", _text(getattr(metric, field.name)), means, elsewhere)


def differences(a: Protocol, b: Protocol) -> Iterator[tuple[str, str, str]]:
    """What differs: the name of a field or parameter, and its value in each; empty where one has no such metric."""
    left, right = ({line.name: line.value for line in explained(protocol)} for protocol in (a, b))
    for name in dict.fromkeys([*left, *right]):
        if left.get(name) != right.get(name):
            yield name, left.get(name, ""), right.get(name, "")


def value_of(protocol: Protocol, name: str) -> str:
    """A field's value as a person would say it."""
    value = getattr(protocol, name)
    if name == "reference_split" and value == HELD_OUT:
        return "held-out (the dataset's own: test or validation)"
    if name == "labels":
        return f"{value} ({LABELS[value]})"
    if name == "statistics":
        return f"{value} ({_statistics(value)})"
    absent = {
        "reference_count": "all", "truncation": "none", "extractor": "the dataset's own, or the one given with --extractor"
    }  # fmt: skip
    return absent[name] if value is None else _text(value)


def _statistics(statistics: Statistics) -> str:
    if isinstance(statistics, Running):
        return "those stored in training"
    if isinstance(statistics, Batch):
        return f"those of each {statistics.size} images generated together"
    if isinstance(statistics, Standing):
        return f"averaged over {statistics.passes} fresh batches of 1 to {statistics.max_batch} images"
    return type(statistics).__name__


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) and value >= 10_000 else "all" if value is None else str(value)


def _headings(metric: Metric) -> str:
    """What the values are called, which way is better, and in what unit."""
    return "; ".join(f"{value.inception_name} ({value.better} is better, {value.unit})" for value in metric.values)
