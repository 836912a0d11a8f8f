"""The logistic loss of StyleGAN's recipes: the non-saturating loss under its other name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ganeval.losses.adversarial.nonsaturating import NonSaturating


@dataclass(frozen=True)
class Logistic(NonSaturating):
    """The same mathematics as :class:`NonSaturating`; a recipe keeps the name its source uses."""

    kind: ClassVar[str] = "logistic"
