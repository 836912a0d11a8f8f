"""The contract of a source, of a kind of source, and what a user asks for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from ganeval.data.base import Dataset
from ganeval.data.limit import find_whole_or_part
from ganeval.errors import UserError
from ganeval.extractors.base import Extractor
from ganeval.features import FeatureBank
from ganeval.importers.studiogan import Hints
from ganeval.protocols import Protocol
from ganeval.registry import Registry
from ganeval.sampling import Which, resolve_checkpoint

Batches = Iterator[tuple[Tensor, Tensor | None]]


class Source(ABC):
    """What is scored: ``count`` samples of ``classes``; ``fingerprint`` holds all they depend on.

    ``count`` and ``resolution`` are ``None`` where nobody knows them. ``seed`` is what generated the samples, ``None`` where they
    are given. ``labelled``: whether each sample has a label that counts ``classes``; ``only_moments``: whether nothing is
    known but the mean and the covariance of features. ``remedy`` says how to have more of them.
    ``unknown`` says, where nobody knows what the samples are to be compared with, why, and what to do.
    ``deviations`` from the protocol and ``origin``, a plain-JSON account, go into the score card.
    """

    count: int | None
    classes: tuple[str, ...]
    resolution: int | None
    seed: int | None = None
    labelled: bool = True
    only_moments: bool = False
    remedy: str = "give more of them"
    unknown: str = ""
    fingerprint: dict[str, object]
    origin: dict[str, Any]

    @abstractmethod
    def deviations(self, protocol: Protocol) -> list[str]:
        """Where the samples are not what ``protocol`` asks for, in words."""


class ImageSource(Source):
    """``count`` images at ``resolution``."""

    count: int
    resolution: int

    @abstractmethod
    def batches(self, start: int = 0, stop: int | None = None) -> Batches:
        """(uint8 images (B, C, R, R), int64 labels (B,) or None) on the CPU of the images ``start`` to ``stop``, always the same.

        From a ``start`` that 256 divides, the batches are those that the whole source has there.
        """


class FeatureSource(Source):
    """What an extractor has made of images before."""

    @abstractmethod
    def bank(self, extractor: Extractor) -> FeatureBank:
        """The features; raises ``UserError`` where they are known to be, or must be, another extractor's."""


@dataclass(frozen=True)
class Request:
    """What is to be opened, and what the user says of it.

    ``num`` replaces the protocol's number of generated images; ``hints`` are for foreign checkpoints. ``reference``: whether the
    reference is given as a file, so that no images of a dataset are needed. ``which`` says which checkpoint of a run.
    """

    path: Path
    protocol: Protocol
    dataset: str | Dataset | None
    num: int | None
    seed: int
    device: torch.device
    hints: Hints = field(default_factory=Hints)
    reference: bool = False
    which: Which = "latest"

    def held_against(self, what: str) -> Dataset | None:
        """The dataset the user names; ``None`` where a reference file stands in for one. ``what`` is the source in words."""
        if self.dataset is None and not self.reference:
            raise UserError(f"{self.path} is {what}: say what it is held against with --dataset NAME")
        return None if self.dataset is None else dataset_named(self.dataset)

    def refuse_options_of_checkpoints(self, kind: str, count: int | None) -> None:
        """Raise ``UserError`` for what the user says of a checkpoint where there is none."""
        if self.num is not None and self.num != count:
            has = "is" if count is None else f"has {count} images, and all of them are"
            raise UserError(f"--num {self.num}: the {kind} {self.path} {has} scored{' as it is' if count is None else ''}")
        if self.hints != Hints():
            raise UserError(f"--label-count and --z-dim are for foreign checkpoints, {self.path} is a {kind}")


def dataset_named(dataset: str | Dataset) -> Dataset:
    """``dataset``, or the one of that name, be it some classes of one."""
    return dataset if isinstance(dataset, Dataset) else find_whole_or_part(dataset)


Opened = tuple[ImageSource | FeatureSource, Dataset | None]
"""A source, and the dataset it is held against; ``None`` where a reference file stands in for one, or nothing is known."""


class Kind(ABC):
    """One kind of source. One file registers one in :data:`KINDS`; at most one recognises a path."""

    name: ClassVar[str]
    description: ClassVar[str]

    @abstractmethod
    def recognises(self, path: Path) -> bool:
        """Whether what exists at ``path`` is to be read as this kind, by a look at its name and layout; never raises
        for what is damaged."""

    @abstractmethod
    def open(self, request: Request) -> Opened:
        """The source; raises ``UserError`` for what is wrong with it."""


KINDS: Registry[Kind] = Registry("kind of source", "ganeval.sources")


def open_source(
    path: Path, protocol: Protocol, dataset: str | Dataset | None, *, num: int | None, seed: int, device: torch.device,
    hints: Hints | None = None, reference: bool = False, which: Which = "latest",
) -> Opened:  # fmt: skip
    """The source at ``path`` and the dataset it is held against.

    A checkpoint (or a run, through its ``latest``) names its dataset itself; everything else needs ``dataset``, unless the
    reference is a file of statistics (``reference``). The rest is explained at :class:`Request`. Raises ``UserError`` for what
    cannot be scored.
    """
    if num is not None and num < 1:
        raise UserError(f"num is {num}: give a number of images from 1 on, or none for the protocol's")
    if not path.exists():
        raise UserError(f"nothing at {path}: give {_all_kinds()}")
    if which == "best":
        resolve_checkpoint(path, which)
    request = Request(path, protocol, dataset, num, seed, device, hints or Hints(), reference, which)
    for _, kind in KINDS:
        if kind.recognises(path):
            return kind.open(request)
    raise UserError(f"{path} is nothing that can be scored: give {_all_kinds()}")


def _all_kinds() -> str:
    descriptions = [kind.description for _, kind in KINDS]
    return f"{', '.join(descriptions[:-1])} or {descriptions[-1]}"


def other_count(source: Source, protocol: Protocol) -> list[str]:
    """The deviation of another number of samples than the protocol's."""
    if source.count is None:
        return ["an unknown number of images"]
    return [] if source.count == protocol.fakes else [f"{source.count:,} images instead of {protocol.fakes:,}"]


def uneven_labels(source: Source, labels: Tensor, protocol: Protocol) -> list[str]:
    """The deviation of classes that have not equally many images where the protocol wants them to."""
    per_class = torch.bincount(labels, minlength=len(source.classes)).tolist()
    uneven = protocol.labels == "balanced" and max(per_class) - min(per_class) > 1
    return [f"{min(per_class)} to {max(per_class)} images per class instead of equally many"] if uneven else []


def cut(width: int, height: int) -> list[str]:
    """The deviation of images of which only the square in their middle is taken."""
    return [f"images of {width}x{height} cut to the square in their middle"] if width != height else []
