"""A source under a protocol: one pass of the extractor, every metric from the same features."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from ganeval.cache import cached_bank, cached_moments, kept_moments
from ganeval.computable import computable
from ganeval.data.base import Dataset
from ganeval.environment import environment, find_device
from ganeval.errors import MetricError, UserError
from ganeval.extractors.base import Extractor
from ganeval.extractors.registry import find_extractor
from ganeval.features import FeatureBank, MomentBank, moments_of
from ganeval.importers.studiogan import Hints
from ganeval.metrics.base import Metric, Value
from ganeval.protocols import PROTOCOLS, Protocol
from ganeval.registry import unknown
from ganeval.scorecard import OK, Score, ScoreCard
from ganeval.sources import FeatureSource, Images, ImageSource, Source, open_source
from ganeval.sources.saving import Keep
from ganeval.statistics import Statistics, read_statistics
from ganeval.uncertainty import jackknife

Talk = Callable[[str, int, int], None]
"""Called with what is being done, how many images are done, and of how many."""


@dataclass(frozen=True)
class Banks:
    """Features of the generated images, of the reference, and of held-out real images where there are any.

    ``reference_sha256`` is the content of the reference images, or of the file of their statistics.
    """

    fake: FeatureBank
    reference: FeatureBank
    floor: FeatureBank | None
    reference_sha256: str

    def counts(self) -> dict[str, int]:
        """How many images each set has; without those of which nobody knows it."""
        known = {
            "fake": self.fake.count,
            "reference": self.reference.count,
            "floor": 0 if self.floor is None else self.floor.count,
        }
        return {name: count for name, count in known.items() if count is not None}


def score(
    source: str | Path, *, protocol: str = "small-v1", metrics: Sequence[str] | None = None, dataset: str | None = None,
    extractor: str | None = None, num: int | None = None, seed: int = 0, device: str | torch.device = "auto",
    talk: Talk | None = None, reference: str | Path | None = None, keep: Keep | None = None, hints: Hints | None = None,
) -> ScoreCard:  # fmt: skip
    """Score a checkpoint, a run, given images (folder, .zip, .npz), saved features, or statistics (.npz with mu and sigma).

    ``metrics`` are keys (``fid``, ``is``, ``precision`` ...; by default all that the source and the reference allow). ``dataset``
    says what given images are held against; ``extractor`` replaces the dataset's own (``classifier:PATH``). ``num`` replaces the
    protocol's number of images: the card then says so and is not ranked. ``reference`` is a file of statistics in place of
    the dataset's images. ``keep`` says what to keep of generated images and features. ``hints`` are what is known of a ``.pth``
    file that fits two networks. Raises ``UserError`` for what cannot be scored; a metric that fails on the numbers themselves
    becomes a status.
    """
    began = time.monotonic()
    rules = PROTOCOLS.get(protocol)
    wanted = _wanted_values(rules, metrics)
    where = find_device(device) if isinstance(device, str) else device
    given = read_statistics(Path(reference)) if reference is not None else None
    images, held_against = open_source(
        Path(source), rules, dataset, num=num, seed=seed, device=where, hints=hints, reference=given is not None
    )
    wanted = computable(wanted, images, given, named=metrics is not None)
    keep = keep or Keep()
    images = keep.of(images)
    against = held_against or given
    assert against is not None  # a source without a dataset is opened for a reference file alone
    network = choose_extractor(rules, against, extractor).to(where)
    _require_enough(images, wanted)
    banks = _banks(images, given or against, rules, network, talk or (lambda what, done, total: None), wanted)
    keep.finish(images, banks.fake, network, rules)
    return ScoreCard(
        dataset=against.name,
        resolution=images.resolution,
        source=images.origin,
        protocol=rules.name,
        protocol_sha256=rules.sha256(),
        reference_sha256=banks.reference_sha256,
        extractor={"name": network.name, "sha256": network.weights_sha256, "resize": network.resize, "record": network.record},
        counts=banks.counts(),
        seed=images.seed,
        scores=_compute(wanted, banks, network, held_against, rules.jackknife_groups),
        deviations=(*images.deviations(rules), *(given.deviations() if given else ())),
        environment=environment(where),
        seconds=round(time.monotonic() - began, 2),
    )


def extract(source: ImageSource, extractor: Extractor, talk: Talk, what: str) -> FeatureBank:
    """The features, logits and labels of every image of ``source``, in order."""
    features, logits, labels = [], [], []
    done = 0
    for images, y in source.batches():
        extracted = extractor(images)
        features.append(extracted.features)
        if y is not None:
            labels.append(y)
        if extracted.logits is not None:
            logits.append(extracted.logits)
        done += len(images)
        talk(what, done, source.count)
    all_logits = torch.cat(logits).numpy() if logits else None
    all_labels = torch.cat(labels).numpy() if labels else None
    return FeatureBank(torch.cat(features).numpy(), all_logits, all_labels)


def _wanted_values(protocol: Protocol, keys: Sequence[str] | None) -> dict[Metric, list[Value]]:
    """The metrics that give the wanted keys, each with the values to keep."""
    known = {value.key: value for metric in protocol.metrics for value in metric.values}
    for key in keys or ():
        if key not in known:
            raise unknown("metric", key, known, f" (of protocol {protocol.name}; see 'ganeval ls metrics')")
    wanted = {metric: [v for v in metric.values if keys is None or v.key in keys] for metric in protocol.metrics}
    return {metric: values for metric, values in wanted.items() if values}


def choose_extractor(protocol: Protocol, held_against: Dataset | Statistics, chosen: str | None) -> Extractor:
    """The extractor the user has ``chosen``, else the protocol's, else that of what the source is held against.

    Raises ``UserError`` where none of these says one.
    """
    name = chosen or protocol.extractor or held_against.extractor
    if name is None and isinstance(held_against, Dataset):
        raise UserError(
            f"dataset '{held_against.name}' has no extractor of its own: train one with 'ganeval classifier train "
            f"DATASET --out DIR' and give it with --extractor classifier:DIR"
        )
    if name is None:
        raise UserError(
            "nothing says which extractor the statistics are of: give it with --extractor (see 'ganeval ls extractors')"
        )
    return find_extractor(name)


def _require_enough(source: Source, wanted: dict[Metric, list[Value]]) -> None:
    for metric, values in wanted.items():
        if source.count is not None and source.count < metric.minimum:
            keys = ", ".join(value.key for value in values)
            needed = f"at least {metric.minimum} images are needed, got {source.count}"
            raise UserError(f"{keys}: {needed}: {source.remedy} or choose other --metrics")


def _banks(
    source: ImageSource | FeatureSource, against: Dataset | Statistics, protocol: Protocol, extractor: Extractor, talk: Talk,
    wanted: Collection[Metric],
) -> Banks:  # fmt: skip
    def fake() -> FeatureBank:
        if isinstance(source, ImageSource):
            return _bank(source, extractor, talk, "images to score")
        return source.bank(extractor)

    if isinstance(against, Statistics):
        against.require(extractor, protocol, source.resolution)
        return Banks(fake(), MomentBank(against.moments), None, against.sha256)
    given = fake() if isinstance(source, FeatureSource) else None  # what is wrong with it is said before the reference is read
    reference, sha256 = real_bank(against, protocol.reference_split, source.resolution, extractor, talk, wanted)
    floor = real_bank(against, against.held_out, source.resolution, extractor, talk, wanted)[0] if against.held_out else None
    return Banks(given if given is not None else fake(), reference, floor, sha256)


def real_bank(
    dataset: Dataset, split: str, resolution: int | None, extractor: Extractor, talk: Talk, wanted: Collection[Metric] = ()
) -> tuple[FeatureBank, str]:
    """The bank of a split's images and the hash of these; moments are kept beside it, so that they are computed once.

    Where moments suffice for all the ``wanted`` metrics and are known, features are not even read; sets of no more images than
    dimensions have no use for moments.
    """
    images = Images(dataset.load(split, resolution), {})
    key: dict[str, object] = {"source": images.fingerprint, "extractor": extractor.fingerprint}
    kept = kept_moments(key) if wanted and all(metric.moments_suffice for metric in wanted) else None
    if kept and kept.count and kept.count > extractor.feature_dim:
        return MomentBank(kept), images.images.fingerprint
    bank = _bank(images, extractor, talk, f"real images ({split})")
    return replace(bank, recall=lambda: cached_moments(key, lambda: moments_of(bank.features))), images.images.fingerprint


def _bank(source: ImageSource, extractor: Extractor, talk: Talk, what: str) -> FeatureBank:
    key: dict[str, object] = {"source": source.fingerprint, "extractor": extractor.fingerprint}
    return cached_bank(key, lambda: extract(source, extractor, talk, what))


def _compute(
    wanted: dict[Metric, list[Value]], banks: Banks, extractor: Extractor, dataset: Dataset | None, groups: int
) -> tuple[Score, ...]:
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
