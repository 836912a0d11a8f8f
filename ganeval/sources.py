"""What can be scored: each source gives counted, labelled uint8 images and says what it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganeval.checkpoints import is_folder, sha256_of
from ganeval.data.base import Dataset, ImageSet
from ganeval.data.folder import list_split, read_image_folder
from ganeval.data.images import read_headers
from ganeval.data.limit import SomeClasses
from ganeval.data.registry import DATASETS, find_dataset
from ganeval.errors import UserError
from ganeval.protocols import Protocol, Weights
from ganeval.sampling import LoadedGenerator, Which, generate, load_generator, resolve_checkpoint

Batches = Iterator[tuple[Tensor, Tensor]]


class Source(ABC):
    """``count`` images of ``classes`` at ``resolution``; ``fingerprint`` holds all they depend on.

    ``seed`` is what generated them, ``None`` where they are given. ``remedy`` says how to have more of them. ``deviations``
    from the protocol and ``origin``, a plain-JSON account, go into the score card.
    """

    count: int
    classes: tuple[str, ...]
    resolution: int
    seed: int | None
    remedy: str
    fingerprint: dict[str, object]
    origin: dict[str, Any]

    @abstractmethod
    def deviations(self, protocol: Protocol) -> list[str]:
        """Where the images are not what ``protocol`` asks for, in words."""

    @abstractmethod
    def batches(self) -> Batches:
        """(uint8 images (B, C, R, R), int64 labels (B,)) on the CPU, always the same."""


class Images(Source):
    """Images in memory: a split of a dataset, or a folder of samples."""

    seed = None
    remedy = "add images"

    def __init__(self, images: ImageSet, origin: dict[str, Any]) -> None:
        self.images, self.origin = images, origin
        self.count, self.classes, self.resolution = len(images), images.classes, images.resolution
        self.fingerprint = {"images": images.fingerprint}

    def deviations(self, protocol: Protocol) -> list[str]:
        per_class = torch.bincount(self.images.labels, minlength=len(self.classes)).tolist()
        uneven = protocol.labels == "balanced" and max(per_class) - min(per_class) > 1
        said = [f"{min(per_class)} to {max(per_class)} images per class instead of equally many"] if uneven else []
        return _other_count(self, protocol) + said

    def batches(self) -> Batches:
        yield from zip(self.images.images.split(256), self.images.labels.split(256), strict=True)


class Samples(Source):
    """What a checkpoint generates under a protocol."""

    seed: int
    remedy = "raise --num"

    def __init__(self, generator: LoadedGenerator, classes: tuple[str, ...], protocol: Protocol, count: int, seed: int) -> None:
        self.generator, self.classes = generator, classes
        self.count, self.seed, self.labels = count, seed, protocol.labels
        self.resolution = generator.resolution
        self.origin = _origin(generator)
        self.fingerprint = {
            "generator": generator.sha256, "recipe": self.origin["recipe_sha256"], "weights": protocol.weights,
            "labels": self.labels, "count": count, "seed": seed, "device": generator.device.type,
        }  # fmt: skip

    def deviations(self, protocol: Protocol) -> list[str]:
        return _other_count(self, protocol)

    def batches(self) -> Batches:
        return generate(self.generator, self.count, seed=self.seed, labels=self.labels)


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


def _other_count(source: Source, protocol: Protocol) -> list[str]:
    return [] if source.count == protocol.fakes else [f"{source.count:,} images instead of {protocol.fakes:,}"]


def open_generator(path: Path, weights: Weights, device: torch.device, which: Which = "latest") -> LoadedGenerator:
    """The generator of a checkpoint, or of a run's latest or best; raises ``UserError`` for a run without a checkpoint."""
    checkpoint = resolve_checkpoint(path, which)
    if (path / "run.json").is_file() and not is_folder(checkpoint):
        gone = "" if checkpoint == path else f": {checkpoint} is gone"
        raise UserError(f"the run {path} has no checkpoint{gone or ' yet'}")
    return load_generator(checkpoint, weights, device)


def open_source(
    path: Path, protocol: Protocol, dataset: str | Dataset | None, *, num: int | None, seed: int, device: torch.device,
    which: Which = "latest",
) -> tuple[Source, Dataset]:  # fmt: skip
    """The source at ``path`` and the dataset it is held against.

    A checkpoint (or a run, through its ``latest`` or ``best``) names its dataset itself; a foreign checkpoint and a folder
    ``root/<class>/*`` need ``dataset``.
    ``num`` replaces the protocol's number of generated images. Raises ``UserError`` for everything else.
    """
    if not path.exists():
        raise UserError(f"nothing at {path}: give a checkpoint folder, a run, or a folder of images root/<class>/*")
    if which == "best":
        resolve_checkpoint(path, which)
    if path.is_file() or is_folder(resolve_checkpoint(path)) or (path / "run.json").is_file():
        generator = open_generator(path, protocol.weights, device, which)
        found = _dataset_of(generator, dataset) if generator.record["kind"] == "gan" else _dataset_for(generator, dataset)
        classes = tuple(generator.record["dataset"]["classes"]) if generator.record["kind"] == "gan" else found.classes
        samples = Samples(generator, classes, protocol, num or protocol.fakes, seed)
        if (path / "run.json").is_file():
            samples.origin["selection"] = "best" if which == "best" else "last"
        return samples, found
    _require_class_folders(path)
    if dataset is None:
        raise UserError(f"{path} is a folder of images: say what it is held against with --dataset NAME")
    return _folder_source(path, _found(dataset), num)


def _found(dataset: str | Dataset) -> Dataset:
    return dataset if isinstance(dataset, Dataset) else find_dataset(dataset)


def _dataset_for(generator: LoadedGenerator, dataset: str | Dataset | None) -> Dataset:
    """The dataset a foreign generator is held against: it must have the same number of classes, in the order of their names."""
    if dataset is None:
        raise UserError("an imported generator does not say what it was trained on: give --dataset NAME")
    found = _found(dataset)
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
    found = _found(dataset or trained_on["name"])
    images = found.load(trained_on["split"], generator.resolution)
    if images.fingerprint != trained_on.get("whole", trained_on)["sha256"]:
        hint = "say where that is with --dataset" if dataset is None else "give that one"
        raise UserError(
            f"dataset '{found.name}' is not the one the checkpoint was trained on: its images have another SHA-256, {hint}"
        )
    kept = tuple(generator.record["recipe"]["data"].get("classes", ()))
    return SomeClasses(found, kept, generator.resolution) if kept else found


def _require_class_folders(path: Path) -> None:
    """Say what is wrong with a folder that cannot be one of images before anything is asked about it."""
    folders = sorted(entry for entry in path.iterdir() if entry.is_dir())
    if not folders:
        raise UserError(f"{path} is no checkpoint, no run and no folder of images root/<class>/*: nothing in it can be scored")
    for folder in folders:
        if is_folder(folder) or (folder / "run.json").is_file():
            raise UserError(f"{path} holds runs or checkpoints: give one of them, for example {folder}")


def _folder_source(path: Path, dataset: Dataset, num: int | None) -> tuple[Source, Dataset]:
    """The images of ``path``, labelled as ``dataset`` labels its classes."""
    images = read_image_folder(path, _common_resolution(path))
    if set(images.classes) != set(dataset.classes):
        raise UserError(
            f"the class folders of {path} are not the classes of '{dataset.name}': {_class_difference(images, dataset)}"
        )
    if num is not None and num != len(images):
        raise UserError(f"--num {num}: the folder {path} has {len(images)} images, and all of them are scored")
    renumbered = torch.tensor([dataset.classes.index(name) for name in images.classes])[images.labels]
    images = ImageSet(images.images, renumbered, dataset.classes)
    return Images(images, {"kind": "folder", "name": path.resolve().name, "sha256": images.fingerprint}), dataset


def _common_resolution(path: Path) -> int:
    """The short side of the images; the samples of one generator have one size."""
    sizes = sorted({header.size for header in read_headers(list_split(path).paths)})
    if len(sizes) > 1:
        shown = ", ".join(f"{width}x{height}" for width, height in sizes[:3])
        raise UserError(f"{path} has images of {len(sizes)} sizes ({shown}): bring them to one size to score them")
    return min(sizes[0])


def _class_difference(images: ImageSet, dataset: Dataset) -> str:
    missing, extra = set(dataset.classes) - set(images.classes), set(images.classes) - set(dataset.classes)
    parts = [f"{name} {', '.join(sorted(found)[:5])}" for name, found in (("missing", missing), ("unknown", extra)) if found]
    return "; ".join(parts)
