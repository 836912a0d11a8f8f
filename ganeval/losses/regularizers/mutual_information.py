"""The mutual information of InfoGAN (Chen et al., NeurIPS 2016, arXiv 1606.03657) for one discrete code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ganeval.errors import UserError
from ganeval.losses.base import Regularizer, Stage, State
from ganeval.networks.base import Body, code_of
from ganeval.networks.layers import Layers
from ganeval.networks.spectral_norm import normalised_layers

CODE_HEAD = "code_head"
"""The name of the layer that :meth:`MutualInformation.prepare` gives a discriminator."""


@dataclass(frozen=True)
class MutualInformation(Regularizer):
    """``weight`` * CE(Q(G(z)), c), the cross-entropy (CE) of a fake's code c: minus the bound of eq. 5, up to the constant H(c).

    c is the code that the generator read from z, one of ``classes`` values: the backbone's ``code_dim`` must be as many. Q is
    a linear layer without bias on the discriminator's features, spectrally normalised if the discriminator is. It reads their
    mean over positions, ``h`` / ``body.positions``, as in PyTorch-StudioGAN.

    G: the whole term, through Q and the discriminator to the fakes. D: the term trains Q alone; ``h`` is a constant for it.

    The sources agree on G and differ in what trains Q. PyTorch-StudioGAN (commit 947b35e) trains it in the generator's update,
    by the generator's optimiser, once per step; the discriminator's body never sees the term. Here the body does not see it
    either, but Q is trained in the discriminator's updates, by its optimiser: ``schedule.d_steps`` times per step, at ``d_lr``
    instead of ``g_lr``, on the fakes of these updates. The authors add the term to both losses, and to the body's with it.
    """

    kind: ClassVar[str] = "mutual-information"
    classes: int = 10
    weight: float = 1.0

    def __post_init__(self) -> None:
        if self.classes < 2:
            raise UserError(f"mutual-information: classes is {self.classes}, give at least 2, as many as the backbone's code_dim")

    def prepare(self, discriminator: nn.Module) -> None:
        """Give ``discriminator`` its ``code_head``: features to ``classes`` logits."""
        layers = Layers(spectral_norm=any(True for _ in normalised_layers(discriminator)))
        discriminator.add_module(CODE_HEAD, layers.linear(_body_of(discriminator).features, self.classes, bias=False))

    def code_loss(self, stage: Stage, h: Tensor) -> Tensor:
        """The weighted cross-entropy of the codes in ``stage.z`` given features ``h`` (N, C) of the fakes, a scalar.

        Raises ``UserError`` where the generator has not a code of ``classes`` values.
        """
        code_dim = getattr(stage.generator, "code_dim", 0)
        if code_dim != self.classes:
            raise UserError(
                f"mutual-information: classes is {self.classes} and the generator's code has {code_dim} values: "
                f"set backbone.code_dim={self.classes}, or leave mutual-information out"
            )
        head = stage.discriminator.get_submodule(CODE_HEAD)
        logits: Tensor = head(h / _body_of(stage.discriminator).positions)
        return self.weight * cross_entropy(logits, code_of(stage.z, self.classes))

    def d_penalty(self, stage: Stage, state: State) -> Tensor:
        return self.code_loss(stage, stage.fake_verdict.h.detach())

    def g_penalty(self, stage: Stage, state: State) -> Tensor:
        return self.code_loss(stage, stage.fake_verdict.h)


def _body_of(discriminator: nn.Module) -> Body:
    body = discriminator.get_submodule("body")
    if not isinstance(body, Body):
        raise TypeError(f"the discriminator's body is a {type(body).__name__}, not a Body")
    return body
