"""PyTorch-StudioGAN's names for weights, and ours.

Upstream lists residual blocks and self-attention in one sequence, ``blocks.{i}.0``; an attention is known by its
``sigma`` and has an index of its own. Spectrally normalised layers, of the legacy hook, have ``weight_orig``,
``weight_u`` and ``weight_v``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from torch import Tensor

from ganeval.errors import UserError, listing

State = Mapping[str, Tensor]

_BLOCK = re.compile(r"blocks\.(\d+)\.0\.(.+)")
_RANKS = ((re.compile(r"(input_)?(de)?conv\w*"), 4), (re.compile(r"linear\w*|shared|embedding\w*|gain|info_\w+"), 2))
"""Sides of a weight's shape by the last part of its module's name, for those from whose shapes settings are inferred."""

_LEAVES = {"weight_orig": "weight", "weight_u": "u", "weight_v": "v"}
_ATTENTION = {
    "sigma": "sigma",
    "conv1x1_theta": "theta",
    "conv1x1_phi": "phi",
    "conv1x1_g": "g",
    "conv1x1_attn": "attn",
}
_RESIDUAL_BLOCK = {"conv2d0": "shortcut", "conv2d1": "conv1", "conv2d2": "conv2"}
_DEEP_BLOCK = {**_RESIDUAL_BLOCK, "conv2d3": "conv3", "conv2d4": "conv4"}
_NORMS = {f"bn{number}": f"norm{number}" for number in range(5)}


@dataclass(frozen=True)
class Names:
    """How one family of networks translates: modules outside the blocks and inside them, upstream's name to ours.

    ``depth``: blocks of a stage, where the network has stages. ``prefix``: of our blocks and attentions.
    """

    top: Mapping[str, str]
    block: Mapping[str, str]
    depth: int | None = None
    prefix: str = ""
    generator: bool = field(kw_only=True)

    def with_top(self, top: Mapping[str, str]) -> Names:
        return replace(self, top={**self.top, **top})

    def with_depth(self, depth: int) -> Names:
        return replace(self, depth=depth)

    def block_prefix(self, number: int) -> str:
        """Our prefix of block ``number`` (from 1)."""
        if self.depth is None:
            return f"{self.prefix}blocks.{number - 1}."
        return f"{self.prefix}stages.{(number - 1) // self.depth}.{(number - 1) % self.depth}."

    def attention_prefix(self, number: int) -> str:
        """Our prefix of the attention that follows block ``number``."""
        return f"{self.prefix}attention.{(number - 1) // (self.depth or 1)}."


_RESIDUAL_TOP = {"linear0": "linear", "shared": "shared", "bn4": "norm", "conv2d5": "to_image"}
_CODE = {"info_proj_linear": "code"}

RESIDUAL_GENERATOR = Names(top={**_RESIDUAL_TOP, **_CODE}, block={**_RESIDUAL_BLOCK, **_NORMS}, generator=True)
DEEP_GENERATOR = Names(top=_RESIDUAL_TOP, block={**_DEEP_BLOCK, **_NORMS}, generator=True)
DCGAN_GENERATOR = Names(
    top={"linear0": "linear", "conv4": "to_image", **_CODE}, block={"deconv0": "conv", "bn0": "norm"}, generator=True
)
RESIDUAL_DISCRIMINATOR = Names(top={}, block={**_RESIDUAL_BLOCK, **_NORMS}, prefix="body.", generator=False)
DEEP_DISCRIMINATOR = Names(top={"input_conv": "body.from_image"}, block=_DEEP_BLOCK, prefix="body.", generator=False)
DCGAN_DISCRIMINATOR = Names(
    top={"conv1": "body.conv", "bn1": "body.norm"},
    block={"conv0": "conv0", "conv1": "conv1", "bn0": "norm0", "bn1": "norm1"},
    prefix="body.",
    generator=False,
)


class Shapes(dict[str, tuple[int, ...]]):
    """Shapes of weights by upstream's module name; a missing one raises ``UserError``."""

    def __missing__(self, name: str) -> tuple[int, ...]:
        raise UserError(f"has no weight '{name}', which networks of PyTorch-StudioGAN with these names have")


def weight_shapes(state: State) -> Shapes:
    """The shapes of all weights in ``state``, spectrally normalised or not."""
    found = Shapes()
    for key, tensor in state.items():
        module, _, leaf = key.rpartition(".")
        if leaf in ("weight", "weight_orig"):
            found[module] = tuple(tensor.shape)
    return found


def check_ranks(shapes: Shapes) -> None:
    """Raise ``UserError`` with up to five weights that are no convolution or no matrix where their names say so, or empty."""
    strange = [f"{module} {shape}" for module, shape in shapes.items() if len(shape) != _rank(module, shape) or 0 in shape]
    if strange:
        raise UserError(f"has weights of unexpected shapes: {listing(strange)}")


def _rank(module: str, shape: tuple[int, ...]) -> int:
    """How many sides the weight of ``module`` has upstream; its own number where nothing is inferred from it."""
    leaf = module.rpartition(".")[2]
    return next((rank for name, rank in _RANKS if name.fullmatch(leaf)), len(shape))


@dataclass(frozen=True)
class BlockOrder:
    """Upstream's ``blocks``: the index of each block, and the index of each attention with the number of blocks before it."""

    blocks: tuple[int, ...]
    attention: Mapping[int, int]


def block_order(keys: Iterable[str]) -> BlockOrder:
    """Which of upstream's ``blocks`` are residual blocks and which are attentions."""
    matches = [match for key in keys if (match := _BLOCK.fullmatch(key))]
    attentions = {int(match[1]) for match in matches if match[2] == "sigma"}
    blocks = sorted({int(match[1]) for match in matches} - attentions)
    return BlockOrder(tuple(blocks), {index: sum(block < index for block in blocks) for index in sorted(attentions)})


def check_names(state: State, names: Names) -> None:
    """Raise ``UserError`` with up to five keys of ``state`` that have no translation."""
    order = block_order(state)
    strange = [key for key in state if _module_of(key) not in _table_of(key, names, order)]
    if strange:
        raise UserError(f"has weights that ganeval does not know: {listing(strange)}")


def translate(state: State, names: Names) -> dict[str, Tensor]:
    """``state``, whose names were checked, under our names."""
    order = block_order(state)
    numbers = {index: number for number, index in enumerate(order.blocks, 1)}
    translated: dict[str, Tensor] = {}
    for key, tensor in state.items():
        match, prefix = _BLOCK.fullmatch(key), ""
        if match and (index := int(match[1])) in order.attention:
            prefix = names.attention_prefix(order.attention[index])
        elif match:
            prefix = names.block_prefix(numbers[index])
        module, *leaves = (match[2] if match else key).split(".")
        if names.generator and match and module.startswith("bn") and len(leaves) == 1:
            leaves.insert(0, "bn")  # an unconditional norm, which ours wraps
        renamed = [_table_of(key, names, order)[module], *(_LEAVES.get(leaf, leaf) for leaf in leaves)]
        translated[prefix + ".".join(renamed)] = tensor
    return translated


def _module_of(key: str) -> str:
    match = _BLOCK.fullmatch(key)
    return (match[2] if match else key).partition(".")[0]


def _table_of(key: str, names: Names, order: BlockOrder) -> Mapping[str, str]:
    match = _BLOCK.fullmatch(key)
    if match is None:
        return names.top
    return _ATTENTION if int(match[1]) in order.attention else names.block
