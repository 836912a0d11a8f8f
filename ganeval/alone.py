"""A generator of unknown origin, scored with nothing to compare it with: the metrics that need no reference."""

from __future__ import annotations

import time
from pathlib import Path

import torch

from ganeval.cache import cached_bank
from ganeval.checkpoints import is_folder, read_record
from ganeval.data.registry import DATASETS
from ganeval.environment import environment
from ganeval.errors import UserError
from ganeval.extractors.base import Extractor
from ganeval.extractors.registry import find_extractor
from ganeval.importers.checkpoint import KIND
from ganeval.protocols import Protocol
from ganeval.sampling import LoadedGenerator, resolve_checkpoint
from ganeval.scorecard import ScoreCard
from ganeval.scoring import Banks, Talk, Wanted, compute, describe, extract, require_enough
from ganeval.sources import Samples, open_generator

DEFAULT = "inception"
"""The extractor where neither the user nor the protocol names one, and no dataset could."""


def names_no_dataset(path: Path) -> bool:
    """Whether ``path`` is a foreign generator, as a file or imported: it does not say what it was trained on."""
    if path.is_file():
        return path.suffix in (".pth", ".pt")
    folder = resolve_checkpoint(path)
    return is_folder(folder) and read_record(folder).get("kind") == KIND


def score_alone(
    path: Path, changed: Protocol, rules: Protocol, wanted: Wanted, *, named: bool, extractor: str | None, num: int | None,
    seed: int, device: torch.device, talk: Talk,
) -> ScoreCard:  # fmt: skip
    """The card of the generator at ``path`` without a reference; its ``left_out`` says which metrics need one.

    ``changed`` is ``rules`` with what the user overrides. ``named``: the user asked for these metrics. Raises ``UserError`` where
    one of them, or all of the protocol's, need a reference or labels of a known dataset.
    """
    began = time.monotonic()
    generator = open_generator(path, changed.weights, device)
    kept = {metric: values for metric, values in wanted.items() if not metric.needs & {"reference", "labels"}}
    others = ", ".join(value.key for metric, values in wanted.items() if metric not in kept for value in values)
    way_out = f"give --dataset NAME{_for_example(generator)}"
    if others and (named or not kept):
        raise UserError(f"{others}: {path.name} does not say what it was trained on: {way_out}")
    network = _extractor(extractor, rules).to(device)
    classes = tuple(str(label) for label in range(generator.num_classes))
    source = Samples(generator, classes, changed, num or changed.fakes, seed, (1,) * len(classes))
    require_enough(source, kept)
    key: dict[str, object] = {"source": source.fingerprint, "extractor": network.fingerprint}
    fake = cached_bank(key, lambda: extract(source, network, talk, "images to score"))
    return ScoreCard(
        dataset="",
        resolution=source.resolution,
        source=source.origin,
        protocol=rules.name,
        protocol_sha256=rules.sha256(),
        reference_sha256="",
        extractor=describe(network),
        counts={"fake": len(fake), "reference": 0, "floor": 0},
        seed=seed,
        scores=compute(kept, Banks(fake, None, None, ""), network, None, rules.jackknife_groups),
        deviations=("no reference", *source.deviations(rules), *changed.differences(rules)),
        environment=environment(device),
        seconds=round(time.monotonic() - began, 2),
        left_out=(f"{others}: need a reference: {way_out}",) if others else (),
    )


def _extractor(chosen: str | None, rules: Protocol) -> Extractor:
    """The chosen extractor, else the protocol's, else Inception."""
    if chosen:
        return find_extractor(chosen)
    try:
        return find_extractor(rules.extractor or DEFAULT)
    except UserError as error:
        raise UserError(f"{error}, or choose another network with --extractor NAME (see 'ganeval ls extractors')") from error


def _for_example(generator: LoadedGenerator) -> str:
    """Datasets of as many classes and channels, those of the same size if there are any, in brackets."""
    shape = (generator.num_classes, generator.module.channels)
    fitting = [dataset for _, dataset in DATASETS if (dataset.num_classes, dataset.channels) == shape]
    same_size = [dataset for dataset in fitting if dataset.resolution == generator.resolution]
    shown = " or ".join(dataset.name for dataset in (same_size or fitting)[:4])
    return f" (with {shape[0]} classes, {generator.resolution} px: {shown})" if shown else ""
