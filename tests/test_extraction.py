"""Extraction: the same features whatever the share, the process, or the thread that makes the images."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ganeval.cache import load_bank
from ganeval.data.registry import find_dataset
from ganeval.errors import UserError
from ganeval.extraction import AHEAD, ahead, bank_of, extract
from ganeval.extractors.base import Extracted, Extractor
from ganeval.extractors.registry import find_extractor
from ganeval.precision import exact
from ganeval.processes import Processes
from ganeval.protocols import PROTOCOLS
from ganeval.sampling import generate, load_generator
from ganeval.sources import Images, Samples
from ganeval.team import part_of


def silent(what: str, done: int, total: int) -> None:
    pass


@pytest.fixture(scope="module")
def samples(tiny_run: Path) -> Samples:
    return Samples(load_generator(tiny_run), find_dataset("digits").classes, PROTOCOLS.get("small-v2"), 700, seed=3)


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_the_shares_of_a_team_are_the_whole_to_the_bit(samples: Samples, size: int) -> None:
    extractor = find_extractor("digits-cnn")
    for source in (samples, Images(find_dataset("digits").load("train"), {})):
        whole = extract(source, extractor, silent, "test")
        shares = [part_of(Processes(rank, size), source.count, 256) for rank in range(size)]
        assert [start for start, _ in shares[1:]] == [stop for _, stop in shares[:-1]]
        parts = [extract(source, extractor, silent, "test", share) for share in shares]
        full = [part for part in parts if len(part)]
        for name in ("features", "logits", "labels"):
            assert np.array_equal(np.concatenate([getattr(part, name) for part in full]), getattr(whole, name))


def test_the_first_never_idles_and_shares_are_even() -> None:
    shares = [part_of(Processes(rank, 4), 10_000, 256) for rank in range(4)]
    assert (shares[0][0], shares[-1][1]) == (0, 10_000)
    lengths = [stop - start for start, stop in shares]
    assert max(lengths) - min(lengths) <= 512
    assert part_of(Processes(0, 2), 100, 256) == (0, 100)
    assert part_of(Processes(1, 2), 100, 256) == (100, 100)


@pytest.mark.parametrize("start", [0, 64, 100, 130])
def test_samples_from_anywhere_are_those_of_the_whole(tiny_run: Path, start: int) -> None:
    generator = load_generator(tiny_run)
    images, labels = (torch.cat(parts) for parts in zip(*generate(generator, 150, seed=1), strict=True))
    for batch_size in (7, 64, 256):
        some = list(generate(generator, 150 - start, seed=1, start=start, batch_size=batch_size))
        assert torch.equal(torch.cat([part for part, _ in some]), images[start:])
        assert torch.equal(torch.cat([y for _, y in some]), labels[start:])
        assert {len(y) for _, y in some[:-1]} <= {batch_size}


def test_progress_counts_the_images_of_the_share(samples: Samples) -> None:
    heard: list[tuple[str, int, int]] = []
    extract(samples, find_extractor("digits-cnn"), lambda *step: heard.append(step), "test", (256, 512))
    assert heard == [("test", done, 256) for done in (64, 128, 192, 256)]


def test_things_made_ahead_are_the_same_in_the_same_order_and_not_too_many() -> None:
    made: list[int] = []

    def make() -> Iterator[int]:
        for thing in range(20):
            made.append(thing)
            yield thing

    with ahead(make()) as things:
        for taken, thing in enumerate(things):
            assert thing == taken
            assert len(made) <= taken + 1 + AHEAD + 1  # waiting, and one in the maker's hands
    assert made == list(range(20))


def test_what_goes_wrong_ahead_is_raised_where_it_is_taken() -> None:
    def fail() -> Iterator[int]:
        yield 1
        raise UserError("the second cannot be had")

    with pytest.raises(UserError, match="the second cannot be had"), ahead(fail()) as things:
        assert list(things) == [1]


def test_whoever_stops_taking_leaves_no_thread_behind() -> None:
    def endless() -> Iterator[int]:
        while True:
            yield 1

    with ahead(endless()) as things:
        assert next(iter(things)) == 1
    assert not [thread for thread in threading.enumerate() if thread.name == "images ahead"]


class OnAnotherDevice(Extractor):
    """Mean and spread of the pixels, as if computed where images had better be made ahead."""

    name, feature_dim, classes, resize, value_range = "fake-gpu", 2, None, "none", "grey levels"
    weights_sha256 = "0" * 64
    device = torch.device("meta")
    fails: Any = None

    def __init__(self) -> None:
        self.record: dict[str, object] = {}
        self.threads: set[int] = set()

    def __call__(self, images: Tensor) -> Extracted:
        if self.fails:
            raise self.fails
        self.threads.add(threading.get_ident())
        pixels = images.flatten(1).float()
        return Extracted(torch.stack([pixels.mean(1), pixels.std(1)], dim=1), None)

    def to(self, device: torch.device) -> OnAnotherDevice:
        return self


def test_off_the_cpu_images_are_made_ahead_with_the_same_result(samples: Samples) -> None:
    there, here = OnAnotherDevice(), OnAnotherDevice()
    here.device = torch.device("cpu")
    first, second = extract(samples, there, silent, "test"), extract(samples, here, silent, "test")
    assert np.array_equal(first.features, second.features)
    assert np.array_equal(first.labels, second.labels)


def test_features_of_another_kind_of_device_are_kept_apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GANEVAL_HOME", str(tmp_path))
    source, asked = Images(find_dataset("digits").load("test"), {}), []
    for device in ("cpu", "meta", "cpu", "meta"):
        extractor = OnAnotherDevice()
        extractor.device = torch.device(device)
        bank_of(source, extractor, silent, "test")
        asked.append((device, bool(extractor.threads)))
    assert asked == [("cpu", True), ("meta", True), ("cpu", False), ("meta", False)]


def test_images_made_ahead_are_exact_whatever_the_extractor_is_at(samples: Samples, monkeypatch: pytest.MonkeyPatch) -> None:
    """torch's settings are the process's: a block of the extractor's that ends must not take them from the maker of images."""

    class Exact(OnAnotherDevice):
        def __call__(self, images: Tensor) -> Extracted:
            with exact():
                return super().__call__(images)

    found = set[tuple[bool, bool, str]]()

    def settings() -> tuple[bool, bool, str]:
        cudnn = torch.backends.cudnn
        return cudnn.allow_tf32, cudnn.deterministic, torch.get_float32_matmul_precision()

    def batches(start: int, stop: int) -> Iterator[tuple[Tensor, None]]:
        for _ in range(20):
            found.add(settings())
            yield torch.zeros(1, 1, 2, 2, dtype=torch.uint8), None

    monkeypatch.setattr(samples, "batches", batches)
    before = settings()
    extract(samples, Exact(), silent, "test")
    assert found == {(False, True, "highest")} != {before}
    assert settings() == before


def test_full_memory_is_one_line_with_a_way_out(samples: Samples) -> None:
    extractor = OnAnotherDevice()
    extractor.fails = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate ...\nmany lines")
    with pytest.raises(UserError, match=r"^the memory of meta is full .*torchrun --nproc_per_node=N -m ganeval score"):
        extract(samples, extractor, silent, "test")


EIGHT_SCORES = """
import multiprocessing, os, sys, uuid
from pathlib import Path
import torch
torch.set_num_threads(1)
import ganeval.extraction
from ganeval.checkpoints import canonical_json
from ganeval.scoring import score

folder, run = Path(sys.argv[1]), sys.argv[2]
fork = multiprocessing.get_context("fork")
ready = fork.Barrier(8, timeout=120)  # one that fails must not keep seven waiting
extract = ganeval.extraction.extract

def noted(source, extractor, talk, what, share=None):
    (folder / f"extracted {what} {uuid.uuid4()}").write_text("")
    return extract(source, extractor, talk, what, share)

def work():
    ganeval.extraction.extract = noted
    ready.wait()
    card = score(run, num=300, metrics=["top1"], device="cpu").to_json()
    kept = {name: value for name, value in card.items() if name not in ("seconds", "environment")}
    (folder / f"card-{uuid.uuid4()}").write_text(canonical_json(kept))

processes = [fork.Process(target=work) for _ in range(8)]
for process in processes:
    process.start()
for process in processes:
    process.join()
sys.exit(sum(process.exitcode != 0 for process in processes))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks, to import torch once")
def test_eight_scores_at_once_against_a_cold_cache_extract_everything_once(tiny_run: Path, tmp_path: Path) -> None:
    kept = {**os.environ, "GANEVAL_HOME": str(tmp_path / "home")}
    subprocess.run([sys.executable, "-c", EIGHT_SCORES, str(tmp_path), str(tiny_run)], env=kept, check=True, timeout=240)
    extracted = [path.name.rpartition(" ")[0] for path in tmp_path.glob("extracted *")]
    assert sorted(extracted) == [
        "extracted images to score", "extracted real images (test)", "extracted real images (train)"
    ]  # fmt: skip
    cards = [path.read_text() for path in tmp_path.glob("card-*")]
    assert len(cards) == 8
    assert len(set(cards)) == 1
    for path in (tmp_path / "home" / "banks").glob("*/"):
        assert len(load_bank(path)) in (300, 500, 1297)
