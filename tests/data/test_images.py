from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from ganeval.data.images import Header, list_images, read_headers, read_images
from ganeval.errors import UserError

shared_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)


def noise(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def saved(path: Path, pixels: NDArray[np.uint8]) -> Path:
    Image.fromarray(pixels).save(path)
    return path


def png(bits: int, colour: int, row: bytes, width: int = 2) -> bytes:
    """A PNG of two equal rows, written by hand: Pillow writes no 16-bit RGB."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, 2, bits, colour, 0, 0, 0)
    body = zlib.compress((b"\0" + row) * 2)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".tiff", ".PNG"])
def test_lossless_formats_give_their_pixels(tmp_path: Path, suffix: str) -> None:
    pixels = noise(6, 6, 3)
    path = saved(tmp_path / f"x{suffix}", pixels)
    assert np.array_equal(read_images([path], 6, 3)[0].numpy(), pixels.transpose(2, 0, 1))


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".webp", ".ppm"])
def test_other_formats_give_what_pillow_decodes(tmp_path: Path, suffix: str) -> None:
    path = saved(tmp_path / f"x{suffix}", noise(6, 6, 3))
    expected = np.asarray(Image.open(path).convert("RGB")).transpose(2, 0, 1)
    assert np.array_equal(read_images([path], 6, 3)[0].numpy(), expected)


@shared_folder
@given(width=st.integers(1, 20), height=st.integers(1, 20), resolution=st.integers(1, 24), channels=st.sampled_from([1, 3]))
def test_the_centre_square_is_resized_by_lanczos(tmp_path: Path, width: int, height: int, resolution: int, channels: int) -> None:
    pixels = noise(height, width, 3) if channels == 3 else noise(height, width)
    path = saved(tmp_path / "x.png", pixels)
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    square = Image.fromarray(pixels[top : top + side, left : left + side])
    expected = np.asarray(square.resize((resolution, resolution), Image.Resampling.LANCZOS))
    made = read_images([path], resolution, channels)[0].numpy()
    assert np.array_equal(made, expected.reshape(resolution, resolution, channels).transpose(2, 0, 1))


def test_many_files_keep_their_order(tmp_path: Path) -> None:
    paths = [saved(tmp_path / f"{i:03}.png", np.full((3, 3), i, dtype=np.uint8)) for i in range(200)]
    assert read_images(paths, 3, 1)[:, 0, 0, 0].tolist() == list(range(200))
    assert read_images(paths[::-1], 3, 1)[:, 0, 2, 2].tolist() == list(range(199, -1, -1))


def test_transparency_is_laid_on_white(tmp_path: Path) -> None:
    pixels = np.array([[[10, 20, 30, 255], [10, 20, 30, 0], [10, 20, 30, 128]]] * 3, dtype=np.uint8)
    made = read_images([saved(tmp_path / "x.png", pixels)], 3, 3)[0, :, 0].T.tolist()
    half = [round((c * 128 + 255 * 127) / 255) for c in (10, 20, 30)]
    assert made == [[10, 20, 30], [255, 255, 255], half]


def test_grey_with_transparency_stays_grey(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.png", np.array([[[7, 255], [7, 0]]] * 2, dtype=np.uint8))
    assert read_headers([path]) == [Header((2, 2), grey=True)]
    assert read_images([path], 2, 1)[0, 0, 0].tolist() == [7, 255]


def test_a_palette_becomes_its_colours_and_its_transparent_entry_white(tmp_path: Path) -> None:
    image = Image.new("P", (2, 2))
    image.putpalette([1, 2, 3, 200, 100, 50])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "opaque.png")
    image.save(tmp_path / "clear.png", transparency=0)
    opaque, clear = read_images([tmp_path / "opaque.png", tmp_path / "clear.png"], 2, 3)
    assert read_headers([tmp_path / "opaque.png"]) == [Header((2, 2), grey=False)]
    assert opaque[:, 0].T.tolist() == [[1, 2, 3], [200, 100, 50]]
    assert clear[:, 0].T.tolist() == [[255, 255, 255], [200, 100, 50]]


def test_bilevel_is_black_and_white_and_grey_is_repeated_where_colours_are_wanted(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 255], [255, 0]], dtype=np.uint8)).convert("1").save(tmp_path / "x.png")
    assert read_headers([tmp_path / "x.png"]) == [Header((2, 2), grey=True)]
    assert read_images([tmp_path / "x.png"], 2, 3)[0].tolist() == [[[0, 255], [255, 0]]] * 3


def test_cmyk_is_converted_by_pillow(tmp_path: Path) -> None:
    Image.fromarray(noise(8, 8, 4), mode="CMYK").save(tmp_path / "x.jpg")
    expected = np.asarray(Image.open(tmp_path / "x.jpg").convert("RGB")).transpose(2, 0, 1)
    assert np.array_equal(read_images([tmp_path / "x.jpg"], 8, 3)[0].numpy(), expected)


DEEP = {
    "grey.png": png(16, 0, b"\x12\x34" * 2),
    "rgb.png": png(16, 2, b"\x12\x34" * 6),
    "grey-alpha.png": png(16, 4, b"\x12\x34" * 4),
    "rgb-alpha.png": png(16, 6, b"\x12\x34" * 8),
    "colour.ppm": b"P6 2 2 65535\n" + b"\x12\x34" * 12,
    "grey.ppm": b"P5 2 2 65535\n" + b"\x12\x34" * 4,
}


@pytest.mark.parametrize("name", DEEP)
def test_16_bits_are_refused_not_cut(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(DEEP[name])
    for read in (lambda paths: read_headers(paths), lambda paths: read_images(paths, 2, 3)):
        with pytest.raises(UserError, match="16 bits per channel: convert it to 8 bits") as error:
            read([tmp_path / name])
        assert str(tmp_path / name) in str(error.value)


@pytest.mark.parametrize(("bits", "row"), [(8, b"\x05\x07"), (2, b"\xb0")])
def test_8_bits_and_fewer_are_not_mistaken_for_more(tmp_path: Path, bits: int, row: bytes) -> None:
    (tmp_path / "x.png").write_bytes(png(bits, 0, row))
    expected = {8: [5, 7], 2: [170, 255]}[bits]
    assert read_images([tmp_path / "x.png"], 2, 1)[0, 0, 0].tolist() == expected


def test_an_unsupported_mode_is_named(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((2, 2), dtype=np.float32)).save(tmp_path / "x.tif")
    with pytest.raises(UserError, match=r"x\.tif has the mode F, which is not read"):
        read_headers([tmp_path / "x.tif"])


def test_several_frames_are_refused(tmp_path: Path) -> None:
    frames = [Image.fromarray(noise(4, 4, 3)), Image.fromarray(255 - noise(4, 4, 3))]
    frames[0].save(tmp_path / "x.tif", save_all=True, append_images=frames[1:])
    with pytest.raises(UserError, match="has 2 frames"):
        read_headers([tmp_path / "x.tif"])


def test_the_damaged_file_is_named_and_nothing_is_skipped(tmp_path: Path) -> None:
    paths = [saved(tmp_path / f"{i}.jpg", noise(16, 16, 3)) for i in range(20)]
    paths[13].write_bytes(paths[13].read_bytes()[:-200])
    with pytest.raises(UserError, match=r"13\.jpg is damaged or no image: replace or remove it") as error:
        read_images(paths, 16, 3)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\n"])
def test_a_file_that_is_no_image_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(UserError, match=r"x\.png is damaged or no image"):
        read_headers([tmp_path / "x.png"])


def test_a_missing_file_is_not_called_damaged(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read: no such file"):
        read_images([tmp_path / "gone.png"], 2, 3)


def test_a_decompression_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path / "x.png", noise(40, 40))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(UserError, match=r"x\.png is too large: more than 200 pixels"):
        read_images([path], 8, 1)


def test_every_flipped_bit_and_every_cut_of_a_png_is_noticed(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.fromarray(noise(4, 4, 3)).save(buffer, "PNG")
    data = buffer.getvalue()
    end = len(data) - 12  # of what holds pixels: the chunk IEND is twelve bytes
    flips = [data[:i] + bytes([data[i] ^ 1 << bit]) + data[i + 1 :] for i in range(end) for bit in (0, 5)]
    path = tmp_path / "x.png"
    for broken in flips + [data[:i] for i in range(end)]:
        path.write_bytes(broken)
        with pytest.raises(UserError, match=r"x\.png"):
            read_images([path], 4, 3)
    path.write_bytes(data)
    assert np.array_equal(read_images([path], 4, 3)[0].numpy(), noise(4, 4, 3).transpose(2, 0, 1))


def test_images_are_listed_by_name_without_hidden_and_other_files(tmp_path: Path) -> None:
    for name in ("b.png", "a.jpg", "10.PNG", "9.webp", ".hidden.png", "notes.txt", "Thumbs.db"):
        (tmp_path / name).write_bytes(b"")
    assert [path.name for path in list_images(tmp_path)] == ["10.PNG", "9.webp", "a.jpg", "b.png"]


def test_images_of_a_format_that_is_not_read_are_not_left_out_silently(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "b.gif").write_bytes(b"")
    with pytest.raises(UserError, match=r"b\.gif: \.gif files are not read, convert it to one of \.png"):
        list_images(tmp_path)


def test_nothing_but_files_is_opened(tmp_path: Path) -> None:
    """A named pipe that is opened waits for a writer that never comes."""
    real = saved(tmp_path / "a.png", noise(2, 2))
    (tmp_path / "b.png").symlink_to(real)
    assert [path.name for path in list_images(tmp_path)] == ["a.png", "b.png"]
    for make in (os.mkfifo, lambda path: path.symlink_to(tmp_path / "gone"), lambda path: path.symlink_to("/dev/null")):
        strange = tmp_path / "zz.png"
        make(strange)
        with pytest.raises(UserError, match=r"zz.png is no regular file \(a pipe, a device, or a link to nothing\): remove it"):
            list_images(tmp_path)
        strange.unlink()


def test_a_subfolder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    with pytest.raises(UserError, match="has a subfolder 'more'"):
        list_images(tmp_path)
