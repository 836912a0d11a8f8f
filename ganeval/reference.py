"""Reference statistics of a dataset under a protocol: computed once, kept, and written for others."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ganeval import __version__, defaults
from ganeval.banks import reference_bank, reference_size
from ganeval.data.limit import find_whole_or_part
from ganeval.environment import find_device
from ganeval.extractors.base import Precision
from ganeval.features import Moments
from ganeval.progress import Talk
from ganeval.protocols import PROTOCOLS
from ganeval.scoring import choose_extractor
from ganeval.statistics import write_statistics


@dataclass(frozen=True)
class Reference:
    """The moments of a dataset's reference split, and what they depend on, as plain JSON."""

    moments: Moments
    record: dict[str, Any]
    seconds: float

    def write(self, path: Path) -> None:
        """Write them to the ``.npz`` file ``path``, as pytorch-fid, clean-fid and 'ganeval score --reference' read them."""
        write_statistics(path, self.moments, self.record)


def reference_of(
    dataset: str, *, protocol: str = defaults.PROTOCOL, extractor: str | None = None, precision: Precision = "fp32",
    resolution: int | None = None, device: str | torch.device = "auto", talk: Talk | None = None,
) -> Reference:  # fmt: skip
    """The moments that ``dataset``'s reference split has under ``protocol``, from the cache where they were computed before.

    ``resolution`` is that of the images to be scored, the dataset's own by default. Raises ``UserError`` for an unknown name, for
    images that are missing and for a dataset without an extractor.
    """
    began = time.monotonic()
    found = find_whole_or_part(dataset)
    rules = PROTOCOLS.get(protocol).resolved(found)
    where = find_device(device) if isinstance(device, str) else device
    network = choose_extractor(rules, found, extractor).to(where).in_precision(precision)
    size = reference_size(found, rules.reference_split, rules, resolution) or found.resolution
    talk = talk or (lambda what, done, total: None)
    bank, sha256 = reference_bank(found, rules, size, network, talk)
    record = {
        "dataset": found.name, "dataset_sha256": sha256, "split": rules.reference_split, "resolution": size,
        "protocol": rules.name, "protocol_sha256": rules.sha256(),
        "extractor": network.name, "extractor_fingerprint": network.fingerprint, "written_by": f"ganeval {__version__}",
    }  # fmt: skip
    return Reference(bank.moments, record, time.monotonic() - began)
