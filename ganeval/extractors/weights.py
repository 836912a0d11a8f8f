"""Files of weights: found at a path or in the weights folder, or downloaded; verified before a byte of them is used.

Published files carry the beginning of their SHA-256 in their name (``resnet20-12fca82f.th``). A file from the weights folder or
the web must match it. A file that the user names is taken as it is, and its full SHA-256 is recorded.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import sys
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
from filelock import FileLock
from safetensors import SafetensorError
from torch import Tensor, nn

from ganeval.cache import home
from ganeval.errors import UserError, listing
from ganeval.files import UNFINISHED, disk_errors, fsync, remove_unfinished, require_folder
from ganeval.importers.pickles import is_plain, read_pickle

SECONDS = 30
"""Without a byte from the server before a download is given up."""

CHUNK = 1 << 20
_PREFIX = re.compile(r"-([0-9a-f]{8,64})\.[a-z]+$")

Told = Callable[[str, int, int | None], None]
"""Called with the file's name, the bytes that are here, and how many there will be, where the server says so."""


@dataclass(frozen=True)
class PublishedFile:
    """A file of weights on the web whose name carries the beginning of its SHA-256."""

    url: str

    @property
    def name(self) -> str:
        return self.url.rpartition("/")[2]

    @property
    def sha256_prefix(self) -> str:
        """At least 8 hexadecimal digits; raises ``ValueError`` where the name carries none."""
        found = _PREFIX.search(self.name)
        if found is None:
            raise ValueError(f"the name {self.name} carries no SHA-256")
        return found[1]

    @property
    def here(self) -> Path:
        """Where ganeval keeps the file, whether it is there or not."""
        return weights_folder() / self.name


@dataclass(frozen=True)
class Weights:
    """What a file holds: ``tensors`` by name, float or integer, on the CPU; the SHA-256 of the whole file."""

    path: Path
    sha256: str
    tensors: dict[str, Tensor]


def weights_folder() -> Path:
    """The folder in which ganeval looks for published files before it downloads them."""
    return home() / "weights"


def find_weights(published: PublishedFile, extractor: str, told: Told | None = None) -> Weights:
    """The published file, from the weights folder, else downloaded into it.

    ``extractor`` is what the user asked for, for the messages. Raises ``UserError`` where the file cannot be had or is not the
    published one.
    """
    path = published.here
    if not path.is_file():
        download(published, path, extractor, told or telling_stderr())
    digest = sha256_of_file(path)
    if not digest.startswith(published.sha256_prefix):
        raise UserError(
            f"{path} is not the published file: its SHA-256 begins with {digest[: len(published.sha256_prefix)]} instead of "
            f"{published.sha256_prefix}: remove it"
        )
    return Weights(path, digest, _read_tensors(path))


def open_weights(path: Path, extractor: str) -> Weights:
    """The file a user named, whatever its hash. Raises ``UserError`` where it is no file of weights."""
    if not path.is_file():
        raise UserError(f"no file at {path}: write {extractor}:PATH with the path of its weights")
    return Weights(path, sha256_of_file(path), _read_tensors(path))


def load_into(net: nn.Module, tensors: dict[str, Tensor], weights: Weights) -> None:
    """Give ``net`` its weights, every one of them; raises ``UserError`` where the file belongs to another network, or has a
    number that is not finite."""
    lost = [name for name, tensor in tensors.items() if not bool(tensor.isfinite().all())]
    if lost:
        raise UserError(f"{weights.path} has weights that are not finite ({listing(lost)}): fetch or train them again")
    try:
        net.load_state_dict(tensors)
    except RuntimeError as error:
        misfit = f"it holds the weights of another network ({_first_misfit(error)})"
        raise UserError(f"{weights.path} does not fit: {misfit}") from error


def _first_misfit(error: RuntimeError) -> str:
    lines = [line.strip() for line in str(error).splitlines()]
    line = lines[1] if len(lines) > 1 else lines[0]
    return line if len(line) <= 120 else f"{line[:117]}..."


def sha256_of_file(path: Path) -> str:
    """SHA-256 of the content of ``path``, in hexadecimal; raises ``UserError`` where it cannot be read."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}") from error
    return digest.hexdigest()


def download(published: PublishedFile, path: Path, extractor: str, told: Told) -> None:
    """Fetch ``published`` to ``path``, which appears in one rename once it is complete and verified.

    Processes that want the same file wait for the first. Raises ``UserError`` with what to do where the file cannot be had.
    """
    try:
        require_folder(path.parent)
    except UserError as error:
        raise UserError(f"{error}: set GANEVAL_HOME to the folder in which ganeval may keep weights") from error
    with FileLock(path.parent / f".{path.name}.lock"):
        if path.is_file():
            return
        remove_unfinished(path.parent, path.name)
        unfinished = path.parent / f"{UNFINISHED}{path.name}"
        try:
            digest = _fetch(published, unfinished, told)
        except (OSError, http.client.HTTPException) as error:
            unfinished.unlink(missing_ok=True)
            raise UserError(_by_hand(published, extractor, f"could not be downloaded ({_reason(error)})")) from error
        if not digest.startswith(published.sha256_prefix):
            unfinished.unlink(missing_ok=True)
            raise UserError(_by_hand(published, extractor, f"came with another SHA-256 ({digest[:8]}...)"))
        with disk_errors(path):
            fsync(unfinished)
            os.replace(unfinished, path)
            fsync(path.parent)


def _fetch(published: PublishedFile, path: Path, told: Told) -> str:
    """Write the file to ``path`` and give its SHA-256."""
    digest = hashlib.sha256()
    with urllib.request.urlopen(published.url, timeout=SECONDS) as answer, path.open("wb") as file:
        length = answer.headers.get("Content-Length")
        total = int(length) if length and length.isdigit() else None
        told(published.name, 0, total)
        while chunk := answer.read(CHUNK):
            file.write(chunk)
            digest.update(chunk)
            told(published.name, file.tell(), total)
    return digest.hexdigest()


def _by_hand(published: PublishedFile, extractor: str, what: str) -> str:
    from ganeval.extractors.registry import EXTRACTORS  # its extractors import this module

    instead = "".join(f", or take --extractor {name}, whose weights are installed" for name in EXTRACTORS.at_hand())
    return (
        f"the weights of '{extractor}' are not here and {what}: put {published.name} (SHA-256 begins with "
        f"{published.sha256_prefix}) from {published.url} into {weights_folder()}, or write {extractor}:PATH{instead}"
    )


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
    return str(getattr(reason, "strerror", None) or reason).lower()


def telling_stderr() -> Told:
    """Says on stderr what is downloaded, then every tenth of it, a line each."""
    said = 0

    def told(name: str, done: int, total: int | None) -> None:
        nonlocal said
        if done == 0:
            size = "" if total is None else f" ({total / 1e6:.0f} MB)"
            print(f"downloading {name}{size} into {weights_folder()}", file=sys.stderr, flush=True)
        elif total and done * 10 // total > said:
            said = done * 10 // total
            print(f"{name}: {said * 10} %", file=sys.stderr, flush=True)

    return told


def _read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a ``.safetensors`` file or of a file of ``torch.save``, read without running anything in it.

    A training checkpoint gives its ``state_dict``; the prefix ``module.`` of ``DataParallel`` goes.
    """
    if path.suffix == ".safetensors":
        try:
            return safetensors.torch.load_file(path)
        except SafetensorError as error:
            raise UserError(f"{path} is not a safetensors file: {error}") from error
    content: Any = read_pickle(path)
    content = content.get("state_dict", content) if isinstance(content, dict) else content
    if not isinstance(content, dict) or not content or not all(isinstance(value, Tensor) for value in content.values()):
        raise UserError(f"{path} holds no weights: a state_dict is a dictionary of tensors by name")
    strange = [name for name, value in content.items() if not is_plain(value)]
    if strange:
        raise UserError(f"{path}: the weight '{strange[0]}' is sparse, quantised, complex, or without numbers")
    return {str(name).removeprefix("module."): value for name, value in content.items()}
