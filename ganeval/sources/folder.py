"""Folders of images: class folders, or images alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from unicodedata import normalize

from ganeval.cache import is_bank
from ganeval.checkpoints import is_folder
from ganeval.data.base import Dataset
from ganeval.data.folder import list_split
from ganeval.data.images import SUFFIXES, list_images
from ganeval.data.places import P
from ganeval.errors import UserError, listing
from ganeval.protocols.base import SampleOrder
from ganeval.sampling import resolve_checkpoint
from ganeval.sources.base import KINDS, Kind, Opened, Request
from ganeval.sources.images import ImageFiles, survey


class FolderKind(Kind):
    """``root/<class>/*``, where the folders are the dataset's classes, or images directly in ``root``: they have no labels."""

    name = "folder"
    description = "a folder of images (root/<class>/* or root/*)"

    def recognises(self, path: Path) -> bool:
        return path.is_dir() and not is_folder(resolve_checkpoint(path)) and not (path / "run.json").is_file()

    def open(self, request: Request) -> Opened:
        _require_images(request.path)
        dataset = request.held_against("a folder of images")
        origin: dict[str, object] = {"kind": "folder", "name": request.path.resolve().name}
        source = files_of(request.path, dataset, origin, request.protocol.sample_order)
        request.refuse_options_of_checkpoints("folder", source.count)
        return source, dataset


def files_of(root: P, dataset: Dataset | None, origin: dict[str, object], order: SampleOrder) -> ImageFiles:
    """The images in ``root`` or in its class folders, labelled as ``dataset`` labels its classes.

    Where no dataset says what the classes are, the labels are not kept. Raises ``UserError`` for class folders that are not
    exactly the classes of the dataset, for images beside class folders, and for what is wrong with an image.
    """
    if not _has_folders(root):
        files, headers = survey(root, _listed(root), None, order)
        return ImageFiles(files, headers, dataset.classes if dataset else (), origin)
    loose = [entry.name for entry in root.iterdir() if entry.suffix.lower() in SUFFIXES and not entry.is_dir() and _shown(entry)]
    if loose:
        raise UserError(f"{root} has images beside its class folders ({min(loose)}): all belong into root/<class>/, or none")
    split = list_split(root)
    if dataset is None:
        files, headers = survey(root, split.paths, None, order)
        return ImageFiles(files, headers, (), origin)
    classes = _as_the_dataset_spells(split.classes, dataset)
    if set(classes) != set(dataset.classes):
        difference = _class_difference(classes, dataset)
        raise UserError(f"the class folders of {root} are not the classes of '{dataset.name}': {difference}")
    labels = [dataset.classes.index(classes[label]) for label in split.labels]
    files, headers = survey(root, split.paths, labels, order)
    return ImageFiles(files, headers, dataset.classes, origin)


def _listed(root: P) -> Sequence[P]:
    found = list_images(root)
    if not found:
        raise UserError(f"{root} has no images ({' '.join(SUFFIXES)})")
    return found


def _has_folders(root: P) -> bool:
    return any(entry.is_dir() and _shown(entry) for entry in root.iterdir())


def _shown(entry: P) -> bool:
    return not entry.name.startswith(".")


def _likely(files: Sequence[Path]) -> Path:
    """The file that can be scored: of PyTorch-StudioGAN's an averaged generator, else a generator, never a discriminator."""
    return min(files, key=lambda file: (not file.name.startswith("model=G_ema"), not file.name.startswith("model=G"), file.name))


def _require_images(path: Path) -> None:
    """Say what is wrong with a folder that cannot be one of images before anything is asked about it."""
    entries = sorted(path.iterdir())
    folders = [entry for entry in entries if entry.is_dir() and _shown(entry)]
    for folder in folders:
        if is_bank(folder):
            raise UserError(f"{path} holds saved features: give one of them, for example {folder}")
        if is_folder(folder) or (folder / "run.json").is_file():
            raise UserError(f"{path} holds runs or checkpoints: give one of them, for example {folder}")
    checkpoints = [entry for entry in entries if entry.suffix.lower() in (".pth", ".zip", ".npz")]
    if not folders and checkpoints:
        raise UserError(
            f"{path} is no checkpoint, no run and no folder of images: give a file in it, for example {_likely(checkpoints)}"
        )
    if not folders and not any(entry.suffix.lower() in SUFFIXES for entry in entries):
        raise UserError(
            f"{path} is no checkpoint, no run and no folder of images root/<class>/* or root/*: nothing in it can be scored"
        )


def _as_the_dataset_spells(classes: Sequence[str], dataset: Dataset) -> Sequence[str]:
    """``classes`` as the dataset spells them where they differ in Unicode's composition alone: a folder that came from a Mac has
    "o" and a mark where others have "ö", and no message could show the difference."""
    spelt = {normalize("NFC", name): name for name in dataset.classes}
    found = [name if name in dataset.classes else spelt.get(normalize("NFC", name), name) for name in classes]
    return found if len(set(found)) == len(found) else classes


def _class_difference(classes: Sequence[str], dataset: Dataset) -> str:
    missing, extra = set(dataset.classes) - set(classes), set(classes) - set(dataset.classes)
    parts = [f"{name} {listing(sorted(found))}" for name, found in (("missing", missing), ("unknown", extra)) if found]
    return "; ".join(parts)


KINDS.add(FolderKind.name, FolderKind())
