"""Every registered recipe made small, and one of the processes that train such recipes together.

What is made smaller: widths, embeddings, batches (4), classes (2), accumulation and discriminator updates (at most 2), and the
resolution, to the smallest the backbone has networks for; attention comes after the first block there. What would only begin
later begins at once. Recipes that are then the same are one.

`narrow_recipes.py FOLDER RANK WORLD` reads names and steps from its input, trains each recipe in one go and stopped at its step,
and writes the fingerprints of the states that this process ends with to `FOLDER/RANK.json`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import fields, is_dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch

from ganeval.augment.controller import AdaptiveAugmentation
from ganeval.conditioning.base import Conditioning
from ganeval.data.base import Dataset, ImageSet
from ganeval.errors import UserError
from ganeval.losses.regularizers.lecam import LeCam
from ganeval.networks.base import Backbone, ImageShape
from ganeval.networks.plans import G_WIDTHS
from ganeval.processes import Processes, join_group, leave_group
from ganeval.recipes.recipe import EMA, Citation, Recipe, Schedule
from ganeval.recipes.registry import TABLES
from ganeval.training import loop
from ganeval.training.engine import Engine
from ganeval.training.loop import Habits, train

STEPS = 3
RESOLUTIONS = (8, 16, 32, 64, 128, 256)
QUIET = Habits(log_every=100, snapshot_every=100, checkpoint_every=100)


class Noise(Dataset):
    """Twelve images of two classes."""

    classes = ("a", "b")
    splits = {"train": 12}  # noqa: RUF012
    filter, citation = "none", "made for the tests"

    def __init__(self, channels: int, resolution: int) -> None:
        self.name, self.channels, self.resolution = "noise", channels, resolution

    def read(self, split: str, resolution: int) -> ImageSet:
        rng = torch.Generator().manual_seed(5)
        images = torch.randint(0, 256, (12, self.channels, resolution, resolution), generator=rng, dtype=torch.uint8)
        return ImageSet(images, torch.arange(12) % 2, self.classes)


def with_fields(part: Any, **values: Any) -> Any:
    """``part`` with those of the ``values`` that it has fields for, in itself and in the part it wraps."""
    own = {field.name for field in fields(part)}
    inner = {"base": with_fields(part.base, **values)} if "base" in own and is_dataclass(part.base) else {}
    return replace(part, **{name: value for name, value in values.items() if name in own}, **inner)


def narrow_backbone(backbone: Backbone, resolution: int) -> Any:
    names = {field.name for field in fields(backbone)}  # type: ignore[arg-type]
    z_dim = len(G_WIDTHS[resolution]) if "shared_dim" in names else 4  # a chunk of the latent for every block
    attention = {name: (1,) for name in ("g_attention", "d_attention") if getattr(backbone, name, ())}
    return with_fields(backbone, z_dim=z_dim, shared_dim=2, g_channels=2, d_channels=2, **attention)


def narrow_conditioning(conditioning: Conditioning) -> Any:
    return with_fields(conditioning, embed_dim=4)


def shrunk(recipe: Recipe, resolution: int) -> Recipe:
    """``recipe`` at ``resolution``, narrow, and with everything begun by step 2."""
    regularizers = tuple(replace(part, start=0) if isinstance(part, LeCam) else part for part in recipe.regularizers)
    augmentation = recipe.augmentation
    adaptive = isinstance(augmentation, AdaptiveAugmentation)
    return replace(
        recipe, method="narrow", citation=Citation("none"), regularizers=regularizers,
        data=replace(recipe.data, dataset="noise", resolution=resolution),
        backbone=narrow_backbone(recipe.backbone, resolution),
        conditioning=narrow_conditioning(recipe.conditioning),
        schedule=Schedule(STEPS, 4, min(recipe.schedule.d_steps, 2), min(recipe.schedule.accumulation, 2)),
        ema=EMA(decay=0.5, start=1) if recipe.ema else None,
        augmentation=with_fields(augmentation, initial_p=0.5, interval=1, kimg=1) if adaptive else augmentation,
    )  # fmt: skip


def smallest(recipe: Recipe) -> Recipe:
    fitting = (resolution for resolution in RESOLUTIONS if fits(recipe.backbone, resolution))
    return shrunk(recipe, next(fitting))


@cache
def fits(backbone: Backbone, resolution: int) -> bool:
    """Whether ``backbone`` has networks for ``resolution``."""
    try:
        with torch.device("meta"):
            narrow = narrow_backbone(backbone, resolution)
            narrow.generator(ImageShape(3, resolution), 2)
            narrow.discriminator(ImageShape(3, resolution))
    except (UserError, KeyError):
        return False
    return True


def different_recipes() -> dict[str, tuple[Recipe, int]]:
    """The small recipes with their number of channels, each under the name of the first row that gives it."""
    rows = {f"{table}-{method}": recipe for table, recipes in TABLES for method, recipe in recipes.items()}
    small = {name: (smallest(recipe), 1 if name.startswith("digits-") else 3) for name, recipe in rows.items()}
    first = {key: name for name, key in reversed(small.items())}
    return {name: key for key, name in first.items()}


def parts(recipe: Recipe) -> set[Hashable]:
    """What a recipe consists of, as far as resuming can depend on it."""
    backbone, conditioning, plan = recipe.backbone, recipe.conditioning, recipe.schedule
    inner = type(getattr(conditioning, "base", None))
    optimizer = (recipe.optimizer.beta1, bool(recipe.optimizer.g_weight_decay))
    return {
        type(backbone), ("attention", type(backbone), bool(getattr(backbone, "g_attention", ()))),
        ("g_sn", getattr(backbone, "g_spectral_norm", None)), ("d_sn", getattr(backbone, "d_spectral_norm", None)),
        ("cbn", backbone.class_conditional), (type(conditioning), inner), type(recipe.adversarial),
        ("augment", recipe.augmentation), ("ema", recipe.ema is None), ("prior", recipe.prior), ("optimizer", optimizer),
        ("plan", plan.d_steps, plan.accumulation), *recipe.regularizers,
    }  # fmt: skip


DIFFERENT = different_recipes()


def quick() -> set[str]:
    """Few recipes that hold every part between them: greedily, the one with most new parts next, small ones first."""
    missing = set().union(*(parts(recipe) for recipe, _ in DIFFERENT.values()))
    chosen: set[str] = set()
    while missing:
        best = max(DIFFERENT, key=lambda name: (len(missing & parts(DIFFERENT[name][0])), -DIFFERENT[name][0].data.resolution))
        chosen.add(best)
        missing -= parts(DIFFERENT[best][0])
    return chosen


@contextmanager
def without_pictures() -> Iterator[None]:
    """Inside the block ``train`` draws none: they take longer than such a run."""
    originals = loop.save_sample_grid, loop.Journal.picture
    loop.save_sample_grid = loop.Journal.picture = lambda *anything: None
    try:
        yield
    finally:
        loop.save_sample_grid, loop.Journal.picture = originals


def train_in_parts(name: str, stop: int, folder: Path, processes: Processes) -> Iterator[None]:
    """The recipe ``name`` in ``folder/whole``, and in ``folder/parts``, stopped at ``stop`` and resumed; gives way after each."""
    recipe, channels = DIFFERENT[name]
    noise, engine = Noise(channels, recipe.data.resolution), Engine(processes=processes)
    with without_pictures():
        for out, steps in (("whole", None), ("parts", stop), ("parts", None)):
            train(recipe, noise, folder / out, seed=1, steps=steps, habits=QUIET, engine=engine)
            yield


def main(folder: Path, rank: int, world: int) -> None:
    from runs_worker import captured, fingerprint  # beside this file, where it is run as a script

    join_group("gloo", init_method=(folder / "meet").as_uri(), rank=rank, world_size=world)
    ended: dict[str, list[str]] = {}
    for line in sys.stdin:
        name, stop = line.split()
        with captured() as states:
            ended[name] = [
                fingerprint(states[-1]) for _ in train_in_parts(name, int(stop), folder / name, Processes(rank, world))
            ]
    (folder / f"{rank}.json").write_text(json.dumps(ended))
    leave_group()


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
