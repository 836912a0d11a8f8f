"""From a checkpoint to uint8 images. Sample i is a function of (weights, seed, i): not of batch size, order or process."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from ganeval.batch_statistics import BLOCK, Running, Statistics
from ganeval.checkpoints import load_folder, pointed_to, read_record
from ganeval.data.pixels import to_uint8
from ganeval.errors import UserError
from ganeval.importers.studiogan import Hints
from ganeval.networks.base import Backbone, Generator, ImageShape
from ganeval.networks.spectral_norm import fold
from ganeval.pictures import save_grid
from ganeval.precision import exact, full_precision_on
from ganeval.recipes.recipe import Recipe
from ganeval.recipes.schema import from_json
from ganeval.rng import LabelPlan, Prior, latents, truncated_latents, uniforms

Which = Literal["latest", "best"]
"""Which checkpoint of a run is meant."""

SIGMA_ITERATIONS = 20
"""Power iterations before spectral norms are folded into plain weights."""


@dataclass(frozen=True)
class LoadedGenerator:
    """A generator ready to sample: ``g(z, y)`` maps (N, z_dim) and int64 (N,) to float images (N, C, R, R) in [-1, 1].

    ``sha256`` is that of its weights file: the same in a full checkpoint and in one exported for sampling.
    """

    module: Generator
    prior: Prior
    record: dict[str, Any]
    sha256: str

    @property
    def z_dim(self) -> int:
        return self.module.z_dim

    @property
    def num_classes(self) -> int:
        return self.module.num_classes

    @property
    def resolution(self) -> int:
        return self.module.resolution

    @property
    def device(self) -> torch.device:
        return next(self.module.parameters()).device

    @torch.no_grad()
    def __call__(self, z: Tensor, y: Tensor) -> Tensor:
        """The images, in the order of the latents, in float32 whatever is set around it.

        Raises ``UserError`` for latents or labels that it does not take.
        """
        takes = y.ndim == 1 and z.shape == (len(y), self.z_dim) and (z.dtype, y.dtype) == (torch.float32, torch.int64)
        if not takes or bool(((y < 0) | (y >= self.num_classes)).any()):
            raise UserError(
                f"the generator takes latents (N, {self.z_dim}) of float32 and labels (N,) of int64 from 0 to "
                f"{self.num_classes - 1}, not {tuple(z.shape)} of {_kind(z)} and {tuple(y.shape)} of {_kind(y)}{_range(y)}"
            )
        with exact(), full_precision_on(self.device):
            images: Tensor = self.module(z.to(self.device), y.to(self.device))
        return images


def _kind(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _range(y: Tensor) -> str:
    return f" from {y.min():g} to {y.max():g}" if y.numel() else ""


def load_generator(
    path: str | Path, weights: Literal["ema", "raw"] = "ema", device: str | torch.device = "cpu", hints: Hints | None = None
) -> LoadedGenerator:
    """The generator of a checkpoint, of a run's latest one, or of a ``.pth`` file of PyTorch-StudioGAN, ready to sample.

    In evaluation mode, spectral norms folded. ``weights="ema"`` takes the average where the checkpoint has one; a ``.pth`` file
    holds one generator, averaged or not; ``hints`` decide where it fits two networks. Raises ``UserError`` for anything else, and
    for what is not intact.
    """
    path = resolve_checkpoint(Path(path))
    if path.is_file():
        return _foreign(path, device, hints)
    if hints and hints != Hints():
        raise UserError(f"--label-count and --z-dim are for foreign checkpoints: {path} says itself what it is")
    record = read_record(path)
    if record.get("kind") == "gan":
        recipe = from_json(Recipe, record["recipe"])
        backbone, prior, iterations = recipe.backbone, recipe.prior, SIGMA_ITERATIONS
        shape = ImageShape(record["dataset"]["channels"], recipe.data.resolution)
        file, num_classes = "ema" if weights == "ema" and recipe.ema else "generator", len(record["dataset"]["classes"])
    elif record.get("kind") == "generator":
        backbone, prior, iterations = _backbone(record), record["prior"], 0
        shape, file, num_classes = ImageShape(record["channels"], record["resolution"]), "generator", record["num_classes"]
    else:
        raise UserError(f"{path} is a checkpoint of kind '{record.get('kind', '?')}': it holds no generator")
    folder = load_folder(path, [file])
    with torch.device("meta"):
        module = backbone.generator(shape, num_classes)
    try:
        module.load_state_dict(folder.tensors[file], assign=True)
    except RuntimeError as error:
        raise UserError(f"{path} does not fit its own record: {str(error).splitlines()[0]}") from error
    module = fold(module.requires_grad_(False).eval(), iterations)
    return LoadedGenerator(module.to(device), prior, record, folder.file_sha256[file])


def _backbone(record: dict[str, Any]) -> Backbone:
    return from_json(Backbone, record["backbone"])  # type: ignore[type-abstract]  # the hook gives a member


def _foreign(path: Path, device: str | torch.device, hints: Hints | None) -> LoadedGenerator:
    """A generator in a file of PyTorch-StudioGAN; its spectral norms are those of upstream's first evaluation pass."""
    from ganeval.importers.checkpoint import read_generator

    found, record = read_generator(path, hints)
    module = fold(found.generator.requires_grad_(False).eval(), iterations=0)
    return LoadedGenerator(module.to(device), record["prior"], record, record["imported"]["sha256"])


def resolve_checkpoint(path: Path, which: Which = "latest") -> Path:
    """The checkpoint that ``path`` means: itself, or that of a run folder as :func:`~ganeval.checkpoints.pointed_to` finds it.

    Raises ``UserError`` where the best one is asked for and there is none.
    """
    found = pointed_to(path, which)
    if found is None and which == "best":
        run = (path / "run.json").is_file()
        why = "no checkpoint of the run was scored: train it with --eval-every N" if run else "it is not a run"
        raise UserError(f"{path} has no best checkpoint, {why}")
    return found or path


def planned_labels(
    plan: LabelPlan, seed: int, start: int, stop: int, num_classes: int, class_counts: Sequence[int] = ()
) -> Tensor:
    """Labels of samples ``start`` to ``stop``, int64: i mod K, or i.i.d. from (seed, i), uniform or after ``class_counts``.

    ``class_counts`` are the K numbers of images per class of the reference, needed for the plan ``"reference"`` alone.
    """
    if plan == "balanced":
        return torch.arange(start, stop) % num_classes
    # A stream of its own: the latents of the same seed stay independent of the labels.
    draws = uniforms(seed ^ (1 << 63), start, stop, 1)[:, 0]
    if plan == "uniform":
        return torch.from_numpy((draws * num_classes).astype("int64"))
    if len(class_counts) != num_classes or not any(class_counts):
        raise UserError(f"labels after the reference need its images per class: got {len(class_counts)} for {num_classes}")
    upper = np.cumsum(np.asarray(class_counts, dtype=np.int64))
    return torch.from_numpy(np.searchsorted(upper, (draws * upper[-1]).astype(np.int64), side="right"))


@dataclass(frozen=True)
class Manner:
    """How samples are drawn, beside their generator and seed.

    ``labels`` is a plan, with ``class_counts`` as in :func:`planned_labels`, or holds the label of sample i at i. ``truncation``
    bounds every |z| (:func:`~ganeval.rng.truncated_latents`); ``None`` leaves the prior as it is.
    """

    labels: LabelPlan | Tensor = "balanced"
    class_counts: tuple[int, ...] = ()
    statistics: Statistics = Running()  # noqa: RUF009 - frozen
    truncation: float | None = None

    def __post_init__(self) -> None:
        if self.truncation is not None and not (math.isfinite(self.truncation) and self.truncation > 0):
            raise UserError(f"truncation {self.truncation}: give a finite bound above 0, for example 0.5")

    def latents(self, generator: LoadedGenerator, seed: int, start: int, stop: int) -> Tensor:
        """Of samples ``start`` to ``stop``. Raises ``UserError`` where the prior has no tails to cut."""
        if self.truncation is None:
            return latents(seed, start, stop, generator.z_dim, generator.prior)
        if generator.prior != "gaussian":
            raise UserError(f"truncation is for normal latents, those of this generator are {generator.prior}")
        return truncated_latents(seed, start, stop, generator.z_dim, self.truncation)

    def labels_of(self, generator: LoadedGenerator, seed: int, start: int, stop: int) -> Tensor:
        """Of samples ``start`` to ``stop``; class 0 beyond the labels that were given."""
        if isinstance(self.labels, Tensor):
            given = self.labels[start:stop]
            return torch.cat([given, given.new_zeros(stop - start - len(given))])
        return planned_labels(self.labels, seed, start, stop, generator.num_classes, self.class_counts)

    def applied(self, generator: LoadedGenerator, seed: int) -> LoadedGenerator:
        """``generator`` under the statistics; standing ones are those of latents with the same truncation, labels uniform."""

        def inputs(seed: int, start: int, stop: int) -> tuple[Tensor, Tensor]:
            y = planned_labels("uniform", seed, start, stop, generator.num_classes)
            return self.latents(generator, seed, start, stop).to(generator.device), y.to(generator.device)

        with exact(), full_precision_on(generator.device):
            return replace(generator, module=self.statistics.applied(generator.module, seed, inputs))


def generate(
    generator: LoadedGenerator, count: int, *, seed: int = 0, manner: Manner | None = None,
    labels: LabelPlan | Tensor = "balanced", start: int = 0, batch_size: int = BLOCK,
) -> Iterator[tuple[Tensor, Tensor]]:  # fmt: skip
    """Samples ``start`` to ``start + count`` in order, as (uint8 images (B, C, R, R) on the CPU, int64 labels (B,)).

    B <= ``batch_size``. ``manner`` says how they are drawn; without one, by ``labels`` and nothing special. Sample i is the same
    whatever ``start``, ``count`` and ``batch_size`` are.
    """
    manner = manner or Manner(labels)
    if isinstance(manner.labels, Tensor) and len(manner.labels) != start + count:
        raise UserError(f"{len(manner.labels)} labels for {start + count} samples")
    ready = manner.applied(generator, seed)
    block, stop = manner.statistics.block, start + count
    waiting_images, waiting_labels = [], []
    waiting = 0
    for first in range(start // block * block, stop, block):
        images, y = _block(ready, first, block, seed, manner)
        wanted = slice(max(start - first, 0), stop - first)
        waiting_images.append(images[wanted])
        waiting_labels.append(y[wanted])
        waiting += len(waiting_labels[-1])
        while waiting >= batch_size or (waiting and first + block >= stop):
            images, y = torch.cat(waiting_images), torch.cat(waiting_labels)
            yield images[:batch_size], y[:batch_size]
            waiting_images, waiting_labels = [images[batch_size:]], [y[batch_size:]]
            waiting = len(waiting_labels[0])


def _block(generator: LoadedGenerator, first: int, size: int, seed: int, manner: Manner) -> tuple[Tensor, Tensor]:
    """``size`` samples from ``first``: the pass itself is always a whole block."""
    z = manner.latents(generator, seed, first, first + size)
    y = manner.labels_of(generator, seed, first, first + size)
    return to_uint8(generator(z, y)).cpu(), y


def sample_grid(generator: LoadedGenerator, columns: int, rows: int, seed: int, path: Path, manner: Manner | None = None) -> None:
    """Write a picture of ``rows`` x ``columns`` samples to the PNG file ``path``: row r shows class r mod K.

    Every image has a latent of its own: image i, row by row, is sample i of ``seed``, drawn in ``manner`` but for its labels.
    """
    labels = torch.arange(rows).repeat_interleave(columns) % generator.num_classes
    manner = replace(manner or Manner(), labels=labels)
    images = [batch for batch, _ in generate(generator, rows * columns, seed=seed, manner=manner)]
    save_grid(torch.cat(images), columns, path)
