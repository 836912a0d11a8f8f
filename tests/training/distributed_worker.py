"""One of the processes of test_distributed.py: `distributed_worker.py FOLDER RANK WORLD`; the recipes' names on its input."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import torch
from torch import Tensor

from ganeval.augment.ada import ADA
from ganeval.augment.apa import APA
from ganeval.augment.controller import AdaptiveAugmentation
from ganeval.augment.diffaug import DiffAugment
from ganeval.augment.simclr import SimCLR
from ganeval.conditioning.acgan import ACGAN
from ganeval.conditioning.adc import ADC
from ganeval.conditioning.contrastive import Contrastive
from ganeval.conditioning.d2dce import D2DCE
from ganeval.conditioning.multi_hinge import MultiHinge
from ganeval.conditioning.none import Unconditional
from ganeval.conditioning.projection import Projection
from ganeval.conditioning.tac import TAC
from ganeval.losses.adversarial.hinge import Hinge
from ganeval.losses.adversarial.wasserstein import Wasserstein
from ganeval.losses.regularizers.balanced_consistency import BalancedConsistency
from ganeval.losses.regularizers.consistency import Consistency
from ganeval.losses.regularizers.dragan import Dragan
from ganeval.losses.regularizers.feature_matching import FeatureMatching
from ganeval.losses.regularizers.gradient_penalty import GradientPenalty
from ganeval.losses.regularizers.latent_consistency import LatentConsistency
from ganeval.losses.regularizers.latent_optimization import LatentOptimization
from ganeval.losses.regularizers.lecam import LeCam
from ganeval.losses.regularizers.max_gradient_penalty import MaxGradientPenalty
from ganeval.losses.regularizers.mutual_information import MutualInformation
from ganeval.losses.regularizers.r1 import R1
from ganeval.losses.regularizers.top_k import TopK
from ganeval.losses.regularizers.weight_clipping import WeightClipping
from ganeval.networks.base import ImageShape
from ganeval.networks.big_resnet import BigGAN
from ganeval.networks.biggan_deep import BigGANDeep, DeepBackbone
from ganeval.networks.dcgan import DCGAN
from ganeval.networks.resnet import ResNet
from ganeval.processes import Processes, join_group, leave_group
from ganeval.recipes.digits import ROWS
from ganeval.recipes.recipe import EMA, Data, Recipe, Schedule
from ganeval.training.engine import Engine
from ganeval.training.state import TrainState, initial_state
from ganeval.training.step import Batch, RealImages, discriminator_update, generator_update, replicate

CLASSES = 3
REACGAN = Recipe(
    method="tiny",
    data=Data("noise", 16),
    backbone=BigGAN(z_dim=6, shared_dim=4, g_channels=2, d_channels=2, d_attention=(1,), g_attention=(1,)),
    conditioning=D2DCE(embed_dim=4),
    adversarial=Hinge(),
    schedule=Schedule(steps=5, batch_size=8, d_steps=2),
    ema=EMA(decay=0.9, start=1),
)
NORMALISED = ResNet(z_dim=6, g_channels=2, d_channels=2)
"""Batch normalisation in both networks."""
WITH_CODE = BigGAN(z_dim=6, shared_dim=4, g_channels=2, d_channels=2, code_dim=3)
DEEP = BigGANDeep(z_dim=6, shared_dim=4, g_channels=2, d_channels=2, g_depth=1, d_depth=1, g_attention=(1,), d_attention=(1,))
ACCUMULATED = Schedule(steps=5, batch_size=8, d_steps=1, accumulation=3)
RECIPES = {
    "reacgan": REACGAN,
    "reacgan-paper-simclr": replace(REACGAN, conditioning=D2DCE(embed_dim=4, formula="paper"), augmentation=SimCLR()),
    "contrastive": replace(REACGAN, conditioning=Contrastive(embed_dim=4)),
    "acgan": replace(REACGAN, conditioning=ACGAN(), backbone=NORMALISED),
    "projection-accumulated": replace(REACGAN, conditioning=Projection(), schedule=ACCUMULATED, regularizers=(LeCam(start=1),)),
    "ada-lazy-r1": replace(
        REACGAN, augmentation=ADA(initial_p=0.5, interval=2, kimg=1), regularizers=(R1(weight=0.1, interval=2),)
    ),
    "apa-accumulated": replace(REACGAN, augmentation=APA(initial_p=0.5, interval=1, kimg=1), schedule=ACCUMULATED),
    "diffaug-icr": replace(REACGAN, augmentation=DiffAugment(), regularizers=(BalancedConsistency(), LatentConsistency())),
    "tac": replace(REACGAN, conditioning=TAC(D2DCE(embed_dim=4))),
    "adc": replace(REACGAN, conditioning=ADC(Contrastive(embed_dim=4))),
    "multi-hinge": replace(REACGAN, conditioning=MultiHinge(), adversarial=None, regularizers=(FeatureMatching(), Consistency())),
    "biggan-deep": replace(REACGAN, backbone=DEEP),
    "info-top-k": replace(
        REACGAN, backbone=WITH_CODE, regularizers=(MutualInformation(classes=3), TopK(decay_every=1, gamma=0.7))
    ),
    "logan": replace(REACGAN, prior="uniform", regularizers=(LatentOptimization(),)),
    "r1-through-batch-norm": replace(REACGAN, conditioning=Projection(), backbone=NORMALISED, regularizers=(R1(weight=0.1),)),
    "penalties": replace(
        REACGAN,
        conditioning=Unconditional(),
        adversarial=Wasserstein(),
        regularizers=(GradientPenalty(), Dragan(), MaxGradientPenalty(), WeightClipping(0.1)),
    ),
}


def narrow(recipe: Recipe) -> Recipe:
    """A row of the table of digits in the smallest size, with what begins late begun."""
    backbone = recipe.backbone
    assert isinstance(backbone, BigGAN | DeepBackbone | ResNet | DCGAN)
    augmentation = recipe.augmentation
    return replace(
        recipe,
        backbone=replace(backbone, g_channels=2, d_channels=2),
        schedule=Schedule(steps=1, batch_size=4, d_steps=1),
        regularizers=tuple(replace(part, start=-1) if isinstance(part, LeCam) else part for part in recipe.regularizers),
        augmentation=replace(augmentation, initial_p=0.5) if isinstance(augmentation, AdaptiveAugmentation) else augmentation,
    )


RECIPES |= {f"digits-{name}": narrow(recipe) for name, recipe in ROWS.items()}


def trained(recipe: Recipe, processes: Processes) -> TrainState:
    """The state after the recipe's steps on noise, in float64."""
    torch.set_default_dtype(torch.float64)
    try:
        channels = 1
        state = initial_state(recipe, ImageShape(channels, 16), CLASSES, 0, torch.device("cpu"))
        Engine(processes=processes).apply_to(state, recipe)
        replicas = replicate(state, recipe, processes)
        pixels = torch.randint(0, 256, (30, channels, 16, 16), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
        reals = RealImages(pixels, torch.arange(30) % CLASSES, True, 0, torch.device("cpu"), processes)
        size = recipe.schedule.batch_size
        while state.step < recipe.schedule.steps:
            rng = torch.Generator().manual_seed(state.step)

            def batches(rng: torch.Generator = rng) -> Iterator[Batch]:
                for index in count():
                    images, y = reals.batch(size, (100 * state.step + index) * size, rng)
                    yield images.double(), y

            stream = batches()
            for _ in range(recipe.schedule.d_steps):
                discriminator_update(state, recipe, stream, rng, replicas)
            generator_update(state, recipe, stream, rng, replicas)
            state.step += 1
            if state.ema:
                state.ema.update(state.generator, state.step)
        return state
    finally:
        torch.set_default_dtype(torch.float32)


def flat(state: TrainState) -> dict[str, Tensor]:
    return {f"{file}/{name}": value.detach() for file, content in state.tensors().items() for name, value in content.items()}


def main(folder: Path, rank: int, world: int) -> None:
    join_group("gloo", init_method=(folder / "meet").as_uri(), rank=rank, world_size=world)
    for name in sys.stdin.read().split():
        torch.save(flat(trained(RECIPES[name], Processes(rank, world))), folder / f"{name}.{rank}.pt")
    leave_group()


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
