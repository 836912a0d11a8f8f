"""The rows of CIFAR-10's table in the size of a small recipe: what makes the method stays, widths and budget change."""

from __future__ import annotations

from dataclasses import replace

from ganeval.augment.base import Augmentation
from ganeval.augment.controller import AdaptiveAugmentation
from ganeval.conditioning.adc import ADC
from ganeval.conditioning.base import Conditioning
from ganeval.conditioning.d2dce import D2DCE
from ganeval.conditioning.label_scheme import LabelScheme
from ganeval.conditioning.proxies import ProxyScheme
from ganeval.conditioning.tac import TAC
from ganeval.losses.base import Regularizer
from ganeval.losses.regularizers.lecam import LeCam
from ganeval.networks.base import Backbone
from ganeval.networks.big_resnet import BigGAN
from ganeval.networks.biggan_deep import DeepBackbone
from ganeval.networks.dcgan import DCGAN
from ganeval.networks.resnet import ResNet
from ganeval.recipes.cifar10 import ROWS as CIFAR10
from ganeval.recipes.recipe import Citation, Recipe
from ganeval.recipes.registry import Table

ADAPTIVE_KIMG = 50
"""In how many thousand images the probability of ADA and APA may rise from 0 to 1: a tenth of the papers', for short runs."""


def small_rows(reacgan: Recipe) -> Table:
    """Every method of CIFAR-10's table with the data, widths, schedule and optimiser of ``reacgan``, which has a BigGAN backbone.

    ReACGAN itself is ``reacgan``. Rows without a moving average have none here; its start is also where LeCam begins.
    Attention stays where it is the method (SAGAN), the other networks have it where ``reacgan`` has it.
    """
    return {method: _small(row, reacgan) for method, row in CIFAR10.items()} | {"reacgan": reacgan}


def _small(row: Recipe, size: Recipe) -> Recipe:
    return replace(
        row,
        data=size.data,
        backbone=_narrow(row.backbone, size.backbone),
        conditioning=_fewer_dimensions(row.conditioning, size.conditioning),
        schedule=size.schedule,
        optimizer=size.optimizer,
        ema=size.ema if row.ema else None,
        regularizers=tuple(_earlier(regularizer, size) for regularizer in row.regularizers),
        augmentation=_faster(row.augmentation) if row.augmentation else None,
        citation=Citation(row.citation.paper, "the method on a small network", "ganeval"),
    )


def _narrow(backbone: Backbone, size: Backbone) -> Backbone:
    if not isinstance(size, BigGAN):
        raise TypeError(f"the size is given by a BigGAN, not by '{size.kind}'")
    if isinstance(backbone, ResNet | DCGAN):
        return replace(backbone, z_dim=size.z_dim, g_channels=size.g_channels, d_channels=size.d_channels)
    if isinstance(backbone, BigGAN):
        return replace(size, class_conditional=backbone.class_conditional, code_dim=backbone.code_dim)
    if isinstance(backbone, DeepBackbone):
        return replace(
            backbone,
            z_dim=size.z_dim,
            shared_dim=size.shared_dim,
            g_channels=size.g_channels,
            d_channels=size.d_channels,
            g_attention=size.g_attention,
            d_attention=size.d_attention,
        )
    raise TypeError(f"no small form of the backbone '{backbone.kind}'")


def _fewer_dimensions(conditioning: Conditioning, size: Conditioning) -> Conditioning:
    if isinstance(conditioning, TAC):
        base = _label_scheme(conditioning.base, size)
        return TAC(base, d_weight=base.weight, g_weight=base.weight)
    if isinstance(conditioning, ADC):
        return ADC(_label_scheme(conditioning.base, size))
    return _label_scheme(conditioning, size) if isinstance(conditioning, LabelScheme) else conditioning


def _label_scheme(scheme: LabelScheme, size: Conditioning) -> LabelScheme:
    if not isinstance(size, D2DCE):
        raise TypeError(f"the size is given by a D2DCE, not by '{size.kind}'")
    if isinstance(scheme, D2DCE):
        return size
    return replace(scheme, embed_dim=size.embed_dim) if isinstance(scheme, ProxyScheme) else scheme


def _earlier(regularizer: Regularizer, size: Recipe) -> Regularizer:
    return replace(regularizer, start=size.ema.start) if isinstance(regularizer, LeCam) and size.ema else regularizer


def _faster(augmentation: Augmentation) -> Augmentation:
    return replace(augmentation, kimg=ADAPTIVE_KIMG) if isinstance(augmentation, AdaptiveAugmentation) else augmentation
