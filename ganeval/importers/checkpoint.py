"""Foreign generators as checkpoints of ours: what was inferred of the network, and where it came from."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from ganeval.checkpoints import save_folder
from ganeval.errors import UserError
from ganeval.importers.studiogan import DiscriminatorWeights, GeneratorWeights, Hints, read_studiogan
from ganeval.recipes.schema import to_json

KIND = "generator"
"""Of a checkpoint that holds a generator whose training is unknown: no recipe, no dataset, no step."""


def read_generator(path: Path, hints: Hints | None = None) -> tuple[GeneratorWeights, dict[str, Any]]:
    """The generator in a ``.pth`` file of PyTorch-StudioGAN, and the record of what is known about it.

    ``hints`` are those of :func:`read_studiogan`. Raises ``UserError`` for a discriminator's file and for anything that function
    refuses.
    """
    found = read_studiogan(path, hints=hints)
    if isinstance(found, DiscriminatorWeights):
        raise UserError(f"{path} holds a discriminator: give the file model=G... or model=G_ema... of the same run")
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    record = {
        "kind": KIND,
        "backbone": to_json(found.backbone),
        "channels": found.shape.channels,
        "resolution": found.shape.resolution,
        "num_classes": found.num_classes,
        "prior": "gaussian",
        "imported": {"format": "studiogan", "file": path.name, "sha256": digest.hexdigest()},
    }
    return found, record


def import_studiogan(path: Path, out: Path, hints: Hints | None = None) -> str:
    """Write the generator in PyTorch-StudioGAN's file ``path`` to the new checkpoint ``out``; give the checkpoint's hash.

    The vectors of spectral normalisation are kept as upstream's first evaluation pass leaves them, so the checkpoint samples
    what upstream samples.
    """
    found, record = read_generator(path, hints)
    return save_folder(out, {"generator": dict(found.generator.state_dict())}, record)
