"""From a checkpoint to uint8 images. Sample i is a function of (weights, seed, i): not of batch size, order or process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from ganeval.checkpoints import load_folder, read_record
from ganeval.data.pixels import to_uint8
from ganeval.errors import UserError
from ganeval.networks.base import Backbone, Generator, ImageShape
from ganeval.networks.spectral_norm import fold
from ganeval.pictures import save_grid
from ganeval.recipes.recipe import Recipe
from ganeval.recipes.schema import from_json
from ganeval.rng import LabelPlan, Prior, latents, uniforms

BLOCK = 64
"""Images of one forward pass. A block is always computed whole, so that rounding cannot depend on who asks for what."""

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
        images: Tensor = self.module(z.to(self.device), y.to(self.device))
        return images


def load_generator(
    path: str | Path, weights: Literal["ema", "raw"] = "ema", device: str | torch.device = "cpu"
) -> LoadedGenerator:
    """The generator of a checkpoint, of a run's latest one, or of a ``.pth`` file of PyTorch-StudioGAN, ready to sample.

    In evaluation mode, spectral norms folded. ``weights="ema"`` takes the average where the checkpoint has one; a ``.pth`` file
    holds one generator, averaged or not. Raises ``UserError`` for anything else, and for what is not intact.
    """
    path = resolve_checkpoint(Path(path))
    if path.is_file():
        return _foreign(path, device)
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


def _foreign(path: Path, device: str | torch.device) -> LoadedGenerator:
    """A generator in a file of PyTorch-StudioGAN; its spectral norms are those of upstream's first evaluation pass."""
    from ganeval.importers.checkpoint import read_generator

    found, record = read_generator(path)
    module = fold(found.generator.requires_grad_(False).eval(), iterations=0)
    return LoadedGenerator(module.to(device), record["prior"], record, record["imported"]["sha256"])


def resolve_checkpoint(path: Path, which: Which = "latest") -> Path:
    """The checkpoint that ``path`` means: itself, or the one a run folder's ``latest`` or ``best`` points to.

    Raises ``UserError`` where the best one is asked for and there is none.
    """
    pointer = path / which
    if pointer.is_file():
        return path / pointer.read_text(encoding="utf-8", errors="replace").strip()
    if which == "best":
        run = (path / "run.json").is_file()
        why = "no checkpoint of the run was scored: train it with --eval-every N" if run else "it is not a run"
        raise UserError(f"{path} has no best checkpoint, {why}")
    return path


def planned_labels(plan: LabelPlan, seed: int, start: int, stop: int, num_classes: int) -> Tensor:
    """Labels of samples ``start`` to ``stop``, int64: i mod K, or i.i.d. uniform from (seed, i)."""
    if plan == "balanced":
        return torch.arange(start, stop) % num_classes
    # A stream of its own: the latents of the same seed stay independent of the labels.
    draws = uniforms(seed ^ (1 << 63), start, stop, 1)[:, 0]
    return torch.from_numpy((draws * num_classes).astype("int64"))


def generate(
    generator: LoadedGenerator, count: int, *, seed: int = 0, labels: LabelPlan | Tensor = "balanced", batch_size: int = BLOCK
) -> Iterator[tuple[Tensor, Tensor]]:
    """``count`` samples in order, as (uint8 images (B, C, R, R) on the CPU, int64 labels (B,)), B <= ``batch_size``.

    ``labels`` is a plan or the ``count`` labels themselves.
    """
    if isinstance(labels, Tensor) and len(labels) != count:
        raise UserError(f"{len(labels)} labels for {count} samples")
    waiting_images, waiting_labels = [], []
    waiting = 0
    for start in range(0, count, BLOCK):
        images, y = _block(generator, start, count, seed, labels)
        waiting_images.append(images)
        waiting_labels.append(y)
        waiting += len(y)
        while waiting >= batch_size or (waiting and start + BLOCK >= count):
            images, y = torch.cat(waiting_images), torch.cat(waiting_labels)
            yield images[:batch_size], y[:batch_size]
            waiting_images, waiting_labels = [images[batch_size:]], [y[batch_size:]]
            waiting = len(waiting_labels[0])


def _block(generator: LoadedGenerator, start: int, count: int, seed: int, labels: LabelPlan | Tensor) -> tuple[Tensor, Tensor]:
    """The samples from ``start`` to the end of the block or of the request; the pass itself is always a whole block."""
    z = latents(seed, start, start + BLOCK, generator.z_dim, generator.prior)
    if isinstance(labels, Tensor):
        given = labels[start : start + BLOCK]
        y = torch.cat([given, given.new_zeros(BLOCK - len(given))])
    else:
        y = planned_labels(labels, seed, start, start + BLOCK, generator.num_classes)
    kept = min(BLOCK, count - start)
    return to_uint8(generator(z, y)).cpu()[:kept], y[:kept]


def sample_grid(generator: LoadedGenerator, columns: int, rows: int, seed: int, path: Path) -> None:
    """Write a picture of ``rows`` x ``columns`` samples to the PNG file ``path``: row r shows class r mod K.

    Every image has a latent of its own: image i, row by row, is sample i of ``seed``.
    """
    labels = torch.arange(rows).repeat_interleave(columns) % generator.num_classes
    images = [batch for batch, _ in generate(generator, rows * columns, seed=seed, labels=labels)]
    save_grid(torch.cat(images), columns, path)
