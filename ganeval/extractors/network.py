"""An extractor made of parts: a resizer, a scaling and a network. Most extractors are a table of these and nothing else."""

from __future__ import annotations

import copy
import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ganeval.errors import UserError
from ganeval.extractors.base import Extracted, Extractor, Precision
from ganeval.extractors.classifier import with_channels
from ganeval.extractors.resize import Resizer
from ganeval.precision import exact

GPU_BLOCK = 64
"""Images per forward pass on anything but a CPU."""

HALF = "bf16, images and biases in fp32, diffused weights"
"""What half precision means here, for the features kept in the cache."""

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Scaling:
    """From grey levels 0 to 255 to a network's values: (x - ``offset``) / ``scale`` per channel. ``words`` name it."""

    words: str
    offset: Triple
    scale: Triple

    def __call__(self, x: Tensor) -> Tensor:
        """float32 (N, 3, H, W) to the same shape, in place."""
        offset, scale = (torch.tensor(values, device=x.device).view(1, 3, 1, 1) for values in (self.offset, self.scale))
        return x.sub_(offset).div_(scale)


TF1 = Scaling("(x - 128) / 128", (128.0,) * 3, (128.0,) * 3)
UNIT = Scaling("(x - 127.5) / 127.5", (127.5,) * 3, (127.5,) * 3)
IMAGENET = Scaling(
    "(x / 255 - mean) / std, mean 0.485 0.456 0.406, std 0.229 0.224 0.225",
    (255 * 0.485, 255 * 0.456, 255 * 0.406),
    (255 * 0.229, 255 * 0.224, 255 * 0.225),
)


@dataclass(frozen=True)
class Input:
    """What a network is given: images of ``size`` x ``size`` pixels, three channels, resized and then scaled in float32."""

    size: int
    resizer: Resizer
    scaling: Scaling


@dataclass(frozen=True)
class Known:
    """What is known about a network. ``head`` says in words which logits it gives; ``record`` goes into every score card."""

    name: str
    weights_sha256: str
    feature_dim: int
    head: str
    classes: tuple[str, ...] | None = None
    record: dict[str, object] = field(default_factory=dict)


class NetworkExtractor(Extractor):
    """``network`` maps float32 (N, 3, S, S) to features (N, D) and logits (N, K) or ``None``.

    It runs in evaluation mode, float32 (but for :meth:`in_precision`), without TF32, channels last, on full blocks of images
    (``cpu_block`` on a CPU), so that an image's features do not depend on what comes with it. Grey images are repeated over
    three channels.
    """

    def __init__(self, network: nn.Module, input: Input, known: Known, *, cpu_block: int = 8) -> None:
        self._network = network.eval().requires_grad_(False).to(memory_format=torch.channels_last)
        self._input, self._known, self._cpu_block = input, known, cpu_block
        self.name, self.feature_dim, self.classes = known.name, known.feature_dim, known.classes
        self.weights_sha256, self.record = known.weights_sha256, {"logits": known.head, **known.record}
        self.resize = f"{input.resizer.name} to {input.size}x{input.size}, float32"
        self.value_range = input.scaling.words
        self.device, self._half = torch.device("cpu"), False

    @property
    def fingerprint(self) -> str:
        return f"{super().fingerprint}:{self._known.head}{f':{HALF}' if self._half else ''}"

    def __call__(self, images: Tensor) -> Extracted:
        if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] not in (1, 3) or len(images) == 0:
            given = f"{images.dtype} {tuple(images.shape)}"
            raise UserError(f"extractor '{self.name}' takes uint8 images (N, 1 or 3, R, R), not {given}")
        block = self._cpu_block if self.device.type == "cpu" else GPU_BLOCK
        parts = [self._extract(images[start : start + block], block) for start in range(0, len(images), block)]
        logits = [y for _, y in parts if y is not None]
        return Extracted(torch.cat([f for f, _ in parts]), torch.cat(logits) if logits else None)

    def in_precision(self, precision: Precision) -> NetworkExtractor:
        """In ``bf16`` matrices and convolutions are bfloat16, sums and features float32, under another name: ``NAME@bf16``."""
        if precision == "fp32":
            return self
        made = copy.copy(self)
        made._half, made.name, made.record = True, f"{self.name}@{precision}", {**self.record, "precision": precision}
        return made

    def to(self, device: torch.device) -> NetworkExtractor:
        if device == self.device:
            return self
        moved = copy.copy(self)
        moved._network = copy.deepcopy(self._network).to(device)
        moved.device = device
        return moved

    def _extract(self, images: Tensor, block: int) -> tuple[Tensor, Tensor | None]:
        """Features and logits, on the CPU, of at most ``block`` images; black images fill the block up."""
        images = with_channels(images.to(self.device), 3)
        full = images if len(images) == block else F.pad(images, (0, 0, 0, 0, 0, 0, 0, block - len(images)))
        with torch.no_grad(), _computing(self.device, self._half):
            x = self._input.scaling(self._input.resizer(full, self._input.size))
            features, logits = self._network(x.contiguous(memory_format=torch.channels_last))
        count = len(images)
        return features[:count].float().cpu(), None if logits is None else logits[:count].float().cpu()


@contextmanager
def _computing(device: torch.device, half: bool) -> Iterator[None]:
    """float32 throughout, or ``half``: bfloat16 where it is safe."""
    with exact(), torch.autocast(device.type, torch.bfloat16, enabled=half):
        yield


def fold_batch_norm(net: nn.Module) -> nn.Module:
    """``net`` in place, every BatchNorm ``bn`` beside a convolution ``conv`` folded into it: the same function in evaluation
    mode, to rounding, with one pass over the activations less per layer."""
    for module in net.modules():
        conv, bn = getattr(module, "conv", None), getattr(module, "bn", None)
        if isinstance(conv, nn.Conv2d) and isinstance(bn, nn.BatchNorm2d):
            module.conv = fuse_conv_bn_eval(conv.eval().double(), bn.eval().double()).float()
            module.bn = nn.Identity()
    return net


def imported(module: str, remedy: str) -> ModuleType:
    """``module``, imported only now; raises ``UserError`` with ``remedy`` where it is missing or broken."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise UserError(f"the package {error.name} is not installed: {remedy}") from error
    except (ImportError, RuntimeError, OSError) as error:  # a torchvision built for another torch raises RuntimeError
        raise UserError(f"{module} cannot be imported ({error}): {remedy}") from error
