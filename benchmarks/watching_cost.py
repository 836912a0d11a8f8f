"""What loading and logging cost beside the step itself: shares of a step's time, at most 5 % each is the aim.

Trains ``STEPS`` steps of a recipe on random images, with the clock around each batch of real images, each log line (spectral
norms, memory, JSON line, TensorBoard where installed), and the whole.

    OMP_NUM_THREADS=2 python benchmarks/watching_cost.py --out benchmarks/results/watching_cost.json
    python benchmarks/watching_cost.py --steps 4 --channels 4 --out /tmp/smoke.json        # does it run?
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from ganeval.checkpoints import canonical_json
from ganeval.data.base import Dataset, ImageSet
from ganeval.environment import environment
from ganeval.files import write_text
from ganeval.recipes.registry import TABLES
from ganeval.recipes.schema import override
from ganeval.training.journal import Journal
from ganeval.training.loop import Habits, train
from ganeval.training.sinks.tensorboard import TensorBoard, is_installed
from ganeval.training.step import RealImages


class RandomImages(Dataset):
    """As many images as CIFAR-10 has, of noise: what they show costs nothing."""

    name, channels, resolution = "cifar10", 3, 32
    classes = tuple(map(str, range(10)))
    splits = {"train": 50_000}  # noqa: RUF012
    filter, citation = "none", "made for the benchmark"

    def read(self, split: str, resolution: int) -> ImageSet:
        rng = torch.Generator().manual_seed(0)
        images = torch.randint(0, 256, (50_000, 3, 32, 32), generator=rng, dtype=torch.uint8)
        return ImageSet(images, torch.arange(50_000) % 10, self.classes)


def timed(seconds: Counter[str], name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    def measured(*arguments: Any, **more: Any) -> Any:
        began = time.perf_counter()
        try:
            return call(*arguments, **more)
        finally:
            seconds[name] += time.perf_counter() - began

    return measured


def measure(steps: int, channels: int, log_every: int) -> dict[str, Any]:
    """Seconds and shares of one run; the first steps, which warm up, are left out."""
    wide = (f"backbone.g_channels={channels}", f"backbone.d_channels={channels}", "data.dataset=cifar10")
    recipe = override(TABLES.get("cifar10")["reacgan"], *wide)
    viewers = {"tensorboard": TensorBoard} if is_installed() else {}
    habits = Habits(log_every=log_every, snapshot_every=10**9, checkpoint_every=10**9, viewers=viewers)
    seconds: Counter[str] = Counter()
    with (
        tempfile.TemporaryDirectory() as scratch,
        patch.object(RealImages, "batch", timed(seconds, "loading", RealImages.batch)),
        patch.object(Journal, "write", timed(seconds, "logging", Journal.write)),
    ):
        out = Path(scratch) / "run"
        train(recipe, RandomImages(), out, steps=2, habits=habits)
        seconds.clear()
        stepping: Counter[str] = Counter()
        with (
            patch("ganeval.training.loop.discriminator_update", timed(stepping, "step", _update("discriminator"))),
            patch("ganeval.training.loop.generator_update", timed(stepping, "step", _update("generator"))),
        ):
            train(recipe, RandomImages(), out, steps=2 + steps, habits=habits)
    whole = stepping["step"] + seconds["logging"]
    return {
        "recipe": "cifar10-reacgan", "channels": channels, "batch_size": recipe.schedule.batch_size, "steps": steps,
        "log_every": log_every, "viewers": sorted(viewers), "seconds_per_step": round(whole / steps, 4),
        "loading_percent": round(100 * seconds["loading"] / whole, 2),
        "logging_percent": round(100 * seconds["logging"] / whole, 2),
    }  # fmt: skip


def _update(network: str) -> Callable[..., Any]:
    import ganeval.training.step as step

    update: Callable[..., Any] = getattr(step, f"{network}_update")
    return update


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--channels", type=int, nargs="+", default=[32, 96])
    parser.add_argument("--log-every", type=int, default=20)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/watching_cost.json"))
    chosen = parser.parse_args()
    rows = [measure(chosen.steps, channels, chosen.log_every) for channels in chosen.channels]
    for row in rows:
        print(row)
    write_text(chosen.out, canonical_json({"rows": rows, "environment": environment(torch.device("cpu"))}))


if __name__ == "__main__":
    main()
