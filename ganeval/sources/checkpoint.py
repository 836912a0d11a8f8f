"""Checkpoints: what a generator makes under a protocol."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ganeval.cache import is_bank
from ganeval.checkpoints import is_folder, sha256_of
from ganeval.data.base import Dataset
from ganeval.data.limit import SomeClasses
from ganeval.data.registry import DATASETS
from ganeval.errors import UserError
from ganeval.importers.studiogan import Hints
from ganeval.protocols import Protocol, Weights
from ganeval.sampling import LoadedGenerator, Manner, Which, generate, load_generator, resolve_checkpoint
from ganeval.sources.base import KINDS, Batches, ImageSource, Kind, Opened, Request, dataset_named, other_count


class Samples(ImageSource):
    """What a checkpoint generates under a protocol. Those of a generator without labels have none."""

    seed: int
    remedy = "raise --num"

    def __init__(
        self, generator: LoadedGenerator, classes: tuple[str, ...], protocol: Protocol, count: int, seed: int,
        class_counts: tuple[int, ...] = (),
    ) -> None:  # fmt: skip
        self.generator, self.classes = generator, classes
        self.count, self.seed = count, seed
        self.manner = Manner(protocol.labels, class_counts, protocol.statistics, protocol.truncation)
        self.resolution = generator.resolution
        self.labelled = generator.num_classes == len(classes)
        drawn = {
            "weights": protocol.weights, "labels": protocol.labels, "statistics": str(protocol.statistics),
            "truncation": protocol.truncation,
        }  # fmt: skip
        self.origin = {**_origin(generator), "sampling": drawn}
        self.fingerprint = {
            "generator": generator.sha256, "recipe": self.origin["recipe_sha256"], **drawn, "class_counts": class_counts,
            "count": count, "seed": seed, "device": generator.device.type,
        }  # fmt: skip

    def deviations(self, protocol: Protocol) -> list[str]:
        other = protocol.labels == "reference" and self.manner.labels != "reference"
        return other_count(self, protocol) + (["labels uniform instead of after the reference"] if other else [])

    def batches(self, start: int = 0, stop: int | None = None) -> Batches:
        count = (self.count if stop is None else stop) - start
        for images, labels in generate(self.generator, count, seed=self.seed, manner=self.manner, start=start):
            yield images, labels if self.labelled else None


def _origin(generator: LoadedGenerator) -> dict[str, Any]:
    """Where the samples come from: a run of ours with its recipe, or a foreign generator of which the network alone is known."""
    record = generator.record
    known = {"sha256": generator.sha256, "generator_parameters": sum(p.numel() for p in generator.module.parameters())}
    if record["kind"] == "gan":
        recipe = {"recipe": record["recipe"], "recipe_sha256": sha256_of(record["recipe"])}
        altered = {name: record[name] for name in ("non_finite",) if name in record}
        return {"kind": "checkpoint", "step": record["step"], "training_seed": record["seed"], **recipe, **known, **altered}
    network = {"recipe": {"backbone": record["backbone"]}, "recipe_sha256": sha256_of(record["backbone"])}
    return {"kind": "imported", "name": record["imported"]["file"], "imported": record["imported"], **network, **known}


def open_generator(
    path: Path, weights: Weights, device: torch.device, hints: Hints | None = None, which: Which = "latest"
) -> LoadedGenerator:  # fmt: skip
    """The generator of a checkpoint, or of a run's latest or best; raises ``UserError`` for a run without a checkpoint."""
    checkpoint = resolve_checkpoint(path, which)
    if (path / "run.json").is_file() and not is_folder(checkpoint):
        gone = "" if checkpoint == path else f": {checkpoint} is gone"
        raise UserError(f"the run {path} has no checkpoint{gone or ' yet'}")
    return load_generator(checkpoint, weights, device, hints)


class CheckpointKind(Kind):
    """Our checkpoints, runs (their latest checkpoint), and ``.pth`` files of PyTorch-StudioGAN."""

    name = "checkpoint"
    description = "a checkpoint folder, a run, a .pth file of PyTorch-StudioGAN"

    def recognises(self, path: Path) -> bool:
        if path.is_file():
            return path.suffix.lower() not in (".zip", ".npz", ".npy")
        return (is_folder(resolve_checkpoint(path)) or (path / "run.json").is_file()) and not is_bank(path)

    def open(self, request: Request) -> Opened:
        generator = open_generator(request.path, request.protocol.weights, request.device, request.hints, request.which)
        trained_on = generator.record.get("dataset")
        found: Dataset | None
        if not trained_on:
            found = _dataset_for(generator, request.dataset) if request.dataset else None
        elif request.dataset is None and request.reference:
            whole = trained_on["name"] in DATASETS and not generator.record["recipe"]["data"].get("classes")
            found = DATASETS.get(trained_on["name"]) if whole else None
        else:
            found = _dataset_of(generator, request.dataset)
        classes = _classes(generator, found)
        rules = request.protocol.resolved(found) if found else _without_reference(request.protocol)
        counts = _class_counts(rules, found, generator)
        samples = Samples(generator, classes, rules, request.num or rules.fakes, request.seed, counts)
        if not trained_on and found is None:
            fitting = _fitting_datasets(generator)
            samples.unknown = f"{request.path.name} does not say what it was trained on: give --dataset NAME{fitting}"
        if (request.path / "run.json").is_file():
            samples.origin["selection"] = "best" if request.which == "best" else "last"
        return samples, found


def _class_counts(protocol: Protocol, dataset: Dataset | None, generator: LoadedGenerator) -> tuple[int, ...]:
    """Images per class of the reference, where the labels are drawn after them."""
    if protocol.labels != "reference" or dataset is None:
        return ()
    if generator.num_classes == 1:  # an unconditional generator has one label, whatever the reference has
        return (1,)
    labels = dataset.load(protocol.reference_split, generator.resolution).labels
    return tuple(torch.bincount(labels, minlength=generator.num_classes).tolist())


def _classes(generator: LoadedGenerator, dataset: Dataset | None) -> tuple[str, ...]:
    """The names of the classes: those the checkpoint was trained on, else the dataset's, else numbers."""
    if "dataset" in generator.record:
        return tuple(generator.record["dataset"]["classes"])
    return dataset.classes if dataset else tuple(str(label) for label in range(generator.num_classes))


def _without_reference(protocol: Protocol) -> Protocol:
    """``protocol`` where nobody knows how often the reference has each class: labels are uniform."""
    return replace(protocol, labels="uniform", published=protocol) if protocol.labels == "reference" else protocol


def _fitting_datasets(generator: LoadedGenerator) -> str:
    """Datasets of as many classes and channels, those of the same size if there are any, in brackets."""
    shape = (generator.num_classes, generator.module.channels)
    fitting = [dataset for _, dataset in DATASETS if (dataset.num_classes, dataset.channels) == shape]
    same_size = [dataset for dataset in fitting if dataset.resolution == generator.resolution]
    shown = " or ".join(dataset.name for dataset in (same_size or fitting)[:4])
    return f" (with {shape[0]} classes, {generator.resolution} px: {shown})" if shown else ""


def _dataset_for(generator: LoadedGenerator, dataset: str | Dataset) -> Dataset:
    """The dataset a foreign generator is held against: it must have the same number of classes, in the order of their names."""
    found = dataset_named(dataset)
    if generator.num_classes not in (1, found.num_classes):
        raise UserError(f"the generator has {generator.num_classes} classes, '{found.name}' has {found.num_classes}")
    if generator.module.channels != found.channels:
        raise UserError(
            f"the generator's images have {generator.module.channels} channels, those of '{found.name}' {found.channels}"
        )
    return found


def _dataset_of(generator: LoadedGenerator, dataset: str | Dataset | None) -> Dataset:
    """The dataset the checkpoint was trained on, its content checked against what the checkpoint remembers.

    A checkpoint that saw a fraction of the images is held against the whole dataset; one that saw some of the classes, against
    all images of these.
    """
    trained_on = generator.record["dataset"]
    if dataset is None and trained_on["name"] not in DATASETS and not Path(trained_on["name"]).is_dir():
        raise UserError(f"the checkpoint was trained on the folder '{trained_on['name']}': say where it is with --dataset PATH")
    kept = tuple(generator.record["recipe"]["data"].get("classes", ()))
    found = dataset_named(dataset or trained_on["name"])
    if isinstance(found, SomeClasses) and found.kept == kept:
        found = found.whole
    images = found.load(trained_on["split"], generator.resolution)
    if images.fingerprint != trained_on.get("whole", trained_on)["sha256"]:
        hint = "say where that is with --dataset" if dataset is None else "give that one"
        raise UserError(
            f"dataset '{found.name}' is not the one the checkpoint was trained on: its images have another SHA-256, {hint}"
        )
    return SomeClasses(found, kept, generator.resolution) if kept else found


KINDS.add(CheckpointKind.name, CheckpointKind())
