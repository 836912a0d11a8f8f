"""A process that gives birth to checkpoint writers: one per line on its input; it answers with the child's pid.

Importing torch takes seconds and forking takes none, so sixty killed processes cost the price of one.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch

from ganeval.conditioning.d2dce import D2DCE
from ganeval.losses.adversarial.hinge import Hinge
from ganeval.networks.base import ImageShape
from ganeval.networks.big_resnet import BigGAN
from ganeval.recipes.recipe import Data, Recipe, Schedule
from ganeval.recipes.schema import to_json
from ganeval.training.run import RunFolder
from ganeval.training.state import TrainState, initial_state

RECIPE = Recipe(
    method="tiny",
    data=Data("none", 16),
    backbone=BigGAN(z_dim=6, shared_dim=4, g_channels=2, d_channels=2),
    conditioning=D2DCE(embed_dim=4),
    adversarial=Hinge(),
    schedule=Schedule(steps=1),
)


def save_forever(state: TrainState, out: Path) -> None:
    """Resume, then write one checkpoint after another; every weight says at which step it was written."""
    with RunFolder(out, to_json(RECIPE), {"seed": 0}) as run:
        run.resume(state)
        run.start({})
        while True:
            state.step += 1
            with torch.no_grad():
                for parameter in [*state.generator.parameters(), *state.discriminator.parameters()]:
                    parameter.fill_(state.step)
            run.save(state, {})


def main(out: Path) -> None:
    torch.set_num_threads(1)
    state = initial_state(RECIPE, ImageShape(1, 16), 3, 0, torch.device("cpu"))
    for _ in sys.stdin:
        pid = os.fork()
        if pid == 0:
            save_forever(state, out)
        print(pid, flush=True)
        os.waitpid(pid, 0)
        print("ended", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
