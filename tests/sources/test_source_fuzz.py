"""Whatever bytes a reader is given: a valid source, or one line for the user, never another error."""

from __future__ import annotations

import io
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from ganeval.cache import save_bank
from ganeval.errors import UserError
from ganeval.extractors.registry import find_extractor
from ganeval.features import FeatureBank, moments_of
from ganeval.protocols import PROTOCOLS
from ganeval.sources import FeatureSource, ImageSource, open_source
from ganeval.statistics import read_statistics, write_statistics

EXAMPLES = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
RECORD = {
    "dataset": "d", "dataset_sha256": "1" * 64, "split": "train", "resolution": 8, "protocol": "p", "protocol_sha256": "2" * 64,
    "extractor": "e", "extractor_fingerprint": "f",
}  # fmt: skip


def picture(form: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.arange(192, dtype=np.uint8).reshape(8, 8, 3)).save(buffer, form)
    return buffer.getvalue()


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for label in range(10):
            archive.writestr(f"{label}/a.png", picture())
    return buffer.getvalue()


def arrays(compress: bool = False) -> bytes:
    buffer = io.BytesIO()
    save = np.savez_compressed if compress else np.savez
    save(buffer, images=np.arange(640, dtype=np.uint8).reshape(10, 8, 8), labels=np.arange(10))
    return buffer.getvalue()


def statistics() -> bytes:
    buffer = io.BytesIO()
    moments = moments_of(np.random.default_rng(0).standard_normal((20, 4)))
    np.savez(buffer, mu=moments.mean, sigma=moments.cov)
    return buffer.getvalue()


def ours() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        write_statistics(Path(folder) / "a.npz", moments_of(np.random.default_rng(0).standard_normal((20, 4))), RECORD)
        return (Path(folder) / "a.npz").read_bytes()


def mutations(*wholes: bytes) -> st.SearchStrategy[bytes]:
    """Arbitrary bytes, and valid files cut off, with bytes changed, or with a piece of them somewhere else."""

    def flip(whole: bytes, changes: list[tuple[int, int]]) -> bytes:
        damaged = bytearray(whole)
        for place, value in changes:
            damaged[place % len(damaged)] = value
        return bytes(damaged)

    def splice(whole: bytes, other: bytes, start: int, stop: int, place: int) -> bytes:
        piece = other[min(start, stop) % len(other) : max(start, stop) % len(other) + 1]
        place %= len(whole)
        return whole[:place] + piece + whole[place + len(piece) // 2 :]

    any_whole, anywhere = st.sampled_from(wholes), st.integers(0, 2**16)
    return st.one_of(
        st.binary(max_size=200),
        any_whole,
        st.builds(lambda whole, end: whole[: end % len(whole)], any_whole, anywhere),
        st.builds(flip, any_whole, st.lists(st.tuples(anywhere, st.integers(0, 255)), min_size=1, max_size=4)),
        st.builds(splice, any_whole, any_whole, anywhere, anywhere, anywhere),
    )


def opened_or_refused(read: Callable[[Path], Any], content: bytes, name: str) -> bool:
    """Whether the file was read; anything but a ``UserError`` of one line fails the test."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        try:
            read(path)
        except UserError:
            return False
    return True


def use(path: Path) -> None:
    """All there is of the source at ``path``."""
    source, dataset = open_source(
        path, PROTOCOLS.get("small-v2"), "digits", num=None, seed=0, device=torch.device("cpu"), reference=False
    )
    assert dataset is not None
    source.deviations(PROTOCOLS.get("small-v2"))
    if isinstance(source, ImageSource):
        seen = 0
        for images, labels in source.batches():
            assert images.dtype == torch.uint8
            assert images.shape[2:] == (source.resolution, source.resolution)
            assert labels is None or len(labels) == len(images)
            seen += len(images)
        assert seen == source.count > 0


KINDS = {
    "a.zip": (use, (zipped(),)),
    "arrays.npz": (use, (arrays(), arrays(compress=True))),
    "moments.npz": (use, (statistics(), ours(), arrays())),
    "reference.npz": (read_statistics, (statistics(), ours())),
    "model=G.pth": (use, (zipped(), arrays())),
}


@pytest.mark.parametrize("name", KINDS)
def test_a_file_is_read_or_refused(name: str) -> None:
    read, wholes = KINDS[name]
    for whole in wholes:
        assert name.endswith(".pth") or opened_or_refused(read, whole, name)
    if name.endswith("zip"):
        assert not opened_or_refused(read, wholes[0][:-1], name)

    @EXAMPLES
    @given(mutations(*wholes))
    def fuzz(content: bytes) -> None:
        opened_or_refused(read, content, name)

    fuzz()


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "BMP", "PPM", "TIFF"])
def test_an_image_is_read_or_refused(form: str) -> None:
    name, whole = f"flat/a.{form.lower()}", picture(form)
    assert opened_or_refused(lambda path: use(path.parent), whole, name)

    @EXAMPLES
    @given(mutations(whole, picture("PNG"), picture("TIFF")))
    def fuzz(content: bytes) -> None:
        opened_or_refused(lambda path: use(path.parent), content, name)

    fuzz()


@given(st.sampled_from(["manifest.json", "bank.safetensors"]), st.data())
@EXAMPLES
def test_a_bank_is_read_or_refused(file: str, data: st.DataObject) -> None:
    extractor = find_extractor("digits-cnn")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bank"
        bank = FeatureBank(np.ones((12, 64), np.float32), labels=np.arange(12) % 10)
        save_bank(path, bank, {"source": {}, "extractor": extractor.fingerprint})
        (path / file).write_bytes(data.draw(mutations((path / file).read_bytes())))
        try:
            source, _ = open_source(path, PROTOCOLS.get("small-v2"), "digits", num=None, seed=0, device=torch.device("cpu"))
            assert isinstance(source, FeatureSource)
            assert len(source.bank(extractor)) == 12
        except UserError:
            pass


NAMES = st.text(st.sampled_from("ab0./\\:é\0 "), max_size=8)


@given(st.lists(st.tuples(NAMES, st.sampled_from([b"", picture(), b"x"])), max_size=5))
@EXAMPLES
def test_any_names_in_an_archive(members: list[tuple[str, bytes]]) -> None:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, content in members:
                archive.writestr(zipfile.ZipInfo(name or "a"), content)
    opened_or_refused(use, buffer.getvalue(), "a.zip")


SHAPES = st.lists(st.sampled_from([0, 1, 2, 3, 4, 8, 9]), max_size=5).map(tuple)
TYPES = st.sampled_from(["u1", "i1", "u2", "f4", "f8", "c8", "?", "U3", "S2", "i8", "M8[s]", "V3"])


@given(
    st.dictionaries(
        st.sampled_from(["images", "arr_0", "labels", "arr_1", "mu", "sigma", "x"]), st.tuples(SHAPES, TYPES), max_size=4
    )
)
@EXAMPLES
def test_any_shapes_and_types_of_arrays(described: dict[str, tuple[tuple[int, ...], str]]) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, **{name: np.zeros(shape, kind) for name, (shape, kind) in described.items()})
    opened_or_refused(use, buffer.getvalue(), "a.npz")
    opened_or_refused(read_statistics, buffer.getvalue(), "a.npz")
