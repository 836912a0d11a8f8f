from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ganeval.data.loader import batch_indices, permutation

PINNED = [3, 8, 0, 2, 7, 1, 3, 7, 5, 8, 9, 6]


@given(count=st.integers(1, 40), batch=st.integers(1, 100), seed=st.integers(0, 2**40), steps=st.integers(1, 6))
def test_batches_are_pieces_of_one_stream_in_which_every_epoch_is_a_permutation(
    count: int, batch: int, seed: int, steps: int
) -> None:
    stream = torch.cat([batch_indices(count, batch, step * batch, seed) for step in range(steps)])
    assert stream.dtype == torch.int64
    assert len(stream) == steps * batch
    for epoch in range(len(stream) // count):
        assert sorted(stream[epoch * count : (epoch + 1) * count].tolist()) == list(range(count))
    assert torch.equal(stream, batch_indices(count, steps * batch, 0, seed))


@given(position=st.integers(0, 10**12), batch=st.integers(1, 30))
def test_a_batch_is_a_function_of_its_position(position: int, batch: int) -> None:
    whole = batch_indices(13, batch + 5, position, 3)
    permutation.cache_clear()
    assert torch.equal(batch_indices(13, batch, position + 5, 3), whole[5:])


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    orders = [permutation(50, epoch, seed).tolist() for epoch in range(4) for seed in range(4)]
    assert len({tuple(order) for order in orders}) == 16


def test_the_order_is_pinned() -> None:
    assert batch_indices(10, 12, 5, 0).tolist() == PINNED


def test_every_image_comes_first_equally_often() -> None:
    first = np.bincount([permutation(5, 0, seed)[0] for seed in range(2000)], minlength=5)
    assert (abs(first - 400) < 5 * np.sqrt(2000 * 0.2 * 0.8)).all()


def test_cached_orders_cannot_be_changed_through_a_batch() -> None:
    batch_indices(7, 7, 0, 1).zero_()
    assert sorted(batch_indices(7, 7, 0, 1).tolist()) == list(range(7))


@pytest.mark.parametrize(("count", "batch", "position"), [(0, 1, 0), (4, 0, 0), (4, 2, -1)])
def test_impossible_batches_are_refused(count: int, batch: int, position: int) -> None:
    with pytest.raises(ValueError, match="no batch of"):
        batch_indices(count, batch, position, 0)
