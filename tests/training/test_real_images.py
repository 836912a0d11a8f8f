"""Where the training images are kept: on the device while they are few, else where they were mapped."""

from __future__ import annotations

import pytest
import torch

from ganeval.training import step
from ganeval.training.step import RealImages


@pytest.mark.parametrize(("resident", "kept_on"), [(48, "meta"), (47, "cpu")])
def test_more_than_fits_stays_where_it_is_and_batches_are_moved(
    resident: int, kept_on: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step, "RESIDENT", resident)
    images, labels = torch.arange(48, dtype=torch.uint8).view(4, 3, 2, 2), torch.arange(4)
    reals = RealImages(images, labels, False, 7, torch.device("meta"))
    batch, y = reals.batch(2, 0, torch.Generator())
    assert (reals.images.device.type, reals.labels.device.type) == (kept_on, kept_on)
    assert (batch.device.type, y.device.type) == ("meta", "meta")
    assert batch.shape == (2, 3, 2, 2)


def test_where_they_are_kept_does_not_change_the_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    images, labels = torch.arange(48, dtype=torch.uint8).view(4, 3, 2, 2), torch.arange(4)

    def batch() -> tuple[torch.Tensor, torch.Tensor]:
        reals = RealImages(images, labels, True, 7, torch.device("cpu"))
        return reals.batch(6, 3, torch.Generator().manual_seed(1))

    resident = batch()
    monkeypatch.setattr(step, "RESIDENT", 0)
    assert all(torch.equal(a, b) for a, b in zip(resident, batch(), strict=True))
