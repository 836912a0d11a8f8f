"""Reads the networks of PyTorch-StudioGAN's checkpoints: ``model=G-...pth``, ``model=G_ema-...pth`` and ``model=D-...pth``.

Covers the backbones deep_conv, resnet, big_resnet and both big_resnet_deep of upstream, the first three also with a discrete
InfoGAN code that enters their conditional norms (several codes are taken for one); StyleGAN2 and StyleGAN3 are refused.
Such a file says nothing about the network it belongs to: everything is inferred from the names and shapes of the weights
(see :mod:`~ganeval.importers.studiogan_networks` and :mod:`~ganeval.importers.studiogan_heads` for what cannot be told apart).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from ganeval.checkpoints import is_folder
from ganeval.conditioning.base import Conditioning, Discriminator
from ganeval.errors import UserError, listing
from ganeval.importers.pickles import is_plain, read_pickle
from ganeval.importers.studiogan_heads import head_of
from ganeval.importers.studiogan_keys import State, check_names, check_ranks, translate
from ganeval.importers.studiogan_networks import Candidate, Evidence, body_family, generator_family
from ganeval.losses.regularizers.mutual_information import MutualInformation
from ganeval.networks.base import Backbone, Generator, ImageShape
from ganeval.networks.big_resnet import BigGAN
from ganeval.networks.resnet import ResNet
from ganeval.networks.spectral_norm import fold, refresh

M = TypeVar("M", bound=nn.Module)

_STYLEGAN = re.compile(r"synthesis\.|b\d+\.fromrgb\.")


@dataclass(frozen=True)
class GeneratorWeights:
    """A generator in evaluation mode, and what was inferred of it.

    ``backbone``: its discriminator's fields are defaults. ``num_classes``: 1 where the generator reads no labels.
    """

    backbone: Backbone
    shape: ImageShape
    num_classes: int
    generator: Generator


@dataclass(frozen=True)
class DiscriminatorWeights:
    """A discriminator in evaluation mode, and what was inferred of it.

    ``backbone``: its generator's fields are defaults. ``conditioning``: with default hyper-parameters. ``num_classes``: 1
    where the discriminator reads no labels. ``discriminator.code_head`` is there where InfoGAN's is.
    """

    backbone: Backbone
    conditioning: Conditioning
    shape: ImageShape
    num_classes: int
    discriminator: Discriminator


StudioGANWeights = GeneratorWeights | DiscriminatorWeights


@dataclass(frozen=True)
class Hints:
    """What a user knows about a generator: its number of classes (1 where it reads no labels), and the length of its latents."""

    label_count: int | None = None
    z_dim: int | None = None

    def check(self, candidates: Iterable[Candidate]) -> list[Candidate]:
        """The candidates that are as the user says; raises ``UserError`` where none is."""
        given = list(candidates)
        kept = [
            candidate
            for candidate in given
            if self.label_count in (None, candidate.num_classes) and self.z_dim in (None, candidate.backbone.z_dim)
        ]
        if given and not kept:
            said = [
                f"{option} {value}"
                for option, value in (("--label-count", self.label_count), ("--z-dim", self.z_dim))
                if value is not None
            ]
            found = sorted({f"{candidate.num_classes} and {candidate.backbone.z_dim}" for candidate in given})
            raise UserError(f"contradicts {' '.join(said)}: its label count and z_dim are {' or '.join(found)}")
        return kept


def read_studiogan(
    path: str | Path, num_classes: int | None = None, power_iterations: int = 1, hints: Hints | None = None
) -> StudioGANWeights:
    """The network in a checkpoint file of PyTorch-StudioGAN, on the CPU.

    Every layer under spectral normalisation gets ``power_iterations`` from its stored vectors. One is what upstream's
    evaluation does in its first forward pass, and without any the averaged vectors of ``G_ema``, shorter than 1, give a
    wrong sigma. ``num_classes`` is needed for multi-hinge, mirror and ADC discriminators only. ``hints`` decide where a
    generator's file fits two networks; those that contradict the file are a ``UserError``.

    Raises ``UserError`` for a file that cannot be read safely, and for a network that is none of those above.
    """
    path = Path(path)
    state = _state_dict(path)
    try:
        evidence = Evidence.of(state)
        if "linear0" in evidence.shapes:
            return _generator(state, evidence, power_iterations, hints or Hints())
        if "linear1" in evidence.shapes:
            return _discriminator(state, evidence, num_classes, power_iterations)
        raise UserError(f"has weights that ganeval does not know: {listing(state)}")
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def load_discriminator(path: str | Path, num_classes: int | None = None) -> Discriminator:
    """The discriminator in a ``.pth`` file of PyTorch-StudioGAN, in evaluation mode, spectral norms folded.

    Called as ``d(images, y)`` with images (N, C, R, R) in [-1, 1] and labels int64 (N,), it gives a
    :class:`~ganeval.conditioning.base.Verdict`. Raises ``UserError`` for a generator's file and for what
    :func:`read_studiogan` refuses.
    """
    if Path(path).is_dir():
        raise UserError(f"{path} is a folder: give a file model=D... of PyTorch-StudioGAN")
    found = read_studiogan(path, num_classes)
    if isinstance(found, GeneratorWeights):
        raise UserError(f"{path} holds a generator: give the file model=D... of the same run")
    return fold(found.discriminator.requires_grad_(False), iterations=0)


def joint_backbone(generator: GeneratorWeights, discriminator: DiscriminatorWeights) -> Backbone:
    """The backbone of a generator and a discriminator that were trained together; ``UserError`` if they cannot have been."""
    ours, theirs = generator.backbone, discriminator.backbone
    same_kind = ours.kind == theirs.kind or (isinstance(ours, BigGAN) and isinstance(theirs, ResNet))
    if not same_kind or generator.shape != discriminator.shape:
        raise UserError(
            f"a {ours.kind} generator of {_size(generator.shape)} and a {theirs.kind} discriminator of "
            f"{_size(discriminator.shape)} are not of one run: give the two files of the same run"
        )
    judged: dict[str, Any] = {name: value for name, value in vars(theirs).items() if name.startswith("d_")}
    return replace(ours, **judged)  # type: ignore[type-var]


def _size(shape: ImageShape) -> str:
    return f"{shape.channels} x {shape.resolution} x {shape.resolution} images"


def _state_dict(path: Path) -> State:
    if path.suffix == ".safetensors" and is_folder(path.parent):
        raise UserError(f"{path} is a part of the checkpoint {path.parent}: give that")
    content = read_pickle(path)
    state = content.get("state_dict", content) if isinstance(content, Mapping) else None
    if not isinstance(state, Mapping) or not state or not all(_is_named(*item) for item in state.items()):
        raise UserError(f"{path} holds no state dict: give a file model=G..., model=G_ema... or model=D... of PyTorch-StudioGAN")
    strange = [key for key, tensor in state.items() if not is_plain(tensor)]
    if strange:
        raise UserError(f"{path} has weights that are sparse, quantised, complex, or without numbers: {listing(strange)}")
    lost = [key for key, tensor in state.items() if not bool(tensor.isfinite().all())]
    if lost:
        raise UserError(f"{path} has weights that are not finite, of a training that diverged: {listing(lost)}")
    if any(_STYLEGAN.match(key) for key in state):
        raise UserError(
            f"{path} holds a StyleGAN network: of PyTorch-StudioGAN's backbones ganeval has deep_conv, resnet, big_resnet "
            "and big_resnet_deep only"
        )
    return state


def _is_named(name: object, tensor: object) -> bool:
    return isinstance(name, str) and isinstance(tensor, Tensor)


def _generator(state: State, evidence: Evidence, power_iterations: int, hints: Hints) -> GeneratorWeights:
    family = generator_family(evidence.shapes)
    check_names(state, family.names)
    check_ranks(evidence.shapes)

    def build(candidate: Candidate) -> Generator:
        return candidate.backbone.generator(candidate.shape, candidate.num_classes)

    found, generator = _first_that_fits(state, hints.check(family.candidates(evidence)), build)
    refresh(generator, power_iterations)
    return GeneratorWeights(found.backbone, found.shape, found.num_classes, generator)


def _discriminator(state: State, evidence: Evidence, num_classes: int | None, power_iterations: int) -> DiscriminatorWeights:
    family = body_family(evidence.shapes)
    check_ranks(evidence.shapes)
    head = head_of(evidence.shapes, num_classes)
    check_names(state, family.names.with_top(head.names))

    def build(candidate: Candidate) -> Discriminator:
        body = candidate.backbone.discriminator(candidate.shape)
        whole = Discriminator(body, head.conditioning.head(body.features, head.num_classes, candidate.backbone.d_layers))
        if "info_discrete_linear" in evidence.shapes:
            MutualInformation(classes=evidence.shapes["info_discrete_linear"][0]).prepare(whole)
        return whole

    candidates = (replace(candidate, names=candidate.names.with_top(head.names)) for candidate in family.candidates(evidence))
    found, discriminator = _first_that_fits(state, candidates, build)
    refresh(discriminator, power_iterations)
    return DiscriminatorWeights(found.backbone, head.conditioning, found.shape, head.num_classes, discriminator)


def _first_that_fits(state: State, candidates: Iterable[Candidate], build: Callable[[Candidate], M]) -> tuple[Candidate, M]:
    """The first network whose weights have exactly the names and shapes of ``state``, loaded, in evaluation mode."""
    strange: list[str] = []
    for candidate in candidates:
        translated = translate(state, candidate.names)
        with torch.device("meta"):
            network = build(candidate)
        expected = {name: tensor.shape for name, tensor in network.state_dict().items()}
        given = {name: tensor.shape for name, tensor in translated.items()}
        if expected == given:
            network.to_empty(device="cpu").load_state_dict(translated)
            return candidate, network.eval()
        strange = [name for name in {**expected, **given} if expected.get(name) != given.get(name)]
    raise UserError(f"has weights of unexpected shapes, or not all of them (in ganeval's names: {listing(strange)})")
