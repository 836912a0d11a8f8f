"""A source under a protocol: one pass of the extractor, every metric from the same features."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from ganeval import batch_statistics, defaults
from ganeval.banks import Banks, banks_of, reference_size
from ganeval.computable import Wanted, computable, meaningful
from ganeval.data.base import Dataset
from ganeval.environment import environment, find_device
from ganeval.errors import UserError, both
from ganeval.extraction import require_room
from ganeval.extractors.base import Extractor, Precision
from ganeval.extractors.registry import EXTRACTORS, find_extractor
from ganeval.importers.studiogan import Hints
from ganeval.measuring import Measurement, wanted_values
from ganeval.progress import Talk, heard_by
from ganeval.protocols import PROTOCOLS, Protocol
from ganeval.sampling import Which
from ganeval.scorecard import ScoreCard
from ganeval.sources import ImageSource, Source, open_source
from ganeval.sources.saving import Keep
from ganeval.statistics import Statistics, read_statistics
from ganeval.team import current_team

ALONE = "inception"
"""The extractor where neither the user nor the protocol names one, and no dataset could."""


def score(
    source: str | Path, *, protocol: str = defaults.PROTOCOL, metrics: Sequence[str] | None = None,
    dataset: str | Dataset | None = None,
    reference: str | Path | None = None, extractor: str | None = None, num: int | None = None,
    statistics: batch_statistics.Statistics | None = None, truncation: float | None = None, seed: int = 0,
    device: str | torch.device = "auto", hints: Hints | None = None, keep: Keep | None = None, per_class: bool = False,
    talk: Talk | None = None, precision: Precision = "fp32", checkpoint: Which = "latest", keep_features: bool = True,
) -> ScoreCard:  # fmt: skip
    """Score a checkpoint, a run, given images (folder, .zip, .npz), saved features, or statistics (.npz with mu and sigma).

    ``metrics`` are keys (``fid``, ``is``, ``precision`` ...; by default all of the protocol that the source and the reference
    allow); one that the protocol does not have is computed with its own default parameters and marked ``extra``.
    ``dataset`` says what given images are held against; ``reference`` is a file of statistics in place of its images.
    ``num``, ``statistics`` and ``truncation`` replace the protocol's number of images, BatchNorm statistics and bound of |z|,
    and ``extractor`` the network it names, or the dataset's own (``classifier:PATH``): the card then says so and is not
    ranked. ``hints`` are what is known of a ``.pth`` file that fits two networks. ``keep`` says what to keep of generated
    images and features. ``per_class`` adds the table of the classes. ``checkpoint`` says which one of a run. Without
    ``keep_features`` those of the source are not left in the cache (a run that is scored often would fill it).

    ``precision`` is that of the extractor; in ``bf16`` it has another name. Inside of :func:`ganeval.team.team` the processes
    that ``torchrun`` started share the work, and all get the card.

    Raises ``UserError`` for what cannot be scored; a metric that fails on the numbers themselves becomes a status.
    """
    began, team = time.monotonic(), current_team()
    talk = talk or (lambda what, done, total: None)
    rules = PROTOCOLS.get(protocol)
    wanted: Wanted = wanted_values(rules, metrics)
    if extractor and reference is None:  # before every file of a source is read; a reference may be of one that has no name
        EXTRACTORS.get(extractor.partition(":")[0])
    where = find_device(device) if isinstance(device, str) else device
    given = read_statistics(Path(reference)) if reference is not None else None
    sampled = _with_sampling(rules, statistics, truncation)
    opened, held_against = open_source(
        Path(source), sampled, dataset, num=num, seed=seed, device=where, hints=hints, reference=given is not None,
        which=checkpoint,
    )  # fmt: skip
    if sampled != rules and opened.seed is None:
        raise UserError(f"{source} is given, not generated: --truncation and --statistics are for generators")
    if per_class:
        _require_table(opened, held_against, given)
    wanted, left_out = computable(wanted, opened, given, named=metrics is not None)
    keep = keep or Keep()
    images = keep.of(opened)
    against = held_against or given
    here = rules.resolved(held_against) if held_against else rules
    _require_enough(images.count, images.remedy, wanted)
    network = _equipped(rules, against, extractor, images.resolution if given is None else None)
    network = network.to(where).in_precision(precision)
    if isinstance(images, ImageSource):
        require_room(images.count, network)
    only_moments = not per_class and all(metric.moments_suffice for metric in wanted)
    banks = banks_of(images, given or against, here, network, talk, only_moments=only_moments, keep=keep_features)
    if not team.first:
        return team.from_first(None)
    keep.finish(images, banks.fake, network, rules, sampled.differences(rules))
    wanted, idle = meaningful(wanted, banks.fake, banks.reference, network, images.classes, named=metrics is not None)
    whose = held_against.name if held_against else "the images"
    measurement = Measurement(banks.ordered(rules.sample_order), network, images.classes, whose, rules)
    with heard_by(talk):
        scores = measurement.scores(wanted)
    card = ScoreCard(
        dataset=against.name if against else "",
        resolution=images.resolution,
        source=images.origin,
        protocol=rules.name,
        protocol_sha256=rules.sha256(),
        reference_sha256=banks.reference_sha256,
        extractor={"name": network.name, "sha256": network.weights_sha256, "resize": network.resize, "record": network.record},
        counts=banks.counts(),
        seed=images.seed,
        scores=scores,
        deviations=(
            *([] if against else ["no reference"]),
            *images.deviations(here),
            *_altered(here, None if given else held_against, images.resolution),
            *_deviations(rules, sampled, given, banks, network),
        ),
        environment=environment(where),
        seconds=round(time.monotonic() - began, 2),
        per_class=measurement.per_class() if per_class else (),
        left_out=(*left_out, *idle),
    )
    return team.from_first(card)


def _with_sampling(
    protocol: Protocol, statistics: batch_statistics.Statistics | None, truncation: float | None
) -> Protocol:  # fmt: skip
    return dataclasses.replace(
        protocol, statistics=statistics or protocol.statistics,
        truncation=protocol.truncation if truncation is None else truncation,
    )  # fmt: skip


def _deviations(
    rules: Protocol, sampled: Protocol, given: Statistics | None, banks: Banks, extractor: Extractor
) -> list[str]:  # fmt: skip
    """What was not done as ``rules`` has it, beside the images: in words."""
    said = sampled.differences(rules)
    if given:
        said += given.deviations()
    elif banks.reference is not None and rules.reference_count is not None and banks.reference.count != rules.reference_count:
        said.append(f"{banks.reference.count:,} reference images instead of {rules.reference_count:,}")
    if rules.extractor is not None and extractor.name != rules.extractor:
        said.append(f"extractor {extractor.name} instead of {rules.extractor}")
    return said


def _altered(rules: Protocol, dataset: Dataset | None, resolution: int | None) -> list[str]:
    """Where real images are not taken as they are although ``rules`` (of that ``dataset``) has them so: in words."""
    if dataset is None or rules.reference_size != "own":
        return []
    sizes = dataset.file_sizes(rules.reference_split)
    size = reference_size(dataset, rules.reference_split, rules, resolution)
    return [f"reference images cut and resampled to {size}x{size}"] if sizes - {(size, size)} else []


def _require_table(source: Source, dataset: Dataset | None, reference: Statistics | None) -> None:
    """Raise ``UserError`` before the work where there can be no table of the classes."""
    if reference:
        raise UserError(f"no table of the classes: {reference.path} has no images, hold the source against --dataset")
    if dataset is None:
        raise UserError(f"no table of the classes: {source.unknown}")
    if source.only_moments or not source.labelled:
        raise UserError(f"no table of the classes: {source.origin.get('name', 'the source')} has no labels")


def choose_extractor(protocol: Protocol, held_against: Dataset | Statistics | None, chosen: str | None) -> Extractor:
    """The extractor the user has ``chosen``, else the protocol's, else that of what the source is held against.

    Inception where it is held against nothing. Raises ``UserError`` where none of these says one.
    """
    if held_against is None and not chosen:
        return _published(protocol.extractor or ALONE)
    name = chosen or protocol.extractor or (held_against.extractor if held_against else None)
    if isinstance(held_against, Statistics) and name and name == held_against.extractor and name not in EXTRACTORS.names():
        network = str(name).partition("@")[0]
        raise UserError(
            f"{held_against.path} is of the extractor {name}, which is none by name: give --extractor {network}:FILE with its "
            "weights, or classifier:DIR, and --precision bf16 where its name ends so"
        )
    if name is None and isinstance(held_against, Dataset):
        raise UserError(
            f"dataset '{held_against.name}' has no extractor of its own: give --extractor inception for FID as papers have it, "
            f"or train one with 'ganeval classifier train {held_against.name} --out DIR' and give --extractor classifier:DIR"
        )
    if name is None:
        raise UserError(
            "nothing says which extractor the statistics are of: give it with --extractor (see 'ganeval ls extractors')"
        )
    return find_extractor(name) if chosen else _published(name)


def _equipped(
    protocol: Protocol, held_against: Dataset | Statistics | None, chosen: str | None, resolution: int | None
) -> Extractor:  # fmt: skip
    """The extractor of :func:`choose_extractor`, once images at ``resolution`` are known to be there to hold the source against.

    What is missing of the two is said at once: either may take an hour to fetch.
    """

    def reference() -> None:
        if isinstance(held_against, Dataset) and resolution is not None:
            held_against.require_there(resolution)

    return both(reference, lambda: choose_extractor(protocol, held_against, chosen))[1]


def _published(name: str) -> Extractor:
    try:
        return find_extractor(name)
    except UserError as error:
        raise UserError(f"{error}, or choose another network with --extractor NAME (see 'ganeval ls extractors')") from error


def require_scorable(
    dataset: Dataset, protocol: str, metrics: Sequence[str] | None, extractor: str | None, num: int | None
) -> None:  # fmt: skip
    """Raise what :func:`score` would raise for a checkpoint trained on ``dataset``, before there is one."""
    rules = PROTOCOLS.get(protocol).resolved(dataset)
    wanted = wanted_values(rules, metrics)
    _require_enough(num or rules.fakes, "raise the number of images", wanted)
    require_room(num or rules.fakes, choose_extractor(rules, dataset, extractor))


def _require_enough(count: int | None, remedy: str, wanted: Wanted) -> None:
    for metric, values in wanted.items():
        if count is not None and count < metric.minimum:
            keys = ", ".join(value.key for value in values)
            needed = f"at least {metric.minimum} images are needed, got {count}"
            raise UserError(f"{keys}: {needed}: {remedy} or choose other --metrics")
