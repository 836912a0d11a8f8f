"""A small image classifier, trained on the dataset that is evaluated.

Its features take Inception's place where images are not natural photographs, and its logits are what AM Score and the
accuracy of conditional samples need (Zhou et al., Activation Maximization GAN, ICLR 2018: "a classifier trained on the
target data set, not Inception"). A number that rests on it means nothing without the classifier's own test accuracy, so
that stands in its record.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganeval.checkpoints import Folder, load_folder, save_folder
from ganeval.data.base import Dataset, ImageSet
from ganeval.data.loader import batch_indices
from ganeval.data.pixels import to_float
from ganeval.errors import UserError
from ganeval.rng import derived_seed, generator_for

KIND = "classifier"
FEATURES = 64
BLOCK = 64
"""Images per forward pass outside training. Kernels may add up in another order at another batch size: one size, one result."""

Stages = tuple[tuple[int, ...], ...]
SMALL: Stages = ((16, 32), (32, 64), (FEATURES,))
LARGE: Stages = ((32, 32), (64, 64), (128, 128), (FEATURES,))
LARGEST_INPUT, SMALLEST_INPUT = 32, 8
BATCH, LEARNING_RATE, WEIGHT_DECAY, WARMUP = 64, 4e-3, 5e-4, 0.2
MAX_SHIFT, MAX_ROTATION, MAX_ZOOM = 0.1, math.radians(10), 0.1
"""Of training images: shift as a part of the side, rotation in radians, zoom as a factor's distance from 1."""


class Progress(NamedTuple):
    """After an epoch of training: epochs done, of how many, and their last loss (cross-entropy in nats, batch mean)."""

    epoch: int
    epochs: int
    loss: float


@dataclass(frozen=True)
class ClassifierRecord:
    """What is known about a trained classifier; stored with its weights.

    ``stages`` are the output channels of the convolutions, one tuple per resolution; ``resolution`` and ``channels`` are
    those of the input. ``test_accuracy`` is the part of the ``test_count`` held-out images whose class has the largest
    logit; both are ``None`` where the dataset holds none out. ``*_fingerprint`` are those of the image sets.
    """

    dataset: str
    classes: tuple[str, ...]
    channels: int
    resolution: int
    stages: Stages
    seed: int
    epochs: int
    flip: bool
    train_count: int
    train_fingerprint: str
    test_count: int | None = None
    test_accuracy: float | None = None
    test_fingerprint: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {"kind": KIND, **asdict(self)}

    @staticmethod
    def from_json(record: dict[str, Any], where: Path) -> ClassifierRecord:
        """The record of the folder ``where``; raises ``UserError`` where it belongs to something else."""
        if record.get("kind") != KIND:
            raise UserError(f"{where} holds a {record.get('kind', 'record without a kind')}, not a classifier")
        values = {key: value for key, value in record.items() if key != "kind"}
        if set(values) != {field.name for field in fields(ClassifierRecord)}:
            raise UserError(f"{where} holds a classifier of another version: train it again")
        stages = tuple(tuple(stage) for stage in values.pop("stages"))
        return ClassifierRecord(classes=tuple(values.pop("classes")), stages=stages, **values)


class SmallCNN(nn.Module):
    """Images (N, C, R, R) in [-1, 1] to features (N, 64) and logits (N, K).

    Stages of 3x3 convolutions, each with BatchNorm and ReLU, with 2x2 maximum pooling between stages; features are the
    mean over the last stage's pixels (after the ReLU: none is negative), logits a linear layer on them.
    """

    def __init__(self, channels: int, stages: Stages, num_classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for i, stage in enumerate(stages):
            layers += [nn.MaxPool2d(2)] if i else []
            for width in stage:
                layers += [nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
                channels = width
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(channels, num_classes)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = self.body(images).mean(dim=(2, 3))
        return features, self.head(features)


def load_classifier(path: Path) -> tuple[SmallCNN, ClassifierRecord, Folder]:
    """The classifier saved at ``path``, verified, in evaluation mode on the CPU; raises ``UserError`` otherwise."""
    folder = load_folder(path, [KIND])
    record = ClassifierRecord.from_json(folder.record, path)
    net = SmallCNN(record.channels, record.stages, len(record.classes))
    try:
        net.load_state_dict(folder.tensors[KIND])
    except RuntimeError as error:
        raise UserError(f"{path}: the weights do not fit the architecture in its record") from error
    return net.eval(), record, folder


@torch.no_grad()
def run_in_blocks(net: SmallCNN, images: Tensor) -> tuple[Tensor, Tensor]:
    """Features (N, 64) and logits (N, K) of float images (N, C, R, R), on the images' device, full blocks of 64 at a time.

    The last block is filled up with zeros, so that an image's result does not depend on how many came with it.
    """
    features, logits = [], []
    for block in images.split(BLOCK):
        full = F.pad(block, (0, 0, 0, 0, 0, 0, 0, BLOCK - len(block)))
        f, y = net(full)
        features.append(f[: len(block)])
        logits.append(y[: len(block)])
    return torch.cat(features), torch.cat(logits)


def accuracy(net: SmallCNN, data: ImageSet, device: torch.device) -> float:
    """The part of ``data`` whose label has the largest logit. ``net`` must be in evaluation mode."""
    right = 0
    for images, labels in zip(data.images.split(16 * BLOCK), data.labels.split(16 * BLOCK), strict=True):
        logits = run_in_blocks(net, to_float(images.to(device)))[1]
        right += int((logits.argmax(dim=1).cpu() == labels).sum())
    return right / len(data)


def distort(images: Tensor, flip: bool, rng: torch.Generator) -> Tensor:
    """Float images (N, C, R, R), each shifted, rotated and zoomed a little, and mirrored with probability 1/2 if ``flip``.

    Bilinear; what comes in from outside repeats the border. All chance comes from ``rng``, a generator on the CPU.
    """
    u = 2 * torch.rand(len(images), 4, generator=rng) - 1
    angle, scale = MAX_ROTATION * u[:, 0], 1 + MAX_ZOOM * u[:, 1]
    shift = 2 * MAX_SHIFT * u[:, 2:]
    mirror = torch.where(torch.rand(len(images), generator=rng) < 0.5, -1.0, 1.0) if flip else torch.ones(len(images))
    cos, sin = scale * torch.cos(angle), scale * torch.sin(angle)
    rows = torch.stack([mirror * cos, -sin, shift[:, 0], mirror * sin, cos, shift[:, 1]], dim=1)
    grid = F.affine_grid(rows.view(-1, 2, 3).to(images.device), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)


def train_classifier(
    dataset: Dataset,
    *,
    out: Path,
    resolution: int | None = None,
    seed: int = 0,
    epochs: int = 30,
    flip: bool = False,
    device: torch.device | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> ClassifierRecord:
    """Train on the split ``train``, measure on the held-out split, save to the new folder ``out``.

    ``resolution`` is that of the input; unset, the dataset's own, at most 32. ``flip`` mirrors training images at random: right
    for photographs, wrong for digits and letters. On one machine the weights are a function of the dataset and the
    arguments, bit for bit (on a CPU). Raises ``UserError`` where ``out`` exists or the dataset cannot be read.
    """
    if out.exists():
        raise UserError(f"{out} exists: choose another name or remove it")
    if epochs < 1:
        raise UserError(f"epochs={epochs}: a classifier needs at least one")
    device = device or torch.device("cpu")
    resolution = resolution or min(dataset.resolution, LARGEST_INPUT)
    if resolution < SMALLEST_INPUT:
        raise UserError(f"a classifier needs images of {SMALLEST_INPUT} pixels or more, not {resolution}: set the resolution")
    train = dataset.load("train", resolution)
    test = dataset.load(dataset.held_out, resolution) if dataset.held_out else None
    stages = SMALL if resolution <= 16 else LARGE
    net = _initialised(train.channels, stages, dataset.num_classes, seed).to(device)
    _fit(net, train, epochs, flip, seed, device, progress)
    record = ClassifierRecord(
        dataset.name, dataset.classes, train.channels, resolution, stages, seed, epochs, flip, len(train), train.fingerprint
    )
    if test is not None:
        measured = accuracy(net, test, device)
        record = replace(record, test_count=len(test), test_accuracy=measured, test_fingerprint=test.fingerprint)
    save_folder(out, {KIND: net.state_dict()}, record.to_json())
    return record


def _initialised(channels: int, stages: Stages, num_classes: int, seed: int) -> SmallCNN:
    """A network whose first weights are a function of ``seed``; torch's global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derived_seed("classifier weights", seed))
        return SmallCNN(channels, stages, num_classes)


def _warm_cosine(part: float) -> float:
    """The factor of the learning rate when ``part`` of the training, in (0, 1), is done: up in a line, down in a cosine."""
    if part < WARMUP:
        return part / WARMUP
    return 0.5 * (1 + math.cos(math.pi * (part - WARMUP) / (1 - WARMUP)))


def _fit(
    net: SmallCNN,
    data: ImageSet,
    epochs: int,
    flip: bool,
    seed: int,
    device: torch.device,
    progress: Callable[[Progress], None] | None,
) -> None:
    """Train ``net`` in place: AdamW, warm-up and cosine, cross-entropy; leaves it in evaluation mode."""
    images, labels = data.images.to(device), data.labels.to(device)
    steps_per_epoch = math.ceil(len(data) / BATCH)
    steps = epochs * steps_per_epoch
    optimiser = torch.optim.AdamW(net.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _warm_cosine((step + 0.5) / steps))
    net.train()
    for step in range(steps):
        index = batch_indices(len(data), BATCH, step * BATCH, seed).to(device)
        batch = distort(to_float(images[index]), flip, generator_for(torch.device("cpu"), "distort", seed, step))
        loss = F.cross_entropy(net(batch)[1], labels[index])
        if not math.isfinite(loss.item()):
            raise UserError(f"the classifier's loss is not finite at step {step}: train it with another seed")
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if progress and (step + 1) % steps_per_epoch == 0:
            progress(Progress((step + 1) // steps_per_epoch, epochs, loss.item()))
    net.eval()
