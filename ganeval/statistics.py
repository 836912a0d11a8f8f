"""Mean and covariance of features in ``.npz`` files: those of pytorch-fid, clean-fid and ADM are read, ours are written so too.

All of them have ``mu`` (D,) and ``sigma`` (D, D). ADM's also have the moments of spatial features, ``mu_s`` and ``sigma_s``,
which are not used. Ours also say how many samples they rest on (``count``) and what they depend on (``ganeval``, a JSON text).
"""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ganeval.checkpoints import canonical_json
from ganeval.data.archives import hash_of
from ganeval.errors import UserError
from ganeval.extractors.base import Extractor
from ganeval.features import Float64, Moments
from ganeval.files import write_bytes
from ganeval.npz import Npz
from ganeval.protocols import Protocol

FORMAT = 1

LARGEST = 2**14
"""Dimensions: a covariance of more does not fit the memory, and no extractor has as many."""

ASYMMETRY = 1e-5
"""Relative to the largest entry: what the float32 sums of others leave between sigma and its transpose."""

NEGATIVE = 1e-5
"""Relative to the largest eigenvalue: how far below zero rounding to float32 pushes an eigenvalue of a singular sigma."""


@dataclass(frozen=True)
class Statistics:
    """The moments in a file. ``record``: what they depend on, ``None`` where the file does not say. ``sha256``: the file's."""

    path: Path
    moments: Moments
    record: dict[str, Any] | None
    sha256: str

    def require(self, extractor: Extractor, protocol: Protocol | None = None, resolution: int | None = None) -> None:
        """Raise ``UserError`` where the moments are not of ``extractor``'s features, or known to be of another ``protocol`` or
        another ``resolution`` than these, where they are given."""
        dimensions = len(self.moments.mean)
        if dimensions != extractor.feature_dim:
            raise UserError(
                f"{self.path} has {dimensions} dimensions, the features of {extractor.name} have {extractor.feature_dim}: "
                "give the statistics of this extractor or choose theirs with --extractor"
            )
        if self.record is None:
            return
        if self.record["extractor_fingerprint"] != extractor.fingerprint:
            raise UserError(
                f"{self.path} is of the extractor {self.record['extractor']}, not of {extractor.name} with these weights: "
                "choose it with --extractor or make other statistics with 'ganeval ref'"
            )
        if protocol is not None and self.record["protocol_sha256"] != protocol.sha256():
            raise UserError(
                f"{self.path} is a reference of protocol {self.record['protocol']}, not of {protocol.name}: "
                "choose it with --protocol or make another with 'ganeval ref'"
            )
        as_they_are = protocol is not None and protocol.reference_size == "own"
        if not as_they_are and resolution is not None and self.record["resolution"] != resolution:
            theirs = self.record["resolution"]
            raise UserError(f"{self.path} is of images of {theirs} px, not of {resolution} px: make another with 'ganeval ref'")

    @property
    def name(self) -> str:
        """The dataset's name; the file's where it does not say one."""
        return str(self.record["dataset"]) if self.record else self.path.stem

    @property
    def extractor(self) -> str | None:
        """The extractor's name, where the file says it."""
        return str(self.record["extractor"]) if self.record else None

    def deviations(self) -> list[str]:
        """What a protocol's score against these statistics says of its reference."""
        return [f"the reference is {self.describe()}"]

    def describe(self) -> str:
        """What the statistics are of, in words."""
        if self.record is None:
            return f"statistics in {self.path.name}, of which nothing is known"
        record = self.record
        return f"statistics in {self.path.name} ({record['dataset']}, {record['split']}, {self.moments.count:,} images)"


def read_statistics(path: Path) -> Statistics:
    """The statistics in the ``.npz`` file ``path``, float32 or float64.

    Raises ``UserError`` where they are damaged, not finite, of shapes that do not fit, or no covariance, and where a file of
    ours is not what it was.
    """
    if not path.is_file():
        raise UserError(f"no file {path}: give an .npz with mu and sigma, or make one with 'ganeval ref'")
    file = Npz(path)
    mean, cov = _mean_and_covariance(file)
    if "ganeval" not in file:
        _require_covariance(path, cov)
        return Statistics(path, Moments(mean, _symmetric(cov), None), None, hash_of(path))
    record = _record(file)
    moments = Moments(mean, cov, record["count"])
    if record["moments_sha256"] != _hash_of(moments):
        raise UserError(f"{path} is not what 'ganeval ref' wrote: its numbers do not match their own SHA-256, make it again")
    return Statistics(path, moments, record, hash_of(path))


def write_statistics(path: Path, moments: Moments, record: dict[str, Any]) -> None:
    """Write ``moments`` and what they depend on to ``path`` (.npz); the same content gives the same bytes.

    ``record`` has dataset, dataset_sha256, split, resolution, protocol, protocol_sha256, extractor and extractor_fingerprint.
    """
    known = {"format": FORMAT, "count": moments.count, "moments_sha256": _hash_of(moments), **record}
    buffer = io.BytesIO()
    np.savez(
        buffer, mu=moments.mean, sigma=moments.cov, count=np.array(moments.count), ganeval=np.array(canonical_json(known))
    )  # fmt: skip
    write_bytes(path, buffer.getvalue())


def _hash_of(moments: Moments) -> str:
    digest = hashlib.sha256(repr((moments.mean.shape, moments.count)).encode())
    for array in (moments.mean, moments.cov):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _record(file: Npz) -> dict[str, Any]:
    names = {
        "dataset": str, "dataset_sha256": str, "split": str, "resolution": int, "protocol": str, "protocol_sha256": str,
        "extractor": str, "extractor_fingerprint": str, "count": int, "moments_sha256": str, "format": int,
    }  # fmt: skip
    shape, _, dtype = file.header("ganeval")
    try:
        record = json.loads(str(file.read("ganeval"))) if shape == () and dtype.kind == "U" else None
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict) or not all(type(record.get(name)) is kind for name, kind in names.items()):
        raise UserError(f"{file.path} is not what 'ganeval ref' wrote: make it again")
    if record["format"] != FORMAT:
        raise UserError(f"{file.path} has the format {record['format']}, this version reads {FORMAT}: update ganeval")
    return record


def _mean_and_covariance(file: Npz) -> tuple[Float64, Float64]:
    for name in ("mu", "sigma"):
        if name not in file:
            raise UserError(
                f"{file.path} has no {name}, but {', '.join(file.names[:5]) or 'nothing'}: statistics are mu and sigma"
            )
        if file.header(name).dtype.str not in ("<f4", "<f8", ">f4", ">f8"):
            raise UserError(f"{file.path}: {name} holds {file.header(name).dtype} instead of float32 or float64")
    mean_shape, cov_shape = file.header("mu").shape, file.header("sigma").shape
    if len(mean_shape) != 1 or cov_shape != mean_shape * 2 or not 0 < mean_shape[0] <= LARGEST:
        raise UserError(f"{file.path}: mu has the shape {mean_shape} and sigma {cov_shape} instead of (D,) and (D, D)")
    mean, cov = (np.array(file.read(name), dtype=np.float64, order="C") for name in ("mu", "sigma"))
    for name, array in (("mu", mean), ("sigma", cov)):
        if not np.isfinite(array).all():
            raise UserError(f"{file.path}: {name} has numbers that are not finite")
    return mean, cov


def _symmetric(cov: Float64) -> Float64:
    """``cov`` without what rounding left between it and its transpose; the halves of large numbers do not overflow."""
    halved: Float64 = cov / 2 + cov.T / 2
    return halved


def _require_covariance(path: Path, cov: Float64) -> None:
    largest = float(np.abs(cov).max())
    if float(np.abs(cov - cov.T).max()) > ASYMMETRY * largest:
        raise UserError(f"{path}: sigma is not symmetric, so it is no covariance")
    matrix = torch.from_numpy(_symmetric(cov))
    if torch.linalg.cholesky_ex(matrix)[1] == 0:
        return
    eigenvalues = torch.linalg.eigvalsh(matrix)
    if float(eigenvalues[0]) < -NEGATIVE * max(float(eigenvalues[-1]), 0.0):
        raise UserError(f"{path}: sigma has the eigenvalue {float(eigenvalues[0]):.3g}, so it is no covariance")
