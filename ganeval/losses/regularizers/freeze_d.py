"""FreezeD: fine-tuning with the discriminator's lower blocks fixed (Mo et al., arXiv 2002.10964)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from ganeval.errors import UserError
from ganeval.losses.base import Regularizer


@dataclass(frozen=True)
class FreezeD(Regularizer):
    """The first ``blocks`` blocks of the discriminator are not trained, nor the layer before and the attention after each.

    In the deep networks a block is a whole stage. The vectors of spectral normalisation, no parameters, still move.
    """

    kind: ClassVar[str] = "freeze-d"
    blocks: int = 1

    def prepare(self, discriminator: nn.Module) -> None:
        lists = dict(discriminator.get_submodule("body").named_children())
        blocks = lists.get("blocks", lists.get("stages"))
        if not isinstance(blocks, nn.ModuleList):
            raise UserError("freeze-d: this backbone's discriminator has no blocks, leave freeze-d out")
        if not 1 <= self.blocks <= len(blocks):
            raise UserError(f"freeze-d: blocks is {self.blocks}, this discriminator has {len(blocks)}: give 1 to {len(blocks)}")
        for module in (lists.get("from_image"), *blocks[: self.blocks], *_first(lists.get("attention"), self.blocks)):
            if module is not None:
                module.requires_grad_(False)


def _first(modules: nn.Module | None, count: int) -> list[nn.Module]:
    return list(modules)[:count] if isinstance(modules, nn.ModuleList) else []
