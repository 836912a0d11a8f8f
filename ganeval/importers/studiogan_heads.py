"""Which conditioning scheme a PyTorch-StudioGAN discriminator has, from the names and shapes of its last layers.

2C and D2D-CE have the same head; the answer is D2D-CE. No scheme's loss weights are in the file; the answer has this
package's defaults. With the number of classes K known, two more are told apart: ADC has 2K rows where its base scheme has K,
and a multi-hinge discriminator has K + 1 outputs where a mirror discriminator has K.
"""

from __future__ import annotations

from dataclasses import dataclass

from ganeval.conditioning.acgan import ACGAN
from ganeval.conditioning.adc import ADC
from ganeval.conditioning.base import Conditioning
from ganeval.conditioning.d2dce import D2DCE
from ganeval.conditioning.label_scheme import LabelScheme
from ganeval.conditioning.mirror import Mirror
from ganeval.conditioning.multi_hinge import MultiHinge
from ganeval.conditioning.none import Unconditional
from ganeval.conditioning.projection import Projection
from ganeval.conditioning.tac import TAC
from ganeval.errors import UserError
from ganeval.importers.studiogan_keys import Shapes
from ganeval.losses.regularizers.mutual_information import CODE_HEAD

_PROXY_NAMES = {
    "linear2": "head.embed",
    "embedding": "head.proxies",
    "linear_mi": "head.twin_embed",
    "embedding_mi": "head.twin_proxies",
}
_CLASSIFIER_NAMES = {"linear2": "head.classifier", "linear_mi": "head.twin_classifier"}


@dataclass(frozen=True)
class Head:
    """A scheme, its number of classes (1 where it has none), and upstream's names of the head's layers with ours."""

    conditioning: Conditioning
    num_classes: int
    names: dict[str, str]


def head_of(shapes: Shapes, num_classes: int | None) -> Head:
    """The head of a discriminator with these weights; raises ``UserError`` if it contradicts ``num_classes``."""
    head = _labelled_head(shapes, num_classes) if "linear2" in shapes else _adversarial_head(shapes, num_classes)
    if num_classes is not None and head.num_classes not in (1, num_classes):
        raise UserError(f"is a discriminator of {head.num_classes} classes, not of {num_classes}")
    names = {"linear1": "head.adversarial", "info_discrete_linear": CODE_HEAD, **head.names}
    return Head(head.conditioning, head.num_classes, names)


def _labelled_head(shapes: Shapes, num_classes: int | None) -> Head:
    base: LabelScheme
    if "embedding" in shapes:
        base, rows, names = D2DCE(embed_dim=shapes["linear2"][0]), shapes["embedding"][0], _PROXY_NAMES
    else:
        base, rows, names = ACGAN(), shapes["linear2"][0], _CLASSIFIER_NAMES
    if "linear_mi" in shapes:
        return Head(TAC(base), rows, names)
    if num_classes is not None and rows == 2 * num_classes:
        return Head(ADC(base), num_classes, names)
    return Head(base, rows, names)


def _adversarial_head(shapes: Shapes, num_classes: int | None) -> Head:
    outputs = shapes["linear1"][0]
    if "embedding" in shapes:
        return Head(Projection(), shapes["embedding"][0], {"embedding": "head.embedding"})
    if outputs == 1:
        return Head(Unconditional(), 1, {})
    if num_classes is None:
        raise UserError(
            f"has {outputs} adversarial outputs, as a multi-hinge discriminator of {outputs - 1} classes and a mirror "
            f"discriminator of {outputs} have: give the number of classes"
        )
    if outputs == num_classes + 1:
        return Head(MultiHinge(), num_classes, {})
    return Head(Mirror(), outputs, {})
