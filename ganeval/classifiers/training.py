"""Training a classifier, from the first step to the folder in which it is saved."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ganeval.checkpoints import is_folder, read_record, save_folder
from ganeval.classifiers.evaluate import accuracy
from ganeval.classifiers.recipe import ClassifierRecipe, find_classifier_recipe
from ganeval.classifiers.record import KIND, ClassifierRecord, Standardised
from ganeval.classifiers.state import TrainingState, Workshop, told
from ganeval.data.base import Dataset, ImageSet
from ganeval.data.loader import batch_indices
from ganeval.data.pixels import to_float
from ganeval.errors import UserError
from ganeval.recipes.schema import difference
from ganeval.rng import generator_for
from ganeval.training.stop import StopOnSignal

RESIDENT = 2**31
"""Training images up to this many bytes are kept on the device; more stay where they are, batches are moved."""


class Progress(NamedTuple):
    """After a step: steps done, of how many, steps in an epoch, and the loss (cross-entropy in nats, batch mean)."""

    step: int
    steps: int
    steps_per_epoch: int
    loss: float


Talk = Callable[[Progress], None]


class Stopped(Exception):
    """A signal ended the training; what was done is saved. ``exit_status`` is what shells expect then, 130 or 143."""

    def __init__(self, exit_status: int) -> None:
        super().__init__(f"stopped with status {exit_status}")
        self.exit_status = exit_status


@dataclass(frozen=True)
class Training:
    """``train`` is learned, ``test`` measured, of which there may be none. ``recipe`` is resolved, ``dataset`` names both.

    ``fingerprint`` is what the images of ``train`` depend on; unset, their content.
    """

    recipe: ClassifierRecipe
    dataset: str
    train: ImageSet
    test: ImageSet | None
    seed: int = 0
    fingerprint: str | None = None

    @property
    def record(self) -> ClassifierRecord:
        """The record, before the test."""
        return ClassifierRecord(
            self.dataset, self.train.classes, self.train.channels, self.train.resolution, self.recipe, self.seed,
            len(self.train), self.fingerprint or self.train.fingerprint,
        )  # fmt: skip


def train_classifier(
    dataset: Dataset, *, out: Path, recipe: ClassifierRecipe | None = None, resolution: int | None = None, seed: int = 0,
    epochs: int | None = None, flip: bool | None = None, device: torch.device | None = None, talk: Talk | None = None,
) -> ClassifierRecord:  # fmt: skip
    """Train ``recipe`` (``small`` unless given) on the split ``train``, measure on the held-out split, save to ``out``.

    ``resolution`` is that of the input; unset, the dataset's own, at most the recipe's. ``epochs`` and ``flip`` replace the
    recipe's. The same call goes on where a stopped one ended, and gives the finished record where ``out`` is that
    classifier already. Raises ``UserError`` where ``out`` holds something else or the dataset cannot be read,
    and :class:`Stopped` after SIGINT or SIGTERM.
    """
    if out.exists() and not is_folder(out):
        raise UserError(f"{out} exists: choose another name or remove it")
    recipe = recipe or find_classifier_recipe("small")
    recipe = replace(
        recipe,
        epochs=recipe.epochs if epochs is None else epochs,
        flip=recipe.flip if flip is None else flip,
        resolution=resolution or recipe.resolution,
    ).resolved(dataset, resolution)
    train = dataset.load("train", recipe.resolution)
    test = dataset.load(dataset.held_out, recipe.resolution) if dataset.held_out else None
    return train_on(Training(recipe, dataset.name, train, test, seed), out, device or torch.device("cpu"), talk)


def train_on(training: Training, out: Path, device: torch.device, talk: Talk | None = None) -> ClassifierRecord:
    """Do ``training``, or the rest of it, and save the classifier to ``out``; give its record.

    On one machine the weights are a function of the training, bit for bit (on a CPU with one number of threads): not of when
    it was stopped and resumed.
    """
    record = training.record
    if out.exists():
        return finished(out, record)
    mean, std = channel_statistics(training.train.images)
    with Workshop(out, record.to_json()) as workshop:
        net = record.build().to(device)
        if isinstance(net, Standardised):
            net.mean.copy_(mean)
            net.std.copy_(std)
        state = TrainingState(net, record.recipe.optimizer.make(net.parameters()))
        workshop.resume(state)
        _fit(state, training, mean, workshop, device, talk or (lambda progress: None))
        if training.test is not None:
            test = training.test
            right = accuracy(net, test, device)
            record = replace(record, test_count=len(test), test_accuracy=right, test_fingerprint=test.fingerprint)
        save_folder(out, {KIND: net.state_dict()}, record.to_json())
    return record


def finished(out: Path, wanted: ClassifierRecord) -> ClassifierRecord:
    """The record of the classifier at ``out``; raises ``UserError`` where that is not ``wanted``, the test aside."""
    if not is_folder(out):
        raise UserError(f"{out} exists: choose another name or remove it")
    found = ClassifierRecord.from_json(read_record(out), out)
    changes = difference(found.untested().to_json(), wanted.to_json())
    if changes:
        raise UserError(f"{out} exists and is another classifier ({told(changes)}): choose another name or remove it")
    return found


def channel_statistics(images: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (C,) float32 of uint8 images (N, C, R, R) as networks see them, in [-1, 1].

    Exact up to the last rounding: sums of whole numbers. A channel of one value has the standard deviation 1.
    """
    channels = images.shape[1]
    counts = torch.zeros(channels, 256, dtype=torch.int64)
    for block in images.split(1024):
        for channel in range(channels):
            counts[channel] += torch.bincount(block[:, channel].flatten(), minlength=256)
    levels = torch.arange(256, dtype=torch.float64) / 127.5 - 1
    parts = counts.double() / counts.sum(dim=1, keepdim=True)
    mean = parts @ levels
    std = (parts * (levels - mean.unsqueeze(1)).square()).sum(dim=1).sqrt()
    return mean.float(), torch.where(std > 0, std, 1.0).float()


def _fit(state: TrainingState, training: Training, fill: Tensor, workshop: Workshop, device: torch.device, talk: Talk) -> None:
    """Train ``state.net`` in place from ``state.step`` to the end; leaves it in evaluation mode. ``fill`` is the mean (C,)."""
    recipe, data, seed = training.recipe, training.train, training.seed
    resident = data.images.nbytes <= RESIDENT
    images, labels = (data.images.to(device), data.labels.to(device)) if resident else (data.images, data.labels)
    steps_per_epoch = math.ceil(len(data) / recipe.batch_size)
    steps = recipe.epochs * steps_per_epoch
    state.net.train()
    with StopOnSignal() as stop:
        while state.step < steps:
            for group in state.optimizer.param_groups:
                group["lr"] = recipe.optimizer.lr * recipe.optimizer.factor((state.step + 0.5) / steps)
            index = batch_indices(len(data), recipe.batch_size, state.step * recipe.batch_size, seed).to(images.device)
            batch, y = to_float(images[index].to(device)), labels[index].to(device)
            if recipe.augmentation:
                rng = generator_for(torch.device("cpu"), "distort", seed, state.step)
                batch = recipe.augmentation(batch, bool(recipe.flip), fill, rng)
            loss = F.cross_entropy(state.net(batch)[1], y)
            value = loss.item()
            if not math.isfinite(value):
                raise UserError(f"the classifier's loss is not finite at step {state.step}: lower optimizer.lr or change --seed")
            state.optimizer.zero_grad()
            loss.backward()
            state.optimizer.step()
            state.step += 1
            talk(Progress(state.step, steps, steps_per_epoch, value))
            if state.step < steps and (stop.signal or state.step % steps_per_epoch == 0):
                workshop.save(state)
            if stop.signal and state.step < steps:
                raise Stopped(stop.exit_status)
    state.net.eval()
