"""A mean and a covariance in an ``.npz`` file: enough for the Fréchet distance, and for nothing else."""

from __future__ import annotations

from pathlib import Path

from ganeval.extractors.base import Extractor
from ganeval.features import FeatureBank, MomentBank
from ganeval.protocols import Protocol
from ganeval.sources.base import KINDS, FeatureSource, Kind, Opened, Request, other_count
from ganeval.sources.npz import holds_statistics
from ganeval.statistics import Statistics, read_statistics


class MomentsOnly(FeatureSource):
    """``mu`` and ``sigma`` of somebody's features. Which extractor's they are is taken on trust unless the file says it."""

    labelled = False
    only_moments = True

    def __init__(self, statistics: Statistics) -> None:
        self.statistics, self.classes = statistics, ()
        record = statistics.record or {}
        self.count, self.resolution = statistics.moments.count, record.get("resolution")
        self.fingerprint = {"statistics": statistics.sha256}
        self.origin = {"kind": "statistics", "name": statistics.path.name, "sha256": statistics.sha256}

    def deviations(self, protocol: Protocol) -> list[str]:
        said = [] if self.statistics.record else ["the extractor of the statistics is taken on trust"]
        return other_count(self, protocol) + said

    def bank(self, extractor: Extractor) -> FeatureBank:
        self.statistics.require(extractor)
        return MomentBank(self.statistics.moments)


class StatisticsKind(Kind):
    """``mu`` and ``sigma``, as pytorch-fid, clean-fid and 'ganeval ref' write them."""

    name = "statistics"
    description = "a .npz of statistics (mu and sigma)"

    def recognises(self, path: Path) -> bool:
        return path.is_file() and path.suffix.lower() == ".npz" and holds_statistics(path)

    def open(self, request: Request) -> Opened:
        source = MomentsOnly(read_statistics(request.path))
        request.refuse_options_of_checkpoints("file", source.count)
        return source, request.held_against("a file of statistics")


KINDS.add(StatisticsKind.name, StatisticsKind())
