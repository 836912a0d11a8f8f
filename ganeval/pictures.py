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
    _save(tile(images, columns), path, smallest)


def save_side_by_side(left: Tensor, right: Tensor, columns: int, path: Path, smallest: int = 480) -> None:
    """Two grids of ``columns`` each, row beside row, with a thin dark line between them, as a PNG file.

    The height is at least ``smallest`` pixels.
    """
    pictures = [tile(images, columns) for images in (left, right)]
    height = max(picture.height for picture in pictures)
    line = Image.new("RGB", (2, height), (64, 64, 64))
    both = Image.new("RGB", (sum(picture.width for picture in pictures) + line.width, height), (255, 255, 255))
    both.paste(pictures[0], (0, 0))
    both.paste(line, (pictures[0].width, 0))
    both.paste(pictures[1], (pictures[0].width + line.width, 0))
    _save(both, path, smallest, both.height)


def _save(picture: Image.Image, path: Path, smallest: int, side: int | None = None) -> None:
    factor = max(1, -(-smallest // (side or max(picture.size))))
    picture = picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST)
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    write_bytes(path, buffer.getvalue())
