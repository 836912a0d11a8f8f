"""Image files to uint8 tensors, by one documented rule. Nothing is skipped: a file that cannot be read is an error.

The rule: palettes become colours; transparency is laid on white; CMYK is converted by Pillow; grey stays one channel where
one is wanted and is repeated where three are wanted; the centre square is cropped and brought to the resolution by Pillow's
Lanczos filter (antialiased), on uint8. EXIF orientation and colour profiles are not applied. More than 8 bits per channel, other
modes, animations and files of several pages are refused. The checksums of PNG files are verified.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFile
from torch import Tensor

from ganeval.data.places import P, Place
from ganeval.environment import require_memory
from ganeval.errors import UserError

T = TypeVar("T")
R = TypeVar("R")

FILTER = "centre crop, Pillow Lanczos (antialiased) on uint8"
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".ppm", ".tif", ".tiff")
OTHER_SUFFIXES = (".gif", ".avif", ".heic", ".jp2", ".jxl", ".tga", ".pgm", ".pnm", ".exr", ".hdr", ".dng", ".npy", ".npz")
"""Images too, but not read here: refused, because a set without them would be another set."""

_GREY = frozenset({"1", "L", "LA"})
_COLOUR = frozenset({"P", "PA", "RGB", "RGBA", "CMYK"})
_DEEP = re.compile(r";16[BLN]")
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "PPM", "TIFF")
"""The decoders that a file may reach, whatever its suffix: others of Pillow's start programs (EPS). JPEG's reads MPO too."""


class Header(NamedTuple):
    """What an image file says of itself: ``size`` (width, height) in pixels, and whether it has no colours."""

    size: tuple[int, int]
    grey: bool


def list_images(folder: P) -> list[P]:
    """The image files directly in ``folder``, sorted by name. Hidden files and files that are no images do not count.

    Raises ``UserError`` for images of a format that is not read, for subfolders, whose images would be left out, and for what has
    the name of an image and is no file: to open a named pipe is to wait for ever.
    """
    entries = [entry for entry in sorted(folder.iterdir(), key=lambda path: path.name) if not entry.name.startswith(".")]
    for entry in entries:
        if entry.is_dir():
            raise UserError(f"{folder} has a subfolder '{entry.name}': images belong directly into root/<class>/")
        if entry.suffix.lower() in OTHER_SUFFIXES:
            raise UserError(f"{entry}: {entry.suffix} files are not read, convert it to one of {' '.join(SUFFIXES)}")
    images = [entry for entry in entries if entry.suffix.lower() in SUFFIXES]
    for image in images:
        if not image.is_file():
            raise UserError(f"{image} is no regular file (a pipe, a device, or a link to nothing): remove it")
    return images


def read_headers(paths: Sequence[Path]) -> list[Header]:
    """The header of every file, in order, without decoding pixels; raises ``UserError`` for a mode that is not read."""
    return in_threads(_read_header, paths)


def header_of(data: bytes, path: object) -> Header:
    """The header of the content of one image file; ``path`` is its name in error messages. Raises like :func:`read_headers`."""
    with _naming(path), Image.open(io.BytesIO(data), formats=_FORMATS) as image:
        _refuse_unsupported(path, image)
        return Header(image.size, image.mode in _GREY)


def read_images(paths: Sequence[Path], resolution: int, channels: int) -> Tensor:
    """Every file decoded once: uint8 (N, channels, R, R) in the order of ``paths``; ``channels`` is 1 or 3.

    Raises ``UserError`` with the path of the first file that is damaged or of a mode that is not read, and for images that this
    machine's memory cannot hold.
    """
    require_room(len(paths), channels, resolution)
    images = torch.empty((len(paths), channels, resolution, resolution), dtype=torch.uint8)
    rows = images.numpy()

    def read(index: int) -> None:
        rows[index] = decode_image(read_file(paths[index]), paths[index], resolution, channels)

    in_threads(read, range(len(paths)))
    return images


def require_room(count: int, channels: int, resolution: int) -> None:
    """Raise ``UserError`` where ``count`` images, uint8, cannot be held in memory."""
    what = f"{count:,} images of {resolution}x{resolution} pixels"
    require_memory(count * channels * resolution**2, what, "choose a smaller resolution or fewer images")


def read_file(path: Place) -> bytes:
    """The bytes of a file; raises ``UserError`` where it cannot be read."""
    with _naming(path):
        return path.read_bytes()


def decode_image(data: bytes, path: object, resolution: int, channels: int) -> NDArray[np.uint8]:
    """The content of one image file as (channels, R, R); ``path`` is its name in error messages.

    Raises ``UserError`` as :func:`read_images` does.
    """
    with _naming(path):
        stream = io.BytesIO(data)
        Image.open(stream, formats=_FORMATS).verify()
        with Image.open(stream, formats=_FORMATS) as image:
            _refuse_unsupported(path, image)
            return pixels_of(_flat(image, "L" if channels == 1 else "RGB"), resolution)


def pixels_of(image: Image.Image, resolution: int) -> NDArray[np.uint8]:
    """The centre square of a grey or RGB image at ``resolution``: (1 or 3, R, R), contiguous."""
    pixels = np.asarray(_square(image, resolution)).reshape(resolution, resolution, -1)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def in_threads(function: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """``function`` of every item, in order; the first error, in order, cancels what has not begun."""
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        return list(pool.map(function, items))


@contextmanager
def _naming(path: object) -> Iterator[None]:
    """Whatever goes wrong inside becomes one line that names the file."""
    try:
        yield
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        raise UserError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}") from error
    except Image.DecompressionBombError as error:
        raise UserError(f"{path} is too large: more than {2 * (Image.MAX_IMAGE_PIXELS or 0)} pixels") from error
    except UserError:
        raise
    except Exception as error:  # Pillow's decoders raise whatever a damaged file makes them stumble over
        raise UserError(f"{path} is damaged or no image: replace or remove it") from error


def _refuse_unsupported(path: object, image: ImageFile.ImageFile) -> None:
    """Raise ``UserError`` for what the conversion to 8-bit grey or RGB would change silently."""
    if image.mode.startswith("I") or any(_is_deep(codec, args) for codec, _, _, args in image.tile):
        raise UserError(f"{path} has 16 bits per channel: convert it to 8 bits")
    if image.mode not in _GREY | _COLOUR:
        raise UserError(f"{path} has the mode {image.mode}, which is not read: convert it to 8-bit grey or RGB")
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":  # a camera's MPO is a JPEG with previews behind it
        raise UserError(f"{path} has {frames} frames: a dataset holds single images")


def _is_deep(codec: str, args: tuple[object, ...] | str | None) -> bool:
    """Whether Pillow's decoder arguments speak of 16-bit channels, which it would cut to 8: a raw mode such as ``RGB;16B``,
    or a PPM's largest value."""
    if codec == "ppm" and isinstance(args, tuple) and isinstance(args[-1], int):
        return args[-1] > 255
    return _DEEP.search(str(args)) is not None


def _read_header(path: Path) -> Header:
    with _naming(path), Image.open(path, formats=_FORMATS) as image:
        _refuse_unsupported(path, image)
        return Header(image.size, image.mode in _GREY)


def _flat(image: Image.Image, mode: str) -> Image.Image:
    """The image in ``mode`` ("L" or "RGB"), what is transparent laid on white."""
    if image.has_transparency_data:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
    return image.convert(mode)


def _square(image: Image.Image, resolution: int) -> Image.Image:
    """The centre square at ``resolution``; an odd remainder goes to the right and to the bottom."""
    width, height = image.size
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    square = image.crop((left, top, left + side, top + side))
    return square if side == resolution else square.resize((resolution, resolution), Image.Resampling.LANCZOS)
