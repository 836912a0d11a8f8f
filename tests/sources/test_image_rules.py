"""Every mode an image may have is converted by the documented rule or refused with its name: in folders, archives and arrays."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Literal
from unicodedata import normalize

import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence

from ganeval.data.base import ImageSet
from ganeval.errors import UserError

RESOLUTION = 8
Place = Callable[[bytes, str], Path]


def pixels(channels: int) -> np.ndarray:
    return np.random.default_rng(channels).integers(0, 256, (RESOLUTION, RESOLUTION, channels), dtype=np.uint8)


def encoded(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


@pytest.fixture(params=["folder", "zip"])
def place(request: pytest.FixtureRequest, tmp_path: Path, zipped: Callable[..., Path]) -> Place:
    """Puts one file beside a plain colour image and gives the path of the folder, or of the archive of it."""

    def put(content: bytes, name: str = "b.png") -> Path:
        folder = tmp_path / "images"
        folder.mkdir()
        (folder / "a.png").write_bytes(encoded(Image.fromarray(pixels(3))))
        (folder / name).write_bytes(content)
        return folder if request.param == "folder" else zipped(folder, tmp_path / "images.zip")

    return put


def second(opened: Callable[..., tuple], everything: Callable[..., tuple], path: Path) -> np.ndarray:
    """The second image, (H, W, 3)."""
    images = everything(opened(path)[0])[0]
    assert images.shape == (2, 3, RESOLUTION, RESOLUTION)
    assert torch.equal(images[0], torch.from_numpy(pixels(3)).permute(2, 0, 1))
    return images[1].permute(1, 2, 0).numpy()


def on_white(colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    opacity = alpha[..., None] / 255
    return colour * opacity + 255 * (1 - opacity)


def test_what_is_transparent_is_laid_on_white(
    place: Place, opened: Callable[..., tuple], everything: Callable[..., tuple]
) -> None:
    rgba = pixels(4)
    found = second(opened, everything, place(encoded(Image.fromarray(rgba))))
    assert np.abs(found - on_white(rgba[..., :3], rgba[..., 3])).max() <= 1
    assert np.abs(found.astype(int) - rgba[..., :3]).max() > 50


def test_transparent_grey_too(place: Place, opened: Callable[..., tuple], everything: Callable[..., tuple]) -> None:
    la = pixels(2)
    found = second(opened, everything, place(encoded(Image.fromarray(la, "LA"))))
    assert np.abs(found - on_white(la[..., :1].repeat(3, axis=2), la[..., 1])).max() <= 1


@pytest.mark.parametrize("transparent", [False, True])
def test_palettes_become_colours(
    transparent: bool, place: Place, opened: Callable[..., tuple], everything: Callable[..., tuple]
) -> None:
    image = Image.fromarray(pixels(3)).quantize(4)
    colours = np.asarray(image.convert("RGB")).copy()
    options = {"transparency": 2} if transparent else {}
    if transparent:
        colours[np.asarray(image) == 2] = 255
    assert np.array_equal(second(opened, everything, place(encoded(image, **options))), colours)


def test_grey_is_repeated_among_colours(place: Place, opened: Callable[..., tuple], everything: Callable[..., tuple]) -> None:
    grey = pixels(1)
    assert np.array_equal(second(opened, everything, place(encoded(Image.fromarray(grey[..., 0])))), grey.repeat(3, axis=2))


def test_cmyk_is_converted_by_pillow(place: Place, opened: Callable[..., tuple], everything: Callable[..., tuple]) -> None:
    content = encoded(Image.fromarray(pixels(4), "CMYK"), "TIFF")
    expected = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    assert np.array_equal(second(opened, everything, place(content, "b.tif")), expected)


def test_a_camera_orientation_is_not_applied(
    place: Place, opened: Callable[..., tuple], everything: Callable[..., tuple]
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    content = encoded(Image.fromarray(pixels(3)[::-1].copy()), exif=exif)
    assert Image.open(io.BytesIO(content)).getexif()[0x0112] == 6
    assert np.array_equal(second(opened, everything, place(content)), pixels(3)[::-1])


def deep() -> bytes:
    return encoded(Image.fromarray(np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000))


def animated() -> bytes:
    frames = [Image.fromarray(pixels(3)), Image.fromarray(pixels(3)[::-1].copy())]
    content = encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    assert len(list(ImageSequence.Iterator(Image.open(io.BytesIO(content))))) == 2
    return content


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        (deep(), "b.png", "has 16 bits per channel: convert it to 8 bits"),
        (animated(), "b.webp", "has 2 frames: a dataset holds single images"),
        (encoded(Image.new("F", (8, 8)), "TIFF"), "b.tif", "has the mode F, which is not read"),
        (b"", "b.png", "is damaged or no image: replace or remove it"),
        (encoded(Image.fromarray(pixels(3)))[:40], "b.png", "is damaged or no image: replace or remove it"),
        (encoded(Image.fromarray(pixels(3)))[:-20], "b.png", "is damaged or no image: replace or remove it"),
        (encoded(Image.fromarray(pixels(3)), "GIF"), "b.gif", ".gif files are not read, convert it to one of .png"),
    ],
)
def test_what_is_refused_is_named(
    place: Place, content: bytes, name: str, said: str, opened: Callable[..., tuple], everything: Callable[..., tuple]
) -> None:
    path = place(content, name)
    with pytest.raises(UserError) as error:
        everything(opened(path)[0])
    assert str(error.value).startswith(f"{path}/{name}")
    assert said in str(error.value)


def test_mixed_sizes_are_refused(place: Place, opened: Callable[..., tuple]) -> None:
    path = place(encoded(Image.new("RGB", (8, 9))))
    with pytest.raises(UserError, match=r"has images of 2 sizes \(8x8, 8x9\): bring them to one size"):
        opened(path)


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((5, 8, 8, 4), np.uint8), "'images' has 4 channels: save grey or RGB images"),
        (np.zeros((5, 2, 8, 8), np.uint8), "'images' has 2 channels: save grey or RGB images"),
        (np.zeros((5, 8, 8, 7), np.uint8), "without a side of 1 or 3 channels"),
        (np.zeros((5, 3, 8, 3), np.uint8), "the channels may be first or last"),
        (np.zeros((5, 8, 8, 3), np.uint16), "holds uint16 numbers instead of uint8: convert them to 8 bits"),
        (np.zeros((5, 8, 8, 3), np.float32), r"holds float32 numbers instead of uint8: their range is a guess: save floor\("),
        (np.zeros((5, 8), np.uint8), r"has the shape \(5, 8\)"),
        (np.zeros((0, 8, 8, 3), np.uint8), r"has the shape \(0, 8, 8, 3\)"),
        (np.zeros((5, 8, 8, 3), np.uint8, order="F"), "is in Fortran's order"),
    ],
)
def test_arrays_that_are_no_8_bit_images(array: np.ndarray, said: str, tmp_path: Path, opened: Callable[..., tuple]) -> None:
    np.savez(tmp_path / "a.npz", images=array)
    with pytest.raises(UserError, match=said) as error:
        opened(tmp_path / "a.npz")
    assert str(error.value).startswith(str(tmp_path / "a.npz"))


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_class_folder_from_a_mac_is_the_same_class(
    form: Literal["NFC", "NFD"], tmp_path: Path, save_images: Callable[[ImageSet, Path], Path],
    opened: Callable[..., tuple], everything: Callable[..., tuple],
) -> None:  # fmt: skip
    images, labels = torch.zeros(4, 3, 8, 8, dtype=torch.uint8), torch.tensor([0, 1, 1, 1])
    names = ("dog", "b\u00e4r")
    other: Literal["NFC", "NFD"] = "NFD" if form == "NFC" else "NFC"
    dataset, source = (
        save_images(ImageSet(images, labels, tuple(normalize(spelling, n) for n in names)), tmp_path / spelling)
        for spelling in (other, form)
    )
    found, held_against = opened(source, str(dataset))
    counts = torch.bincount(everything(found)[1]).tolist()
    assert dict(zip(held_against.classes, counts, strict=True)) == {held_against.classes[0]: 3, held_against.classes[1]: 1}
    assert found.classes == held_against.classes
