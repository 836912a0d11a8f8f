"""Saved features: what ``ganeval score --save-features`` keeps, and the entries of the cache."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from ganeval.cache import bank_in, is_bank
from ganeval.checkpoints import Folder, load_folder
from ganeval.data.base import Dataset
from ganeval.errors import UserError
from ganeval.extractors.base import Extractor
from ganeval.features import FeatureBank
from ganeval.protocols import Protocol
from ganeval.sources.base import KINDS, FeatureSource, Kind, Opened, Request, Source, other_count, uneven_labels


class SavedFeatures(FeatureSource):
    """The bank in a verified folder, whatever extractor it is of.

    The folder says what was scored under which protocol where ``--save-features`` wrote it; the cache's entries do not.
    """

    remedy = "save the features of more images"

    def __init__(self, folder: Folder, dataset: Dataset | None) -> None:
        self.folder, self.features, record = folder, bank_in(folder), folder.record
        self.classes = dataset.classes if dataset else ()
        self.count, self.resolution = len(self.features), record.get("resolution")
        labels = self.features.labels
        self.labelled = labels is not None and dataset is not None
        if labels is not None and dataset is not None and len(labels):
            _require_labels(folder, int(labels.min()), int(labels.max()), dataset)
        self.fingerprint = {"features": folder.sha256}
        known = {"of": record["origin"]} if "origin" in record else {}
        self.origin = {"kind": "features", "name": folder.path.resolve().name, "sha256": folder.sha256, **known}

    def deviations(self, protocol: Protocol) -> list[str]:
        said = other_count(self, protocol)
        labels = self.features.labels
        if self.labelled and labels is not None:
            said += uneven_labels(self, torch.from_numpy(labels), protocol)
        under = self.folder.record.get("protocol_sha256")
        if under is None:
            return [*said, "how the images of the features came about is not recorded"]
        said += self.folder.record.get("deviations", [])
        return said if under == protocol.sha256() else [*said, f"features saved under protocol {self.folder.record['protocol']}"]

    def bank(self, extractor: Extractor) -> FeatureBank:
        if self.folder.record.get("extractor") != extractor.fingerprint:
            theirs = self.folder.record.get("extractor_name", "another extractor")
            raise UserError(
                f"{self.folder.path} has the features of {theirs}, not of {extractor.name} with these weights: "
                "choose it with --extractor, and --precision bf16 where its name ends in @bf16"
            )
        return self.features


def record_of(source: Source, extractor: Extractor, protocol: Protocol, deviations: Sequence[str]) -> dict[str, Any]:
    """What a saved bank says of itself, beside its features; ``deviations`` of the sampling from ``protocol``, in words."""
    return {
        "source": source.fingerprint, "extractor": extractor.fingerprint, "extractor_name": extractor.name,
        "resolution": source.resolution, "classes": [] if source.unknown else list(source.classes), "origin": source.origin,
        "protocol": protocol.name, "protocol_sha256": protocol.sha256(), "seed": source.seed,
        "deviations": list(deviations),
    }  # fmt: skip


def _require_labels(folder: Folder, least: int, most: int, dataset: Dataset) -> None:
    classes = folder.record.get("classes")
    if classes and tuple(classes) != dataset.classes:
        raise UserError(
            f"{folder.path} has the labels of other classes than those of '{dataset.name}': give the dataset it was of"
        )
    if least < 0 or most >= dataset.num_classes:
        raise UserError(f"{folder.path} has labels from {least} to {most}, '{dataset.name}' has {dataset.num_classes} classes")


class BankKind(Kind):
    """A folder of features."""

    name = "features"
    description = "a folder of features (--save-features)"

    def recognises(self, path: Path) -> bool:
        return path.is_dir() and is_bank(path)

    def open(self, request: Request) -> Opened:
        dataset = request.held_against("a folder of features")
        source = SavedFeatures(load_folder(request.path, ["bank"]), dataset)
        request.refuse_options_of_checkpoints("folder", source.count)
        return source, dataset


KINDS.add(BankKind.name, BankKind())
