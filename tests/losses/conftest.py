"""A discriminator and a generator so simple that every penalty has a closed form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganeval.conditioning.base import Verdict
from ganeval.losses.base import Stage


class LinearCritic(nn.Module):
    """D(x, y) = <w_y, x>; it remembers the images it was shown."""

    def __init__(self, slopes: Tensor) -> None:
        super().__init__()
        self.slopes = nn.Parameter(slopes)
        self.seen: list[Tensor] = []

    def forward(self, images: Tensor, y: Tensor) -> Verdict:
        self.seen.append(images.detach())
        h = images.flatten(1)
        return Verdict((h * self.slopes[y].flatten(1)).sum(1), h)


class LinearGenerator(nn.Module):
    """G(z, y) = z W as images (N, 2, 16, 16)."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        return (z @ self.weight).view(len(z), 2, 16, 16)


def _no_batch() -> tuple[Tensor, Tensor]:
    raise AssertionError("no fresh batch expected")


@pytest.fixture
def make_stage() -> Callable[..., Stage]:
    """A stage of the discriminator's update on 6 images of 3 classes; keyword arguments replace its fields."""

    def make(dtype: torch.dtype = torch.float64, seed: int = 0, **changes: Any) -> Stage:
        draw = torch.Generator().manual_seed(100 + seed)

        def normal(*shape: int) -> Tensor:
            return torch.randn(shape, generator=draw, dtype=torch.float64).to(dtype)

        critic = LinearCritic(normal(3, 2, 16, 16) * torch.tensor([0.02, 0.05, 0.1], dtype=dtype).view(3, 1, 1, 1))
        generator = LinearGenerator(0.3 * normal(4, 2 * 16 * 16))
        z, y_fake = normal(6, 4), torch.tensor([2, 2, 0, 1, 0, 2])
        real, y_real = normal(6, 2, 16, 16), torch.tensor([0, 1, 1, 2, 0, 1])
        fields: dict[str, Any] = {
            "generator": generator, "discriminator": critic, "real": real, "y_real": y_real,
            "fake": generator(z, y_fake).detach(), "y_fake": y_fake, "z": z, "augment": lambda images: images,
            "fresh_real": _no_batch, "rng": torch.Generator().manual_seed(seed), "step": 0,
        }  # fmt: skip
        fields |= changes
        if "real_verdict" not in fields:
            fields["real_verdict"] = fields["discriminator"](fields["real"], fields["y_real"])
        if "fake_verdict" not in fields:
            fields["fake_verdict"] = fields["discriminator"](fields["fake"], fields["y_fake"])
        return Stage(**fields)

    return make
