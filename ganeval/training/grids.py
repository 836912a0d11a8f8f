"""The pictures of a run: fixed latents, one class per row, real images beside them."""

from __future__ import annotations

from pathlib import Path

import torch

from ganeval.data.base import ImageSet
from ganeval.data.pixels import to_uint8
from ganeval.pictures import save_grid
from ganeval.recipes.recipe import Recipe
from ganeval.rng import latents
from ganeval.training.state import TrainState

ROWS, COLUMNS = 10, 10
SEED = 0


def shown_classes(num_classes: int, rows: int = ROWS) -> list[int]:
    """The classes a grid of at most ``rows`` rows shows: all of them, or evenly spread ones."""
    shown = min(rows, num_classes)
    return [index * num_classes // shown for index in range(shown)]


def save_sample_grid(state: TrainState, recipe: Recipe, path: Path) -> None:
    """Samples of the averaged generator in evaluation mode: each row a class, each column the same latent."""
    generator = state.best_generator
    device = next(generator.parameters()).device
    was_training = generator.training
    generator.eval()
    z = latents(SEED, 0, COLUMNS, generator.z_dim, recipe.prior).to(device)
    with torch.no_grad():
        rows = [generator(z, torch.full((COLUMNS,), c, device=device)) for c in shown_classes(generator.num_classes)]
    generator.train(was_training)
    save_grid(to_uint8(torch.cat(rows)), COLUMNS, path)


def save_real_grid(images: ImageSet, path: Path) -> None:
    """The first real images of each shown class."""
    if path.exists():
        return
    rows = []
    for label in shown_classes(len(images.classes)):
        found = images.images[torch.nonzero(images.labels == label).flatten()[:COLUMNS]]
        rows.append(torch.cat([found, found.new_full((COLUMNS - len(found), *found.shape[1:]), 255)]))
    save_grid(torch.cat(rows), COLUMNS, path)
