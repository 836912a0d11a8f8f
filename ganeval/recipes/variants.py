"""How the rows of the tables differ: each is another recipe with a few changes, cited.

A change is a part, which takes its place in the recipe (a regulariser joins those that are there), or a function from recipe
to recipe.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import reduce

from ganeval.augment.base import Augmentation
from ganeval.conditioning.adc import ADC
from ganeval.conditioning.base import Conditioning
from ganeval.conditioning.label_scheme import LabelScheme
from ganeval.conditioning.none import Unconditional
from ganeval.conditioning.tac import TAC
from ganeval.losses.base import Adversarial, Regularizer
from ganeval.losses.regularizers.balanced_consistency import BalancedConsistency
from ganeval.losses.regularizers.latent_consistency import LatentConsistency
from ganeval.losses.regularizers.mutual_information import MutualInformation
from ganeval.networks.base import Backbone
from ganeval.networks.big_resnet import BigGAN
from ganeval.networks.biggan_deep import DeepBackbone
from ganeval.networks.dcgan import DCGAN
from ganeval.networks.resnet import ResNet
from ganeval.parts import Part
from ganeval.recipes.recipe import Citation, Recipe
from ganeval.recipes.registry import Table

Change = Part | Callable[[Recipe], Recipe]


def changed(recipe: Recipe, *changes: Change) -> Recipe:
    """``recipe`` with the changes applied one after another."""
    return reduce(lambda done, change: _with_part(done, change) if isinstance(change, Part) else change(done), changes, recipe)


def cited(dataset: str, words: str, folder: str, method: str, config: str, paper: str, base: Recipe, *changes: Change) -> Recipe:
    """A row of the table of ``dataset``: ``base`` with changes, under the name of its method.

    ``words`` name the dataset in the citation; ``config`` is PyTorch-StudioGAN's file in ``configs/folder``, without ending;
    ``paper`` is an arXiv number.
    """
    recipe = changed(base, *changes)
    return replace(
        recipe,
        method=method,
        data=replace(recipe.data, dataset=dataset),
        citation=Citation(f"arXiv:{paper}", f"{config} on {words}", f"configs/{folder}/{config}.yaml"),
    )


def table(*rows: Recipe) -> Table:
    """The rows by method; two of one method raise ``ValueError``."""
    by_method = {row.method: row for row in rows}
    if len(by_method) != len(rows):
        raise ValueError(f"two rows of one method: {sorted(row.method for row in rows)}")
    return by_method


def schedule(**fields: int) -> Change:
    """Other fields of the schedule, for example ``schedule(steps=200_000)``."""
    return lambda recipe: replace(recipe, schedule=replace(recipe.schedule, **fields))


def optimizer(**fields: float) -> Change:
    """Other fields of the optimiser, for example ``optimizer(beta1=0.0)``."""
    return lambda recipe: replace(recipe, optimizer=replace(recipe.optimizer, **fields))


def infogan(recipe: Recipe) -> Recipe:
    """The recipe with a discrete code of ten values that the generator reads and the discriminator's features give back."""
    if not isinstance(recipe.backbone, BigGAN | DCGAN | ResNet):
        raise TypeError(f"backbone '{recipe.backbone.kind}' reads no code")
    return changed(replace(recipe, backbone=replace(recipe.backbone, code_dim=10)), MutualInformation(classes=10, weight=1.0))


def tac(recipe: Recipe) -> Recipe:
    """The recipe's conditioning under twin auxiliary classifiers, which weigh as much as the classifier itself."""
    base = _label_scheme(recipe)
    return replace(recipe, conditioning=TAC(base, d_weight=base.weight, g_weight=base.weight))


def adc(recipe: Recipe) -> Recipe:
    """The recipe's conditioning with classes that are real or fake."""
    return replace(recipe, conditioning=ADC(_label_scheme(recipe)))


def icr(recipe: Recipe) -> Recipe:
    """Improved consistency regularisation: of reals and fakes, and of latents."""
    return changed(recipe, BalancedConsistency(10.0, 10.0), LatentConsistency(0.05, 20.0, 0.5))


def unconditional(recipe: Recipe) -> Recipe:
    """Labels enter neither network."""
    backbone = recipe.backbone
    if not isinstance(backbone, ResNet | BigGAN | DCGAN | DeepBackbone):
        raise TypeError(f"the backbone '{backbone.kind}' has no unconditional form")
    return changed(recipe, replace(backbone, class_conditional=False), Unconditional())


def uniform_latents(recipe: Recipe) -> Recipe:
    """Latents from U(-1, 1)."""
    return replace(recipe, prior="uniform")


def no_flip(recipe: Recipe) -> Recipe:
    """No random mirroring of the training images."""
    return replace(recipe, data=replace(recipe.data, flip=False))


def no_ema(recipe: Recipe) -> Recipe:
    """No moving average of the generator."""
    return replace(recipe, ema=None)


def _label_scheme(recipe: Recipe) -> LabelScheme:
    if not isinstance(recipe.conditioning, LabelScheme):
        raise TypeError(f"the conditioning '{recipe.conditioning.kind}' has no loss on labels")
    return recipe.conditioning


def _with_part(recipe: Recipe, part: Part) -> Recipe:
    match part:
        case Backbone():
            return replace(recipe, backbone=part)
        case Conditioning():
            return replace(recipe, conditioning=part, adversarial=None if part.is_adversarial else recipe.adversarial)
        case Adversarial():
            return replace(recipe, adversarial=part)
        case Regularizer():
            return replace(recipe, regularizers=(*recipe.regularizers, part))
        case Augmentation():
            return replace(recipe, augmentation=part)
    raise TypeError(f"a recipe has no place for '{part.kind}'")
