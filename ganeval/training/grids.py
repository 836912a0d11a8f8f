"""The pictures of a run: fixed latents, one class per row, real images beside them."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from ganeval.data.base import ImageSet
from ganeval.data.pixels import to_uint8
from ganeval.pictures import save_grid, save_side_by_side
from ganeval.recipes.recipe import Recipe
from ganeval.rng import latents
from ganeval.training.state import TrainState

ROWS, COLUMNS = 10, 10
SEED = 0


def shown_classes(num_classes: int, rows: int = ROWS) -> list[int]:
    """The classes a grid of at most ``rows`` rows shows: all of them, or evenly spread ones."""
    shown = min(rows, num_classes)
    return [index * num_classes // shown for index in range(shown)]


def save_sample_grid(state: TrainState, recipe: Recipe, images: ImageSet, path: Path) -> None:
    """Samples of the averaged generator in evaluation mode, beside as many real ``images`` of the same classes.

    Each row a class; on the left each column the same latent at every step, on the right the first real images.
    """
    generator = state.best_generator
    device = next(generator.parameters()).device
    was_training = generator.training
    generator.eval()
    z = latents(SEED, 0, COLUMNS, generator.z_dim, recipe.prior).to(device)
    with torch.no_grad():
        rows = [generator(z, torch.full((COLUMNS,), c, device=device)) for c in shown_classes(generator.num_classes)]
    generator.train(was_training)
    save_side_by_side(to_uint8(torch.cat(rows)), first_reals(images), COLUMNS, path)


def save_real_grid(images: ImageSet, path: Path) -> None:
    """The first real images of each shown class."""
    if not path.exists():
        save_grid(first_reals(images), COLUMNS, path)


def first_reals(images: ImageSet) -> Tensor:
    """The first ``COLUMNS`` images of each shown class, class by class, uint8; white where a class has fewer."""
    rows = []
    for label in shown_classes(len(images.classes)):
        found = images.images[torch.nonzero(images.labels == label).flatten()[:COLUMNS]]
        rows.append(torch.cat([found, found.new_full((COLUMNS - len(found), *found.shape[1:]), 255)]))
    return torch.cat(rows)
