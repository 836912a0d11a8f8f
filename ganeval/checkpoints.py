"""The checkpoint format: a folder of safetensors files and a ``manifest.json`` that knows the SHA-256 of each of them.

A folder appears under its name in one rename, complete and flushed. Loading verifies every byte, the manifest's own
included, before a tensor is used; nothing in it can run code.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from ganeval.errors import UserError
from ganeval.files import new_folder

FORMAT = 1
MANIFEST = "manifest.json"
LATEST = "latest"
_FILE_NAME = re.compile(r"[a-z0-9_]+\.safetensors")

Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class Folder:
    """A verified checkpoint folder: ``record`` as it was saved, ``tensors`` by file, the hash of each file and of the whole."""

    path: Path
    record: dict[str, Any]
    tensors: dict[str, Tensors]
    file_sha256: dict[str, str]
    sha256: str


def canonical_json(content: object) -> str:
    """The one JSON text of ``content``: sorted keys, no NaN, two spaces, a final newline."""
    return json.dumps(content, sort_keys=True, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def sha256_of(content: object) -> str:
    """SHA-256 of the canonical JSON of ``content``."""
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()


def save_folder(path: Path, tensors: Mapping[str, Tensors], record: Mapping[str, Any]) -> str:
    """Write ``tensors`` (one safetensors file per key) and ``record`` to the new folder ``path``; give its hash.

    Raises :class:`UserError` where ``path`` exists or cannot be written; then nothing is left behind.
    """
    with new_folder(path) as folder:
        files = {}
        for name, content in tensors.items():
            plain = {key: value.detach().cpu().contiguous() for key, value in content.items()}
            data = safetensors.torch.save(plain)
            file = f"{name}.safetensors"
            (folder / file).write_bytes(data)
            files[file] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        manifest = {"format": FORMAT, "files": files, "record": dict(record)}
        digest = sha256_of(manifest)
        (folder / MANIFEST).write_text(canonical_json({**manifest, "sha256": digest}), encoding="utf-8")
    return digest


def load_folder(path: Path, files: Iterable[str] | None = None) -> Folder:
    """Read the folder at ``path``: all of its files, or the named ones (without ``.safetensors``). Every file is verified.

    Raises :class:`UserError` for anything that is not exactly what was saved: a missing, truncated or altered file, a
    manifest of another format, a pickle in place of a folder.
    """
    manifest = _read_manifest(path)
    wanted = set(manifest["files"]) if files is None else {f"{name}.safetensors" for name in files}
    tensors = {}
    for file in sorted(wanted):
        if file not in manifest["files"]:
            raise UserError(f"{path} has no {file}: it is a checkpoint of another kind ({manifest['record'].get('kind', '?')})")
        tensors[Path(file).stem] = _read_tensors(path / file, manifest["files"][file])
    for file in manifest["files"].keys() - wanted:
        _verify(path / file, manifest["files"][file])
    hashes = {Path(file).stem: entry["sha256"] for file, entry in manifest["files"].items()}
    return Folder(path, manifest["record"], tensors, hashes, manifest["sha256"])


def read_record(path: Path) -> dict[str, Any]:
    """The record of the folder at ``path``: the manifest is verified, the tensors are not read."""
    record: dict[str, Any] = _read_manifest(path)["record"]
    return record


def is_folder(path: Path) -> bool:
    """Whether ``path`` looks like a checkpoint folder (nothing is verified)."""
    return (path / MANIFEST).is_file()


def saved_in(run: Path) -> list[Path]:
    """The whole checkpoints of the run folder ``run``, oldest first; none where it is no run."""
    return sorted(path for path in (run / "checkpoints").glob("step-*") if is_folder(path))


def pointed_to(run: Path, which: str) -> Path | None:
    """The checkpoint that the pointer ``which`` of ``run`` names, ``None`` without one.

    Without ``latest`` (a kill before it was written, a copy that left it out) it is the newest.
    """
    pointer = run / which
    if pointer.is_file():
        return run / pointer.read_text(encoding="utf-8", errors="replace").strip()
    return next(reversed(saved_in(run)), None) if which == LATEST else None


def _read_manifest(path: Path) -> dict[str, Any]:
    if path.is_file():
        raise UserError(f"{path} is a file, not a checkpoint folder (pickles such as .pt and .pth are never executed)")
    if not path.is_dir():
        raise UserError(f"no checkpoint at {path}")
    if not is_folder(path):
        raise UserError(f"{path} is not a checkpoint: it has no {MANIFEST}")
    text = (path / MANIFEST).read_bytes()
    try:
        manifest = json.loads(text)
        digest = manifest.pop("sha256")
        intact = digest == sha256_of(manifest) and text == canonical_json({**manifest, "sha256": digest}).encode()
    except (ValueError, KeyError, AttributeError, TypeError):
        intact = False
    if not intact:
        raise UserError(f"{path / MANIFEST} is damaged: its content does not match its own SHA-256")
    if manifest["format"] != FORMAT:
        raise UserError(f"{path} has checkpoint format {manifest['format']}, this version reads {FORMAT}: update ganeval")
    if not all(_FILE_NAME.fullmatch(file) for file in manifest["files"]):
        raise UserError(f"{path / MANIFEST} names files outside the checkpoint")
    return {**manifest, "sha256": digest}


def _verify(file: Path, expected: Mapping[str, Any]) -> None:
    """Compare the hash of a file that is not needed: nobody may rest on half of a damaged checkpoint."""
    if not file.is_file():
        raise UserError(f"{file} is missing: the checkpoint is incomplete")
    digest = hashlib.sha256()
    with file.open("rb") as content:
        while chunk := content.read(1 << 20):
            digest.update(chunk)
    if digest.hexdigest() != expected["sha256"]:
        raise UserError(f"{file} is damaged: its SHA-256 does not match the manifest")


def _read_tensors(file: Path, expected: Mapping[str, Any]) -> Tensors:
    if not file.is_file():
        raise UserError(f"{file} is missing: the checkpoint is incomplete")
    data = file.read_bytes()
    if len(data) != expected["bytes"]:
        raise UserError(f"{file} is damaged: {len(data)} bytes instead of {expected['bytes']}")
    if hashlib.sha256(data).hexdigest() != expected["sha256"]:
        raise UserError(f"{file} is damaged: its SHA-256 does not match the manifest")
    try:
        tensors: Tensors = safetensors.torch.load(data)
    except SafetensorError as error:
        raise UserError(f"{file} is not a safetensors file: {error}") from error
    return tensors
