"""From a training checkpoint to one that only samples: what one publishes."""

from __future__ import annotations

from pathlib import Path

from ganeval.checkpoints import load_folder, read_record, save_folder
from ganeval.errors import UserError
from ganeval.sampling import Which, resolve_checkpoint


def export(source: Path, out: Path, which: Which = "latest") -> str:
    """Write the generator of ``source`` (its average where it has one) to the new checkpoint ``out``; give its hash.

    ``which`` says which checkpoint of a run is meant. The record stays whole: recipe, dataset, step. Optimisers, discriminator
    and the raw generator stay behind, so the result samples and scores exactly as ``source`` does and cannot be trained further.
    """
    checkpoint = resolve_checkpoint(source, which)
    record = read_record(checkpoint)
    if record.get("kind") == "generator":
        raise UserError(f"{source} is an imported generator and nothing else already: copy the folder")
    if record.get("kind") != "gan":
        raise UserError(f"{source} is a checkpoint of kind '{record.get('kind', '?')}': it holds no generator")
    file = "ema" if record["recipe"]["ema"] else "generator"
    tensors = load_folder(checkpoint, [file]).tensors
    return save_folder(out, tensors, record)
