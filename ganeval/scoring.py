"""A source under a protocol: one pass of the extractor, every metric from the same features."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

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
from ganeval.metrics.base import METRICS, Metric, Value
from ganeval.metrics.prdc import PrecisionRecallDensityCoverage
from ganeval.per_class import per_class as per_class_table
from ganeval.protocols import PROTOCOLS, Protocol
from ganeval.registry import unknown
from ganeval.scorecard import OK, ClassScores, Score, ScoreCard
from ganeval.sources import Images, Samples, Source, open_source
from ganeval.uncertainty import Measured, measure

Talk = Callable[[str, int, int], None]
"""Called with what is being done, how many images are done, and of how many."""


@dataclass(frozen=True)
class Banks:
    """Features of the generated images, of the reference, and of held-out real images where there are any.

    ``reference_sha256`` is the content of the reference images.
    """

    fake: FeatureBank
    reference: FeatureBank
    floor: FeatureBank | None
    reference_sha256: str


def score(
    source: str | Path, *, protocol: str = "small-v1", metrics: Sequence[str] | None = None, dataset: str | None = None,
    extractor: str | None = None, num: int | None = None, seed: int = 0, device: str | torch.device = "auto",
    talk: Talk | None = None, statistics: Statistics | None = None, truncation: float | None = None, per_class: bool = False,
) -> ScoreCard:  # fmt: skip
    """Score a checkpoint, a run or a folder of images.

    ``metrics`` are keys (``fid``, ``is``, ``precision`` ...; all of the protocol by default); one that the protocol does not
    have is computed with its own default parameters and marked ``extra``. ``dataset`` says what a folder of images is held
    against; ``extractor`` replaces the dataset's own (``classifier:PATH``). ``num``, ``statistics`` and ``truncation`` replace
    the protocol's number of images, BatchNorm statistics and bound of |z|, and ``extractor`` the network it names: the card
    then says so and is not ranked. ``per_class`` adds the table of the classes. Raises ``UserError`` for what cannot be
    scored; a metric that fails on the numbers themselves becomes a status.
    """
    began = time.monotonic()
    rules = PROTOCOLS.get(protocol)
    wanted = _wanted_values(rules, metrics)
    where = find_device(device) if isinstance(device, str) else device
    changed = _with_sampling(rules, statistics, truncation)
    images, held_against = open_source(Path(source), changed, dataset, num=num, seed=seed, device=where)
    if changed != rules and not isinstance(images, Samples):
        raise UserError(f"{source} holds images that exist already: --truncation and --statistics are for generators")
    here = rules.resolved(held_against)
    network = _extractor(rules, held_against, extractor).to(where)
    _require_enough(images, wanted)
    banks = _banks(images, held_against, here, network, talk or (lambda what, done, total: None))
    scores = _compute(wanted, banks, network, held_against, rules)
    counts = {"fake": len(banks.fake), "reference": len(banks.reference), "floor": len(banks.floor) if banks.floor else 0}
    return ScoreCard(
        dataset=held_against.name,
        resolution=images.resolution,
        source=images.origin,
        protocol=rules.name,
        protocol_sha256=rules.sha256(),
        reference_sha256=banks.reference_sha256,
        extractor={"name": network.name, "sha256": network.weights_sha256, "resize": network.resize, "record": network.record},
        counts=counts,
        seed=images.seed,
        scores=scores,
        deviations=(*images.deviations(here), *_deviations(rules, changed, banks, network)),
        environment=environment(where),
        seconds=round(time.monotonic() - began, 2),
        per_class=_per_class(banks, network, held_against, rules) if per_class else (),
    )


def _with_sampling(protocol: Protocol, statistics: Statistics | None, truncation: float | None) -> Protocol:
    return dataclasses.replace(
        protocol, statistics=statistics or protocol.statistics,
        truncation=protocol.truncation if truncation is None else truncation,
    )  # fmt: skip


def _deviations(rules: Protocol, changed: Protocol, banks: Banks, extractor: Extractor) -> list[str]:
    """What was not done as ``rules`` has it, beside the images: in words."""
    said = changed.differences(rules)
    if rules.reference_count is not None and len(banks.reference) != rules.reference_count:
        said.append(f"{len(banks.reference):,} reference images instead of {rules.reference_count:,}")
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


def _wanted_values(protocol: Protocol, keys: Sequence[str] | None) -> dict[Metric, list[Value]]:
    """The metrics that give the wanted keys, each with the values to keep: the protocol's, then those asked for beside it."""
    own = {metric.name for metric in protocol.metrics}
    others = [metric for name, metric in METRICS if name not in own] if keys else []
    known = {value.key for metric in (*protocol.metrics, *others) for value in metric.values}
    for key in keys or ():
        if key not in known:
            raise unknown("metric", key, known, " (see 'ganeval ls metrics')")
    wanted = {
        metric: [v for v in metric.values if keys is None or v.key in keys] for metric in (*protocol.metrics, *others)
    }  # fmt: skip
    return {metric: values for metric, values in wanted.items() if values}


def _extractor(protocol: Protocol, dataset: Dataset, chosen: str | None) -> Extractor:
    name = chosen or protocol.extractor or dataset.extractor
    if name is None:
        raise UserError(
            f"dataset '{dataset.name}' has no extractor of its own: train one with 'ganeval classifier train "
            f"DATASET --out DIR' and give it with --extractor classifier:DIR"
        )
    return find_extractor(name)


def _require_enough(source: Source, wanted: dict[Metric, list[Value]]) -> None:
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


def _compute(
    wanted: dict[Metric, list[Value]], banks: Banks, extractor: Extractor, dataset: Dataset, rules: Protocol
) -> tuple[Score, ...]:
    return tuple(
        score for metric, values in wanted.items() for score in _scores(metric, values, banks, extractor, dataset, rules)
    )


def _scores(
    metric: Metric, values: list[Value], banks: Banks, extractor: Extractor, dataset: Dataset, rules: Protocol
) -> list[Score]:
    """The scores of one metric: its values, their uncertainty, and the same of held-out real images."""
    status, found = OK, {}
    try:
        _require_same_classes(metric, extractor, dataset)
        found = measure(metric, banks.fake, banks.reference, rules.jackknife_groups)
    except MetricError as error:
        status = f"failed: {error}"
    floor = _floor(metric, banks) if found else {}
    extra = None if metric in rules.metrics else {"metric": metric.name, **dataclasses.asdict(metric)}  # type: ignore[call-overload]

    def score_of(value: Value) -> Score:
        measured = found.get(value.key, Measured(None, None, None))
        return Score(
            key=value.key, column=value.column(extractor.name), value=measured.value, std_error=measured.std_error,
            floor=floor.get(value.key), better=value.better, unit=value.unit, status=status, interval=measured.interval,
            extra=extra,
        )  # fmt: skip

    return [score_of(value) for value in values if value.key in found or status != OK]


def _floor(metric: Metric, banks: Banks) -> dict[str, float]:
    """The metric of held-out real images; nothing where they are too few for it, or a number is not finite."""
    if banks.floor is None:
        return {}
    try:
        values = metric.compute(banks.floor, banks.reference)
    except MetricError:
        return {}
    return dict(values) if all(math.isfinite(value) for value in values.values()) else {}


def _per_class(banks: Banks, extractor: Extractor, dataset: Dataset, rules: Protocol) -> tuple[ClassScores, ...]:
    """The table of the classes; precision and recall with the protocol's neighbours."""
    balls = next((metric for metric in rules.metrics if isinstance(metric, PrecisionRecallDensityCoverage)), None)
    same = extractor.classes == dataset.classes
    try:
        return per_class_table(
            banks.fake, banks.reference, dataset.classes, same_classes=same, balls=balls or PrecisionRecallDensityCoverage()
        )
    except MetricError as error:
        raise UserError(f"no table of the classes: {error}") from error


def _require_same_classes(metric: Metric, extractor: Extractor, dataset: Dataset) -> None:
    """Labels can be compared with logits only where both count the same classes."""
    if {"logits", "labels"} <= metric.needs and extractor.classes != dataset.classes:
        raise MetricError(f"the classes of {extractor.name} are not those of {dataset.name}")
