"""Grids of images as PNG files."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ganeval.files import write_bytes


def tile(images: Tensor, columns: int, gap: int = 2) -> Image.Image:
    """uint8 images (N, C, R, R), row by row, ``columns`` to a row, ``gap`` white pixels between them."""
    images = images.cpu()
    count, channels, resolution, _ = images.shape
    rows = -(-count // columns)
    step = resolution + gap
    canvas = torch.full((3, rows * step + gap, columns * step + gap), 255, dtype=torch.uint8)
    for index, image in enumerate(images):
        top, left = gap + index // columns * step, gap + index % columns * step
        canvas[:, top : top + resolution, left : left + resolution] = image.expand(3, -1, -1) if channels == 1 else image
    return Image.fromarray(np.ascontiguousarray(canvas.permute(1, 2, 0).numpy()))


def save_grid(images: Tensor, columns: int, path: Path, smallest: int = 480) -> None:
    """Write :func:`tile` of ``images`` to the PNG file ``path``, enlarged by a whole factor to ``smallest`` pixels or more."""
    picture = tile(images, columns)
    factor = max(1, -(-smallest // max(picture.size)))
    picture = picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST)
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    write_bytes(path, buffer.getvalue())
