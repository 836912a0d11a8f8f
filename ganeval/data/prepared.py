"""Datasets that are prepared once from their official archive and then mapped from disk."""

from __future__ import annotations

import contextlib
import copy
import re
import sys
from abc import abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path

from ganeval.cache import home
from ganeval.data.base import Dataset, ImageSet
from ganeval.data.images import FILTER
from ganeval.data.index import INDEX, Index, map_split, read_index
from ganeval.data.places import Place
from ganeval.data.raw import Contents
from ganeval.errors import UserError
from ganeval.files import require_folder


class PreparedDataset(Dataset):
    """A dataset that ``ganeval data prepare NAME --from PATH`` makes from ``archive`` (in words: what ``PATH`` is).

    ``expected`` has the exact count of every split, ``None`` where the archive decides; splits in ``optional`` may be absent.
    ``class_count`` is exact; ``class_names`` in label order are ``None`` where the archive gives them. ``location`` is
    the prepared folder, ``None`` for the one in :func:`ganeval.cache.home`.
    """

    channels = 3
    filter = FILTER
    archive: str
    class_count: int
    class_names: tuple[str, ...] | None = None
    expected: Mapping[str, int | None]
    optional: frozenset[str] = frozenset()
    location: Path | None = None

    @abstractmethod
    def contents(self, source: Place) -> Contents:
        """What ``source`` holds, the archive or its unpacked folder; raises ``UserError`` where it is not the official one."""

    def checksums(self) -> dict[str, str]:
        """The MD5 of official files by name: those that torchvision knows."""
        return {}

    def download(self, folder: Path) -> Path:
        """The official files, fetched into ``folder`` where torchvision can do that; raises ``UserError`` elsewhere."""
        raise UserError(f"'{self.name}' cannot be downloaded from here: get {self.archive} and give it with --from PATH")

    @property
    def num_classes(self) -> int:
        return self.class_count

    @property
    def classes(self) -> tuple[str, ...]:  # type: ignore[override]  # known before the archive is, or from the index
        """In label order. Raises ``UserError`` where only the archive knows them and nothing is prepared."""
        return self.class_names or self._some_index().classes

    @property
    def splits(self) -> dict[str, int]:  # type: ignore[override]  # from the index where there is one
        """The exact counts: those that were prepared, before that those that are known."""
        if self.prepared():
            entries = self._some_index().splits
            return {name: entries[name].count for name in self.expected if name in entries}
        return {name: count for name, count in self.expected.items() if count is not None}

    @property
    def status(self) -> str:
        found = self.prepared()
        return f"prepared at {', '.join(map(str, found))} px" if found else "not prepared"

    def at(self, location: Path) -> PreparedDataset:
        """This dataset in the folder ``location``."""
        placed = copy.copy(self)
        placed.location = location
        return placed

    def folder(self, resolution: int) -> Path:
        """Where the images of ``resolution`` are, or will be."""
        return self.location or home() / "data" / f"{self.name}-{resolution}"

    def prepared(self) -> dict[int, Path]:
        """The prepared folders by resolution, the dataset's own first."""
        if self.location is not None:
            return {read_index(self.location).resolution: self.location}
        found = {}
        for path in (home() / "data").glob(f"{self.name}-*"):
            size = re.fullmatch(re.escape(self.name) + "-([0-9]+)", path.name)
            if size and (path / INDEX).is_file():
                found[int(size[1])] = path
        return dict(sorted(found.items(), key=lambda item: (item[0] != self.resolution, item[0])))

    def index(self, resolution: int) -> Index:
        """The index of what was prepared at ``resolution``; raises ``UserError`` where nothing was, or something else."""
        folder = self.folder(resolution)
        if not (folder / INDEX).is_file():
            size = "" if resolution == self.resolution else f" --resolution {resolution}"
            raise UserError(
                f"dataset '{self.name}' is not prepared at {resolution} pixels: run 'ganeval data prepare {self.name}{size} "
                f"--from PATH' with {self.archive}"
            )
        index = read_index(folder)
        self._require_same(index, folder, resolution)
        return index

    def read(self, split: str, resolution: int) -> ImageSet:
        """The images of ``split``, mapped; raises ``UserError`` where they were not prepared at ``resolution``."""
        index = self.index(resolution)
        if split not in index.splits:
            raise UserError(f"{self.folder(resolution)} has no split '{split}': it has {', '.join(index.splits)}")
        return map_split(self.folder(resolution), index, split)

    def require_there(self, resolution: int) -> None:
        self.index(resolution)

    def load(self, split: str, resolution: int | None = None) -> ImageSet:
        size = resolution or self.resolution
        self.index(size)  # whether it is prepared comes before what its splits are
        return super(PreparedDataset, self.at(self.folder(size))).load(split, size)

    def _require_same(self, index: Index, folder: Path, resolution: int) -> None:
        """Raise ``UserError`` where ``index`` is not of this dataset as this version of ganeval prepares it."""
        if (index.name, index.resolution) != (self.name, resolution):
            there = f"'{index.name}' at {index.resolution} pixels"
            raise UserError(f"{folder} is {there}, not '{self.name}' at {resolution}: choose data.resolution={index.resolution}")
        counts = {split: entry.count for split, entry in index.splits.items()}
        expected = {split: self.expected.get(split) or count for split, count in counts.items()}
        if (index.filter, len(index.classes), counts) != (self.filter, self.class_count, expected):
            raise UserError(f"{folder} was prepared by another version of ganeval: remove it and prepare it again")

    def _some_index(self) -> Index:
        """The index at the dataset's own resolution, else any; raises ``UserError`` where nothing is prepared."""
        return self.index(next(iter(self.prepared()), self.resolution))


def fetched(folder: Path, name: str, fetch: Callable[[], object]) -> Path:
    """``folder`` after ``fetch`` (a downloader of torchvision's) has filled it; raises ``UserError`` where it cannot."""
    require_folder(folder)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            fetch()
    except Exception as error:  # every downloader has errors of its own
        raise UserError(f"'{name}' cannot be downloaded ({error}): get it yourself and give it with --from PATH") from error
    return folder
