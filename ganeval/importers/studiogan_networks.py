"""Which network a PyTorch-StudioGAN state dict belongs to, from the names and shapes in it alone.

Two pairs cannot be told apart. The discriminators of ``resnet`` and ``biggan`` are the same network; the answer is
``resnet``. An unconditional BigGAN generator and a conditional ResNet one whose z_dim equals its number of classes have
the same names and shapes; the answer is BigGAN unless the user says otherwise. (Upstream's ResNets have z_dim 128, and none of
its data sets 128 classes.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ganeval.errors import UserError
from ganeval.importers import studiogan_keys as keys
from ganeval.importers.studiogan_keys import BlockOrder, Names, Shapes, State
from ganeval.networks.base import Backbone, ImageShape
from ganeval.networks.big_resnet import BigGAN
from ganeval.networks.biggan_deep import LEGACY_D_WIDTHS, STUDIOGAN_D_WIDTHS, BigGANDeep, BigGANDeepStudioGAN
from ganeval.networks.dcgan import DCGAN
from ganeval.networks.dcgan import WIDTHS as DCGAN_WIDTHS
from ganeval.networks.plans import BOTTOM, D_WIDTHS, G_WIDTHS
from ganeval.networks.resnet import ResNet

Plans = Mapping[int, tuple[int, ...]]


@dataclass(frozen=True)
class Evidence:
    """What a state dict shows: the shapes of its weights, its order of blocks, and whether it has spectral normalisation."""

    shapes: Shapes
    order: BlockOrder
    spectral_norm: bool

    @staticmethod
    def of(state: State) -> Evidence:
        normalised = any(key.endswith(".weight_orig") for key in state)
        return Evidence(keys.weight_shapes(state), keys.block_order(state), normalised)

    @property
    def blocks(self) -> int:
        return len(self.order.blocks)

    @property
    def code(self) -> tuple[int, int]:
        """To how many numbers InfoGAN's code is projected, and how many values it has; zeros where there is none."""
        width, code_dim = self.shapes.get("info_proj_linear", (0, 0))
        return width, code_dim

    @property
    def label_input(self) -> int:
        """How many numbers beside the code the first block's conditional norm reads; 0 where it is a plain one."""
        gains = [shape for name, shape in self.shapes.items() if name.endswith(".gain")]
        return gains[0][1] - self.code[0] if gains else 0

    def g_fields(self, depth: int = 1) -> dict[str, Any]:
        """The generator's fields that every backbone has; attention counted in stages of ``depth`` blocks."""
        return {"g_attention": self._attention(depth), "g_spectral_norm": self.spectral_norm}

    def d_fields(self, depth: int = 1) -> dict[str, Any]:
        """The discriminator's fields that every backbone has."""
        return {"d_attention": self._attention(depth), "d_spectral_norm": self.spectral_norm}

    def _attention(self, depth: int) -> tuple[int, ...]:
        return tuple(number // depth for number in self.order.attention.values())


@dataclass(frozen=True)
class Candidate:
    """A network that may be the one. ``num_classes``: those its labels have; 1 where it reads none."""

    backbone: Backbone
    shape: ImageShape
    names: Names
    num_classes: int = 1


@dataclass(frozen=True)
class Family:
    """Networks with the same names for their weights, and how to read their settings from shapes."""

    names: Names
    candidates: Callable[[Evidence], Iterator[Candidate]]


def generator_family(shapes: Shapes) -> Family:
    """The family of a generator's weights, by a name only it has."""
    if "blocks.0.0.deconv0" in shapes:
        return Family(keys.DCGAN_GENERATOR, dcgan_generators)
    if "blocks.0.0.conv2d3" in shapes:
        return Family(keys.DEEP_GENERATOR, deep_generators)
    return Family(keys.RESIDUAL_GENERATOR, residual_generators)


def body_family(shapes: Shapes) -> Family:
    """The family of a discriminator's weights, by a name only it has."""
    if "blocks.0.0.conv0" in shapes:
        return Family(keys.DCGAN_DISCRIMINATOR, dcgan_bodies)
    if "input_conv" in shapes:
        return Family(keys.DEEP_DISCRIMINATOR, deep_bodies)
    return Family(keys.RESIDUAL_DISCRIMINATOR, residual_bodies)


def dcgan_generators(evidence: Evidence) -> Iterator[Candidate]:
    shapes, read = evidence.shapes, evidence.label_input
    resolution, widths = _plan(DCGAN_WIDTHS, evidence.blocks + 1, evidence.blocks)
    outputs, z_dim = shapes["linear0"]
    channels = _whole(outputs, BOTTOM**2 * widths[-1])
    fields = {"code_dim": evidence.code[1], **evidence.g_fields()}
    backbone = DCGAN(z_dim=z_dim, g_channels=channels, class_conditional=read > 0, **fields)
    yield Candidate(backbone, ImageShape(shapes["conv4"][0], resolution), keys.DCGAN_GENERATOR, read or 1)


def residual_generators(evidence: Evidence) -> Iterator[Candidate]:
    shapes, read = evidence.shapes, evidence.label_input
    resolution, widths = _plan(G_WIDTHS, evidence.blocks + 1, evidence.blocks)
    outputs, inputs = shapes["linear0"]
    code_width, code_dim = evidence.code
    fields: dict[str, Any] = {"g_channels": _whole(outputs, BOTTOM**2 * widths[0]), "code_dim": code_dim, **evidence.g_fields()}
    shape, names = ImageShape(shapes["conv2d5"][0], resolution), keys.RESIDUAL_GENERATOR
    if "shared" in shapes:
        num_classes, shared_dim = shapes["shared"]
        yield Candidate(BigGAN(z_dim=inputs * len(widths), shared_dim=shared_dim, **fields), shape, names, num_classes)
        return
    if read == inputs:
        shared: dict[str, Any] = {"shared_dim": code_width} if code_dim else {}
        yield Candidate(BigGAN(z_dim=inputs * len(widths), class_conditional=False, **shared, **fields), shape, names)
    yield Candidate(ResNet(z_dim=inputs, class_conditional=read > 0, **fields), shape, names, read or 1)


def deep_generators(evidence: Evidence) -> Iterator[Candidate]:
    shapes = evidence.shapes
    variant = BigGANDeepStudioGAN if "blocks.0.0.conv2d0" in shapes else BigGANDeep
    outputs, inputs = shapes["linear0"]
    num_classes, shared_dim = shapes.get("shared", (1, 0))
    label: dict[str, Any] = {"shared_dim": shared_dim} if shared_dim else {"class_conditional": False}
    for resolution, depth, channels in _deep_plans(G_WIDTHS, evidence.blocks, outputs // BOTTOM**2):
        backbone = variant(z_dim=inputs - shared_dim, g_depth=depth, g_channels=channels, **label, **evidence.g_fields(depth))
        shape = ImageShape(shapes["conv2d5"][0], resolution)
        yield Candidate(backbone, shape, keys.DEEP_GENERATOR.with_depth(depth), num_classes)


def dcgan_bodies(evidence: Evidence) -> Iterator[Candidate]:
    shapes = evidence.shapes
    resolution, widths = _plan(DCGAN_WIDTHS, evidence.blocks + 1, evidence.blocks)
    backbone = DCGAN(d_channels=_whole(shapes["linear1"][1], widths[-1]), **evidence.d_fields())
    yield Candidate(backbone, ImageShape(shapes["blocks.0.0.conv0"][1], resolution), keys.DCGAN_DISCRIMINATOR)


def residual_bodies(evidence: Evidence) -> Iterator[Candidate]:
    shapes = evidence.shapes
    resolution, widths = _plan(D_WIDTHS, evidence.blocks, evidence.blocks)
    backbone = ResNet(d_channels=_whole(shapes["linear1"][1], widths[-1]), **evidence.d_fields())
    yield Candidate(backbone, ImageShape(shapes["blocks.0.0.conv2d1"][1], resolution), keys.RESIDUAL_DISCRIMINATOR)


def deep_bodies(evidence: Evidence) -> Iterator[Candidate]:
    first, image_channels = evidence.shapes["input_conv"][:2]
    for variant, plans in ((BigGANDeep, LEGACY_D_WIDTHS), (BigGANDeepStudioGAN, STUDIOGAN_D_WIDTHS)):
        for resolution, depth, channels in _deep_plans(plans, evidence.blocks, first):
            backbone: Backbone = variant(d_depth=depth, d_channels=channels, **evidence.d_fields(depth))
            shape = ImageShape(image_channels, resolution)
            yield Candidate(backbone, shape, keys.DEEP_DISCRIMINATOR.with_depth(depth))


def _plan(plans: Plans, length: int, blocks: int) -> tuple[int, tuple[int, ...]]:
    """The resolution and widths of the plan with ``length`` widths."""
    for resolution, widths in plans.items():
        if len(widths) == length:
            return resolution, widths
    raise UserError(f"has {blocks} blocks, as no network of PyTorch-StudioGAN has")


def _whole(width: int, multiple: int) -> int:
    """``width / multiple``, the base width of a plan."""
    if width % multiple:
        raise UserError(f"has {width} outputs where PyTorch-StudioGAN's channel plans have a multiple of {multiple}")
    return width // multiple


def _deep_plans(plans: Plans, blocks: int, first_width: int) -> Iterator[tuple[int, int, int]]:
    """(resolution, depth, base width) of the plans that allow so many blocks and so wide a start; upstream has no 16 px."""
    for resolution, widths in plans.items():
        depth, left = divmod(blocks, len(widths) - 1)
        if resolution > 16 and depth and not left and first_width % widths[0] == 0:
            yield resolution, depth, first_width // widths[0]
