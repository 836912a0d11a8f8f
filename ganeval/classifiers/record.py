"""What is known about a trained classifier, stored with its weights, and reading both back."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganeval.checkpoints import Folder, load_folder
from ganeval.classifiers.recipe import RECIPES, ClassifierRecipe, Net
from ganeval.classifiers.small import stages_for
from ganeval.errors import UserError
from ganeval.recipes.schema import from_json, to_json
from ganeval.rng import derived_seed

KIND = "classifier"


@dataclass(frozen=True)
class ClassifierRecord:
    """``resolution`` and ``channels`` are those of the input; ``dataset`` is what it was trained on.

    ``test_accuracy`` is the part of the ``test_count`` held-out images whose class has the largest logit; both are
    ``None`` where nothing was held out. ``*_fingerprint`` are those of the image sets.
    """

    dataset: str
    classes: tuple[str, ...]
    channels: int
    resolution: int
    recipe: ClassifierRecipe
    seed: int
    train_count: int
    train_fingerprint: str
    test_count: int | None = None
    test_accuracy: float | None = None
    test_fingerprint: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {"kind": KIND, **to_json(self)}

    @staticmethod
    def from_json(record: dict[str, Any], where: Path) -> ClassifierRecord:
        """The record of the folder ``where``; raises ``UserError`` where it belongs to something else."""
        if record.get("kind") != KIND:
            raise UserError(f"{where} holds a {record.get('kind', 'record without a kind')}, not a classifier")
        values = {key: value for key, value in record.items() if key != "kind"}
        values = _with_recipe(values) if "stages" in values else values
        if set(values) != {field.name for field in fields(ClassifierRecord)}:
            raise UserError(f"{where} holds a classifier of another version: train it again")
        try:
            return from_json(ClassifierRecord, values)
        except UserError as error:
            raise UserError(f"{where} holds a classifier of another version ({error}): train it again") from error

    def untested(self) -> ClassifierRecord:
        """The record before the held-out images were seen: what two trainings must agree in to be the same."""
        return replace(self, test_count=None, test_accuracy=None, test_fingerprint=None)

    def build(self) -> Net:
        """The network with the weights it begins with, a function of the seed; torch's global generator is left as it was."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derived_seed("classifier weights", self.seed))
            net = self.recipe.network.build(self.channels, self.resolution, len(self.classes))
        return Standardised(net, self.channels) if self.recipe.standardise else net


def _with_recipe(old: dict[str, Any]) -> dict[str, Any]:
    """A record from before there were recipes: all were ``small``. As it is where its stages are none of that recipe's."""
    if old["stages"] != [list(stage) for stage in stages_for(old.get("resolution", 0))] or not {"epochs", "flip"} <= old.keys():
        return old
    recipe = replace(RECIPES.get("small"), epochs=old["epochs"], flip=old["flip"], resolution=old["resolution"])
    return {**{key: value for key, value in old.items() if key not in ("stages", "epochs", "flip")}, "recipe": to_json(recipe)}


class Standardised(Net):
    """``network`` on images of which each channel has its mean taken off and is divided by its standard deviation.

    Channels last, which makes a step on a CPU a quarter faster.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: Net, channels: int) -> None:
        super().__init__()
        self.network, self.feature_dim = network.to(memory_format=torch.channels_last), network.feature_dim
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("std", torch.ones(channels))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        standard = (images - self.mean.view(1, -1, 1, 1)) / self.std.view(1, -1, 1, 1)
        return self.network(standard.contiguous(memory_format=torch.channels_last))


def load_classifier(path: Path) -> tuple[Net, ClassifierRecord, Folder]:
    """The classifier saved at ``path``, verified, in evaluation mode on the CPU; raises ``UserError`` otherwise."""
    folder = load_folder(path, [KIND])
    record = ClassifierRecord.from_json(folder.record, path)
    net = record.build()
    try:
        net.load_state_dict(folder.tensors[KIND])
    except RuntimeError as error:
        raise UserError(f"{path}: the weights do not fit the architecture in its record") from error
    return net.eval(), record, folder
