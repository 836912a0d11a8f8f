"""From images to features: one pass of an extractor over a source, shared between processes, ahead of itself on a GPU."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TypeVar

import torch

from ganeval.cache import cached_bank
from ganeval.checkpoints import sha256_of
from ganeval.environment import require_memory
from ganeval.errors import UserError
from ganeval.extractors.base import Extractor
from ganeval.features import FeatureBank
from ganeval.precision import exact
from ganeval.processes import Processes
from ganeval.progress import Talk
from ganeval.sources import ImageSource
from ganeval.team import current_team, part_of, rows_to_first

UNIT = 256
"""Shares begin at multiples of it: of the blocks in which images are generated, read and extracted. So every process forms the
blocks a single one would, and its features are the same to the bit."""

AHEAD = 2
"""Batches that wait for the extractor."""

Thing = TypeVar("Thing")


def key_of(source: ImageSource, extractor: Extractor) -> dict[str, object]:
    """All that the bank of ``source`` follows from. Another kind of device rounds otherwise, most of all in half precision."""
    return {"source": source.fingerprint, "extractor": extractor.fingerprint, "device": extractor.device.type}


def bank_of(source: ImageSource, extractor: Extractor, talk: Talk, what: str, *, keep: bool = True) -> FeatureBank:
    """The bank of ``source`` from the cache, else from its images, of which each process of the team brings its share.

    The first one alone looks into the cache and writes to it, without ``keep`` neither. The others' banks hold what they brought
    and serve no other purpose.
    """
    key = key_of(source, extractor)
    team, asked = current_team(), []
    team.require_same(sha256_of(key), "files or options")

    def from_all() -> FeatureBank:
        asked.append(True)
        team.exchange("extract")
        return _of_all(extract(source, extractor, talk, what, part_of(team, source.count, UNIT)), team)

    if team.first:
        bank = cached_bank(key, from_all) if keep else from_all()
        if not asked:
            team.exchange("known")
        return bank
    if team.exchange("")[0] == "known":
        return _nothing(extractor)
    return _of_all(extract(source, extractor, talk, what, part_of(team, source.count, UNIT)), team)


def require_room(count: int, extractor: Extractor) -> None:
    """Raise ``UserError`` where the features of ``count`` images, float32, cannot be held: metrics need all of them at once."""
    require_memory(4 * count * extractor.feature_dim, f"the features of {count:,} images by {extractor.name}")


def extract(
    source: ImageSource, extractor: Extractor, talk: Talk, what: str, share: tuple[int, int] | None = None
) -> FeatureBank:
    """The features, logits and labels of the images of ``source``, or of those of a ``share`` [start, stop), in order."""
    team = current_team()
    start, stop = share or (0, source.count)
    if start == stop:
        return _nothing(extractor)
    features, logits, labels = [], [], []
    done = 0
    made = _ahead(source.batches(start, stop), extractor.device)
    with exact(), made as batches, _memory_errors(extractor.device):  # of the maker's thread, too
        for images, y in batches:
            extracted = extractor(images)
            features.append(extracted.features)
            if y is not None:
                labels.append(y)
            if extracted.logits is not None:
                logits.append(extracted.logits)
            done += len(images)
            team.heed()
            talk(what, done, stop - start)
    all_logits, all_labels = (torch.cat(parts).numpy() if parts else None for parts in (logits, labels))
    return FeatureBank(torch.cat(features).numpy(), all_logits, all_labels)


def _of_all(bank: FeatureBank, team: Processes) -> FeatureBank:
    """The shares put together, for the first process."""
    arrays = (bank.features, bank.logits, bank.labels)
    there = [any(has) for has in zip(*team.exchange([array is not None for array in arrays]), strict=True)]
    features, logits, labels = (
        rows_to_first(team, torch.empty(0) if array is None else torch.from_numpy(array)).numpy() if has else None
        for array, has in zip(arrays, there, strict=True)
    )
    assert features is not None
    return FeatureBank(features, logits, labels) if team.first else bank


def _nothing(extractor: Extractor) -> FeatureBank:
    return FeatureBank(torch.empty(0, extractor.feature_dim).numpy())


@contextmanager
def _ahead(things: Iterator[Thing], device: torch.device) -> Iterator[Iterator[Thing]]:
    """``things``, on a GPU made by a thread of its own while the taker works on those before. The same things in the same order.

    On a CPU both would share the same cores: there the thread gains nothing.
    """
    if device.type == "cpu":
        yield things
        return
    with ahead(things, _stream(device)) as made:
        yield made


def _stream(device: torch.device) -> AbstractContextManager[object]:
    """What the maker computes in, so that its kernels do not wait for the taker's."""
    if device.type != "cuda":
        return nullcontext()
    return torch.cuda.stream(torch.cuda.Stream(device))


@contextmanager
def ahead(things: Iterator[Thing], where: AbstractContextManager[object] | None = None) -> Iterator[Iterator[Thing]]:
    """``things`` made in another thread, up to AHEAD before they are taken; what it raises is raised where they are taken."""
    made: queue.Queue[tuple[Thing | None, BaseException | None]] = queue.Queue(AHEAD)
    left = threading.Event()

    def hand_over(thing: Thing | None, error: BaseException | None) -> None:
        while not left.is_set():
            try:
                made.put((thing, error), timeout=0.1)
                return
            except queue.Full:
                continue

    def make() -> None:
        try:
            with where or nullcontext():
                for thing in things:
                    hand_over(thing, None)
                    if left.is_set():
                        return
        except BaseException as error:
            hand_over(None, error)
        else:
            hand_over(None, StopIteration())

    def taken() -> Iterator[Thing]:
        while True:
            thing, error = made.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield thing  # type: ignore[misc]  # an error stands in every place without a thing

    thread = threading.Thread(target=make, name="images ahead", daemon=True)
    thread.start()
    try:
        yield taken()
    finally:
        left.set()
        thread.join()


@contextmanager
def _memory_errors(device: torch.device) -> Iterator[None]:
    """One line in place of a traceback where the device's memory is full. Blocks are not made smaller on the quiet: images of
    another block may round to other features."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise UserError(
            f"the memory of {device} is full while images are generated and extracted: free it, choose another --device, or "
            f"share the work with 'torchrun --nproc_per_node=N -m ganeval score ...'"
        ) from error
