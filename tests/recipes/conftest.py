"""Recipes in the vocabulary of the reference settings (PyTorch-StudioGAN's configurations, every default resolved)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ganeval.augment.ada import ADA
from ganeval.augment.apa import APA
from ganeval.augment.diffaug import DiffAugment
from ganeval.conditioning.acgan import ACGAN
from ganeval.conditioning.adc import ADC
from ganeval.conditioning.base import Conditioning
from ganeval.conditioning.contrastive import Contrastive
from ganeval.conditioning.d2dce import D2DCE
from ganeval.conditioning.label_scheme import LabelScheme
from ganeval.conditioning.mirror import Mirror
from ganeval.conditioning.multi_hinge import MultiHinge
from ganeval.conditioning.none import Unconditional
from ganeval.conditioning.projection import Projection
from ganeval.conditioning.proxies import ProxyScheme
from ganeval.conditioning.tac import TAC
from ganeval.losses.adversarial.hinge import Hinge
from ganeval.losses.adversarial.least_squares import LeastSquares
from ganeval.losses.adversarial.logistic import Logistic
from ganeval.losses.adversarial.nonsaturating import NonSaturating
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
from ganeval.networks.base import Backbone
from ganeval.networks.big_resnet import BigGAN
from ganeval.networks.biggan_deep import BigGANDeep, BigGANDeepStudioGAN, DeepBackbone
from ganeval.networks.dcgan import DCGAN
from ganeval.networks.resnet import ResNet
from ganeval.recipes.recipe import Recipe

UNUSED = "N/A"
"""How the reference writes that a setting is not used."""

DATASETS = {
    # ours: the reference's name, number of classes
    "cifar10": ("CIFAR10", 10),
    "cifar100": ("CIFAR100", 100),
    "tiny-imagenet": ("Tiny_ImageNet", 200),
    "baby-imagenet": ("Baby_ImageNet", 100),
    "papa-imagenet": ("Papa_ImageNet", 100),
    "grandpa-imagenet": ("Grandpa_ImageNet", 100),
    "cub200": ("CUB200", 200),
    "imagenet": ("ImageNet", 1000),
    "afhqv2": ("AFHQv2", 3),
}
ADVERSARIAL: dict[type, str] = {
    Hinge: "hinge", Logistic: "logistic", NonSaturating: "vanilla", LeastSquares: "least_square", Wasserstein: "wasserstein",
    type(None): "MH",
}  # fmt: skip
CONDITIONING: dict[type, str] = {
    Unconditional: "W/O", Projection: "PD", ACGAN: "AC", Contrastive: "2C", D2DCE: "D2DCE", Mirror: "MD", MultiHinge: "MH",
}  # fmt: skip
BACKBONES: dict[type, str] = {
    DCGAN: "deep_conv", ResNet: "resnet", BigGAN: "big_resnet", BigGANDeep: "big_resnet_deep_legacy",
    BigGANDeepStudioGAN: "big_resnet_deep_studiogan",
}  # fmt: skip
REGULARIZERS: dict[str, tuple[type, dict[str, str]]] = {
    # switch: the part, and its fields by setting
    "gp": (GradientPenalty, {"gp_lambda": "weight"}),
    "dra": (Dragan, {"dra_lambda": "weight"}),
    "maxgp": (MaxGradientPenalty, {"maxgp_lambda": "weight"}),
    "wc": (WeightClipping, {"wc_bound": "bound"}),
    "r1_reg": (R1, {"r1_lambda": "weight"}),
    "cr": (Consistency, {"cr_lambda": "weight"}),
    "bcr": (BalancedConsistency, {"real_lambda": "real_weight", "fake_lambda": "fake_weight"}),
    "zcr": (LatentConsistency, {"radius": "radius", "d_lambda": "d_weight", "g_lambda": "g_weight"}),
    "fm": (FeatureMatching, {"fm_lambda": "weight"}),
    "lo": (
        LatentOptimization,
        {"lo_steps4train": "steps", "lo_alpha": "alpha", "lo_beta": "beta", "lo_rate": "rate", "lo_lambda": "weight"},
    ),
    "lecam": (LeCam, {"lecam_lambda": "weight", "lecam_ema_decay": "decay", "lecam_ema_start_iter": "start"}),
    "topk": (TopK, {"topk_gamma": "gamma", "topk_nu": "nu"}),
}
ADAPTIVE = {"initial_augment_p": "initial_p", "target": "target", "kimg": "kimg", "interval": "interval"}

FIXED: dict[str, Any] = {
    "data.img_channels": 3,
    "model.d_act_fn": "ReLU", "model.g_act_fn": "ReLU", "model.d_init": "ortho", "model.g_init": "ortho",
    "model.w_dim": UNUSED, "model.info_num_conti_c": UNUSED, "loss.infoGAN_loss_conti_lambda": UNUSED,
    "loss.lo_steps4eval": UNUSED, "loss.r1_place": UNUSED,
    "optimization.type_": "Adam", "optimization.alpha": UNUSED, "optimization.momentum": UNUSED, "optimization.nesterov": UNUSED,
    "optimization.d_first": True, "optimization.g_updates_per_step": 1,
}  # fmt: skip
"""What no field of a recipe says, because there is only one way here."""


@pytest.fixture(scope="session")
def as_settings() -> Callable[[Recipe], dict[str, Any]]:
    """Renders a recipe as every setting under ``data``, ``model``, ``loss``, ``optimization`` and ``aug``."""

    def render(recipe: Recipe) -> dict[str, Any]:
        sections = {"data": data, "model": model, "loss": loss, "optimization": optimization, "aug": augmentation}
        decided = {f"{name}.{key}": value for name, section in sections.items() for key, value in section(recipe).items()}
        assert not decided.keys() & FIXED.keys()
        return decided | FIXED

    return render


def data(recipe: Recipe) -> dict[str, Any]:
    name, classes = DATASETS[recipe.data.dataset]
    return {"name": name, "img_size": recipe.data.resolution, "num_classes": classes}


def model(recipe: Recipe) -> dict[str, Any]:
    backbone, ema = recipe.backbone, recipe.ema
    assert isinstance(backbone, ResNet | BigGAN | DCGAN | DeepBackbone)
    scheme, auxiliary = scheme_of(recipe.conditioning)
    assert bool(backbone.g_attention) == bool(backbone.d_attention), "the reference has one switch for both networks"
    return {
        "backbone": BACKBONES[type(backbone)],
        "g_cond_mtd": "cBN" if backbone.class_conditional else "W/O",
        "d_cond_mtd": CONDITIONING[type(scheme)],
        "aux_cls_type": auxiliary,
        "normalize_d_embed": isinstance(scheme, ProxyScheme) or (isinstance(scheme, ACGAN) and scheme.normalize),
        "d_embed_dim": scheme.embed_dim if isinstance(scheme, ProxyScheme) else UNUSED,
        "apply_g_sn": backbone.g_spectral_norm,
        "apply_d_sn": backbone.d_spectral_norm,
        "apply_attn": bool(backbone.g_attention),
        "attn_g_loc": list(backbone.g_attention) or [UNUSED],
        "attn_d_loc": list(backbone.d_attention) or [UNUSED],
        "z_prior": recipe.prior,
        "z_dim": backbone.z_dim,
        "g_shared_dim": UNUSED if isinstance(backbone, ResNet | DCGAN) else backbone.shared_dim,
        "g_conv_dim": backbone.g_channels,
        "d_conv_dim": backbone.d_channels,
        "g_depth": backbone.g_depth if isinstance(backbone, DeepBackbone) else UNUSED,
        "d_depth": backbone.d_depth if isinstance(backbone, DeepBackbone) else UNUSED,
        **code(backbone),
        "apply_g_ema": ema is not None,
        "g_ema_decay": ema.decay if ema else UNUSED,
        "g_ema_start": ema.start if ema else UNUSED,
    }


def code(backbone: Backbone) -> dict[str, Any]:
    """InfoGAN's discrete code, which enters every conditional norm of the generator."""
    width = getattr(backbone, "code_dim", 0)
    settings = {"g_info_injection": "cBN", "info_type": "discrete", "info_dim_discrete_c": width, "info_num_discrete_c": 1}
    return settings if width else dict.fromkeys(settings, UNUSED)


def scheme_of(conditioning: Conditioning) -> tuple[Conditioning, str]:
    """The scheme under an auxiliary one, and the auxiliary one's name."""
    if isinstance(conditioning, TAC):
        return conditioning.base, "TAC"
    if isinstance(conditioning, ADC):
        return conditioning.base, "ADC"
    return conditioning, "W/O"


def loss(recipe: Recipe) -> dict[str, Any]:
    conditioning = recipe.conditioning
    scheme, _ = scheme_of(conditioning)
    settings = {
        "adv_loss": ADVERSARIAL[type(recipe.adversarial)],
        "cond_lambda": scheme.weight if isinstance(scheme, LabelScheme) else UNUSED,
        "temperature": scheme.temperature if isinstance(scheme, Contrastive | D2DCE) else UNUSED,
        "m_p": scheme.margin if isinstance(scheme, D2DCE) else UNUSED,
        "tac_dis_lambda": conditioning.d_weight if isinstance(conditioning, TAC) else UNUSED,
        "tac_gen_lambda": conditioning.g_weight if isinstance(conditioning, TAC) else UNUSED,
        "mh_lambda": conditioning.g_weight if isinstance(conditioning, MultiHinge) else UNUSED,
    }
    parts = {type(part): part for part in recipe.regularizers}
    assert len(parts) == len(recipe.regularizers)
    information = parts.pop(MutualInformation, None)
    settings["infoGAN_loss_discrete_lambda"] = information.weight if isinstance(information, MutualInformation) else UNUSED
    for switch, (kind, fields) in REGULARIZERS.items():
        part = parts.pop(kind, None)
        settings[f"apply_{switch}"] = part is not None
        settings |= {setting: getattr(part, field) if part else UNUSED for setting, field in fields.items()}
    assert not parts, "a regulariser the reference has no words for"
    return settings


def optimization(recipe: Recipe) -> dict[str, Any]:
    rule, plan = recipe.optimizer, recipe.schedule
    return {
        "g_lr": rule.g_lr,
        "d_lr": rule.d_lr,
        "beta1": rule.beta1,
        "beta2": rule.beta2,
        "g_weight_decay": rule.g_weight_decay,
        "d_weight_decay": rule.d_weight_decay,
        "batch_size": plan.batch_size,
        "acml_steps": plan.accumulation,
        "d_updates_per_step": plan.d_steps,
        "total_steps": plan.steps,
    }


def augmentation(recipe: Recipe) -> dict[str, Any]:
    part, kinds = recipe.augmentation, {type(regularizer) for regularizer in recipe.regularizers}
    settings: dict[str, Any] = {
        "apply_diffaug": isinstance(part, DiffAugment),
        "apply_ada": isinstance(part, ADA),
        "apply_apa": isinstance(part, APA),
        "diffaug_type": "diffaug" if isinstance(part, DiffAugment) else "W/O",
        "cr_aug_type": "cr" if Consistency in kinds else "W/O",
        "bcr_aug_type": "bcr" if BalancedConsistency in kinds else "W/O",
        "ada_aug_type": part.pipe if isinstance(part, ADA) else "W/O",
    }
    for name, kind in (("ada", ADA), ("apa", APA)):
        values = {key: getattr(part, field) if isinstance(part, kind) else UNUSED for key, field in ADAPTIVE.items()}
        settings |= {f"{name}_{key}": value for key, value in values.items()}
    return settings
