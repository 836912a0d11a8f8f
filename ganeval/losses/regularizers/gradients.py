"""What the gradient penalties share: the critic's gradient at images, and the points it is taken at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ganeval.gather import drawn
from ganeval.losses.base import Stage
from ganeval.precision import full_precision


def image_gradients(critic: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """Gradient of the sum of ``critic``'s logits at ``images`` (N, C, R, R), flattened to (N, C * R * R).

    It can itself be differentiated with respect to the critic's weights.
    """
    at = images.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(critic(at).sum(), at, create_graph=True)
    return gradient.flatten(1)


def distance_to_unit_norm(gradients: Tensor) -> Tensor:
    """mean (|g| - 1)^2 of gradients (N, D): a scalar."""
    norms: Tensor = torch.linalg.vector_norm(gradients, dim=1)  # its own gradient at 0 is 0, not NaN
    return (norms - 1).square().mean()


def critic_for(stage: Stage, labels: Tensor) -> Callable[[Tensor], Tensor]:
    """The adversarial logit of an image as a function of the image, with its label fixed, in full precision."""

    def critic(images: Tensor) -> Tensor:
        with full_precision(stage.discriminator):
            adv: Tensor = stage.discriminator(images, labels).adv
        return adv

    return critic


def between_real_and_fake(stage: Stage) -> tuple[Tensor, Tensor]:
    """Images a x + (1 - a) G(z), a ~ U(0, 1) for each sample, un-augmented, and the labels of x."""
    real, labels, _ = stage.reals()
    options: dict[str, Any] = {"generator": stage.rng, "device": real.device, "dtype": real.dtype}
    share = drawn(lambda count: torch.rand(count, 1, 1, 1, **options), len(real))
    return share * real + (1 - share) * stage.fake, labels
