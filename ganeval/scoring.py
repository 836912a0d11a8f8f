"""A source under a protocol: one pass of the extractor, every metric from the same features."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ganeval.batch_statistics import Statistics
from ganeval.cache import cached_bank
from ganeval.data.base import Dataset, ImageSet
from ganeval.environment import environment, find_device
from ganeval.errors import MetricError, UserError
from ganeval.extractors.base import Extractor
from ganeval.extractors.registry import find_extractor
from ganeval.features import FeatureBank
from ganeval.metrics.base import Metric, Value
from ganeval.protocols import PROTOCOLS, Protocol
from ganeval.registry import unknown
from ganeval.scorecard import OK, Score, ScoreCard
from ganeval.sources import Images, Samples, Source, open_source
from ganeval.uncertainty import jackknife

Talk = Callable[[str, int, int], None]
"""Called with what is being done, how many images are done, and of how many."""

Wanted = dict[Metric, list[Value]]
"""Metrics, each with those of its values that are wanted."""


@dataclass(frozen=True)
class Banks:
    """Features of the generated images, of the reference, and of held-out real images where there are any.

    ``reference_sha256`` is the content of the reference images. Without a reference it is ``None`` and the hash empty.
    """

    fake: FeatureBank
    reference: FeatureBank | None
    floor: FeatureBank | None
    reference_sha256: str

    def named(self) -> dict[str, FeatureBank | None]:
        """The banks by what they are of."""
        return {"fake": self.fake, "reference": self.reference, "floor": self.floor}


def score(
    source: str | Path, *, protocol: str = "small-v1", metrics: Sequence[str] | None = None, dataset: str | None = None,
    extractor: str | None = None, num: int | None = None, seed: int = 0, device: str | torch.device = "auto",
    talk: Talk | None = None, statistics: Statistics | None = None, truncation: float | None = None,
) -> ScoreCard:  # fmt: skip
    """Score a checkpoint, a run or a folder of images.

    ``metrics`` are keys (``fid``, ``is``, ``precision`` ...; all by default). ``dataset`` says what a folder of images is held
    against; ``extractor`` replaces the dataset's own (``classifier:PATH``). ``num``, ``statistics`` and ``truncation`` replace
    the protocol's number of images, BatchNorm statistics and bound of |z|, and ``extractor`` the network it names: the card
    then says so and is not ranked. Raises ``UserError`` for what cannot be scored; a metric that
    fails on the numbers themselves becomes a status.
    """
    from ganeval.alone import names_no_dataset, score_alone  # built on this module

    began = time.monotonic()
    rules = PROTOCOLS.get(protocol)
    wanted = _wanted_values(rules, metrics)
    where = find_device(device) if isinstance(device, str) else device
    changed = _with_sampling(rules, statistics, truncation)
    talk = talk or (lambda what, done, total: None)
    if dataset is None and names_no_dataset(Path(source)):
        return score_alone(
            Path(source), changed, rules, wanted, named=metrics is not None, extractor=extractor, num=num, seed=seed,
            device=where, talk=talk,
        )  # fmt: skip
    images, held_against = open_source(Path(source), changed, dataset, num=num, seed=seed, device=where)
    if changed != rules and not isinstance(images, Samples):
        raise UserError(f"{source} holds images that exist already: --truncation and --statistics are for generators")
    here = rules.resolved(held_against)
    network = _extractor(rules, held_against, extractor).to(where)
    require_enough(images, wanted)
    banks = _banks(images, held_against, here, network, talk)
    wanted, left_out = _meaningful(wanted, banks, network, named=metrics is not None)
    return ScoreCard(
        dataset=held_against.name,
        resolution=images.resolution,
        source=images.origin,
        protocol=rules.name,
        protocol_sha256=rules.sha256(),
        reference_sha256=banks.reference_sha256,
        extractor=describe(network),
        counts={name: len(bank) if bank else 0 for name, bank in banks.named().items()},
        seed=images.seed,
        scores=compute(wanted, banks, network, held_against, rules.jackknife_groups),
        deviations=(*images.deviations(here), *_deviations(rules, changed, banks, network)),
        environment=environment(where),
        seconds=round(time.monotonic() - began, 2),
        left_out=left_out,
    )


def describe(extractor: Extractor) -> dict[str, Any]:
    """What a card says of an extractor, as plain JSON."""
    return {
        "name": extractor.name, "sha256": extractor.weights_sha256, "resize": extractor.resize, "record": extractor.record
    }  # fmt: skip


def _meaningful(wanted: Wanted, banks: Banks, extractor: Extractor, *, named: bool) -> tuple[Wanted, tuple[str, ...]]:
    """Without the metrics that mean nothing on ``extractor``, and what was left out in words. What the user named is kept: it
    fails, and says why."""
    if named:
        return wanted, ()
    reasons = {}
    for metric in wanted:
        if "logits" in metric.needs and banks.fake.logits is None:
            reasons[metric] = f"{extractor.name} gives no class logits"
        elif {"logits", "labels"} <= metric.needs and extractor.classes is None:
            reasons[metric] = f"{extractor.name} is no classifier of a dataset's classes"
    said = [f"{', '.join(value.key for value in wanted[metric])}: {reason}" for metric, reason in reasons.items()]
    return {metric: values for metric, values in wanted.items() if metric not in reasons}, tuple(said)


def _with_sampling(protocol: Protocol, statistics: Statistics | None, truncation: float | None) -> Protocol:
    return dataclasses.replace(
        protocol, statistics=statistics or protocol.statistics,
        truncation=protocol.truncation if truncation is None else truncation,
    )  # fmt: skip


def _deviations(rules: Protocol, changed: Protocol, banks: Banks, extractor: Extractor) -> list[str]:
    """What was not done as ``rules`` has it, beside the images: in words."""
    said = changed.differences(rules)
    used = len(banks.reference or ())
    if rules.reference_count is not None and used != rules.reference_count:
        said.append(f"{used:,} reference images instead of {rules.reference_count:,}")
    if rules.extractor is not None and extractor.name != rules.extractor:
        said.append(f"extractor {extractor.name} instead of {rules.extractor}")
    return said


def extract(source: Source, extractor: Extractor, talk: Talk, what: str) -> FeatureBank:
    """The features, logits and labels of every image of ``source``, in order."""
    features, logits, labels = [], [], []
    done = 0
    for images, y in source.batches():
        extracted = extractor(images)
        features.append(extracted.features)
        labels.append(y)
        if extracted.logits is not None:
            logits.append(extracted.logits)
        done += len(y)
        talk(what, done, source.count)
    all_logits = torch.cat(logits).numpy() if logits else None
    return FeatureBank(torch.cat(features).numpy(), all_logits, torch.cat(labels).numpy())


def _wanted_values(protocol: Protocol, keys: Sequence[str] | None) -> Wanted:
    """The metrics that give the wanted keys, each with the values to keep."""
    known = {value.key: value for metric in protocol.metrics for value in metric.values}
    for key in keys or ():
        if key not in known:
            raise unknown("metric", key, known, f" (of protocol {protocol.name}; see 'ganeval ls metrics')")
    wanted = {metric: [v for v in metric.values if keys is None or v.key in keys] for metric in protocol.metrics}
    return {metric: values for metric, values in wanted.items() if values}


def _extractor(protocol: Protocol, dataset: Dataset, chosen: str | None) -> Extractor:
    name = chosen or protocol.extractor or dataset.extractor
    if name is None:
        raise UserError(
            f"dataset '{dataset.name}' has no extractor of its own: give --extractor inception for FID as papers have it"
            f"{''.join(f', {name} for its classes' for name in dataset.classifiers)}, or train one with 'ganeval classifier "
            f"train {dataset.name} --out DIR' and give --extractor classifier:DIR"
        )
    return find_extractor(name)


def require_enough(source: Source, wanted: Wanted) -> None:
    """Raise ``UserError`` where ``source`` has too few images for a metric."""
    for metric, values in wanted.items():
        if source.count < metric.minimum:
            keys = ", ".join(value.key for value in values)
            needed = f"at least {metric.minimum} images are needed, got {source.count}"
            raise UserError(f"{keys}: {needed}: {source.remedy} or choose other --metrics")


def _banks(source: Source, dataset: Dataset, protocol: Protocol, extractor: Extractor, talk: Talk) -> Banks:
    def bank(images: Source, what: str) -> FeatureBank:
        key: dict[str, object] = {"source": images.fingerprint, "extractor": extractor.fingerprint}
        return cached_bank(key, lambda: extract(images, extractor, talk, what))

    def real(split: str, count: int | None = None) -> tuple[FeatureBank, str]:
        images = _some(dataset.load(split, source.resolution), count, protocol.reference_seed)
        return bank(Images(images, {}), f"real images ({split})"), images.fingerprint

    reference, reference_sha256 = real(protocol.reference_split, protocol.reference_count)
    floor = real(dataset.held_out)[0] if dataset.held_out not in (None, protocol.reference_split) else None
    return Banks(bank(source, "images to score"), reference, floor, reference_sha256)


def _some(images: ImageSet, count: int | None, seed: int) -> ImageSet:
    """``count`` of the images, drawn without replacement, in their order; all where they are no more than that."""
    if count is None or count >= len(images):
        return images
    kept = torch.from_numpy(np.sort(np.random.RandomState(seed).permutation(len(images))[:count]))
    return ImageSet(images.images[kept], images.labels[kept], images.classes)


def compute(wanted: Wanted, banks: Banks, extractor: Extractor, dataset: Dataset | None, groups: int) -> tuple[Score, ...]:
    """The scores of all metrics; a metric that fails on the numbers themselves becomes a status."""
    return tuple(
        score for metric, values in wanted.items() for score in _scores(metric, values, banks, extractor, dataset, groups)
    )


def _scores(
    metric: Metric, values: list[Value], banks: Banks, extractor: Extractor, dataset: Dataset | None, groups: int
) -> list[Score]:
    """The scores of one metric: its values, their standard errors, and the same of held-out real images."""
    status, found, errors = OK, {}, {}
    try:
        _require_same_classes(metric, extractor, dataset)
        computed = _finite(metric.compute(banks.fake, banks.reference))
        found, errors = computed, _finite(jackknife(metric, banks.fake, banks.reference, groups))
    except MetricError as error:
        status = f"failed: {error}"
    floor = _floor(metric, banks) if found else {}
    return [
        Score(
            key=value.key, column=value.column(extractor.name), value=found.get(value.key), std_error=errors.get(value.key),
            floor=floor.get(value.key), better=value.better, unit=value.unit, status=status,
        )
        for value in values
        if value.key in found or status != OK
    ]  # fmt: skip


def _finite(values: Mapping[str, float]) -> dict[str, float]:
    for key, value in values.items():
        if not math.isfinite(value):
            raise MetricError(f"{key} or its standard error came out as {value}")
    return dict(values)


def _floor(metric: Metric, banks: Banks) -> dict[str, float]:
    """The metric of held-out real images; nothing where they are too few for it."""
    if banks.floor is None:
        return {}
    try:
        return _finite(metric.compute(banks.floor, banks.reference))
    except MetricError:
        return {}


def _require_same_classes(metric: Metric, extractor: Extractor, dataset: Dataset | None) -> None:
    """Labels can be compared with logits only where both count the same classes."""
    if dataset and {"logits", "labels"} <= metric.needs and extractor.classes != dataset.classes:
        raise MetricError(f"the classes of {extractor.name} are not those of {dataset.name}")
