"""A source under a protocol: one pass of the extractor, every metric from the same features."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from ganeval.data.base import Dataset
from ganeval.environment import environment, find_device
from ganeval.errors import MetricError, UserError
from ganeval.extraction import bank_of
from ganeval.extractors.base import Extractor, Precision
from ganeval.extractors.registry import find_extractor
from ganeval.features import FeatureBank
from ganeval.metrics.base import Metric, Value
from ganeval.progress import Talk, heard_by
from ganeval.protocols import PROTOCOLS, Protocol
from ganeval.registry import unknown
from ganeval.scorecard import OK, Score, ScoreCard
from ganeval.sources import Images, Source, open_source
from ganeval.team import current_team
from ganeval.uncertainty import jackknife


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
    talk: Talk | None = None, precision: Precision = "fp32",
) -> ScoreCard:  # fmt: skip
    """Score a checkpoint, a run or a folder of images.

    ``metrics`` are keys (``fid``, ``is``, ``precision`` ...; all by default). ``dataset`` says what a folder of images is held
    against; ``extractor`` replaces the dataset's own (``classifier:PATH``). ``num`` replaces the protocol's number of
    images: the card then says so and is not ranked. ``precision`` is that of the extractor; in ``bf16`` it has another name.
    Raises ``UserError`` for what cannot be scored; a metric that fails on the numbers themselves becomes a status.

    Inside of :func:`ganeval.team.team` the processes that ``torchrun`` started share the work, and all get the card.
    """
    began = time.monotonic()
    talk = talk or (lambda what, done, total: None)
    rules = PROTOCOLS.get(protocol)
    wanted = _wanted_values(rules, metrics)
    where = find_device(device) if isinstance(device, str) else device
    images, held_against = open_source(Path(source), rules, dataset, num=num, seed=seed, device=where)
    network = _extractor(rules, held_against, extractor).to(where).in_precision(precision)
    _require_enough(images, wanted)
    banks = _banks(images, held_against, rules, network, talk)
    if not current_team().leads:
        return current_team().from_leader(None)
    with heard_by(talk):
        scores = _compute(wanted, banks, network, held_against, rules.jackknife_groups)
    counts = {"fake": len(banks.fake), "reference": len(banks.reference), "floor": len(banks.floor) if banks.floor else 0}
    card = ScoreCard(
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
        deviations=tuple(images.deviations(rules)),
        environment=environment(where),
        seconds=round(time.monotonic() - began, 2),
    )
    return current_team().from_leader(card)


def _wanted_values(protocol: Protocol, keys: Sequence[str] | None) -> dict[Metric, list[Value]]:
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
    def real(split: str) -> tuple[FeatureBank, str]:
        images = dataset.load(split, source.resolution)
        return bank_of(Images(images, {}), extractor, talk, f"real images ({split})"), images.fingerprint

    reference, reference_sha256 = real(protocol.reference_split)
    floor = real(dataset.held_out)[0] if dataset.held_out else None
    return Banks(bank_of(source, extractor, talk, "images to score"), reference, floor, reference_sha256)


def _compute(
    wanted: dict[Metric, list[Value]], banks: Banks, extractor: Extractor, dataset: Dataset, groups: int
) -> tuple[Score, ...]:
    return tuple(
        score for metric, values in wanted.items() for score in _scores(metric, values, banks, extractor, dataset, groups)
    )


def _scores(
    metric: Metric, values: list[Value], banks: Banks, extractor: Extractor, dataset: Dataset, groups: int
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


def _require_same_classes(metric: Metric, extractor: Extractor, dataset: Dataset) -> None:
    """Labels can be compared with logits only where both count the same classes."""
    if {"logits", "labels"} <= metric.needs and extractor.classes != dataset.classes:
        raise MetricError(f"the classes of {extractor.name} are not those of {dataset.name}")
