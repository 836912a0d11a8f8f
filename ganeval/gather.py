"""One batch out of the batches of several processes, with gradient; and one process's part of what is drawn for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

_ALONE: ContextVar[bool] = ContextVar("alone", default=False)


@contextmanager
def nothing_gathered() -> Iterator[None]:
    """Inside the block every process is by itself: :func:`gather` and :func:`drawn` act as in a single one."""
    token = _ALONE.set(True)
    try:
        yield
    finally:
        _ALONE.reset(token)


def gather(tensor: Tensor) -> Tensor:
    """The rows (N, ...) of every process in rank order (world * N, ...); the tensor itself in a single process.

    Every process must bring the same shape. The backward pass is the full one: it sums the gradients that all processes hold
    for this process's rows. It can be differentiated again.

    Why no factor is needed. Let every one of W processes compute the same loss L on the union batch. The gradient for a
    process's own rows e_r is then W dL/de_r, and its parameter gradient W dL/de_r de_r/dw. DistributedDataParallel averages
    these over the processes: 1/W sum_r W dL/de_r de_r/dw = dL/dw, the gradient of a single process that holds the union
    batch. Everything L reads must pass through here; a term that is a mean over samples needs no gathering at all.
    """
    if _alone():
        return tensor
    if tensor.is_floating_point():
        gathered: Tensor = _Gather.apply(tensor)
        return gathered
    return _rows_of_all(tensor)


def drawn(draw: Callable[[int], Tensor], count: int) -> Tensor:
    """This process's ``count`` rows of chance, where ``draw(n)`` draws n rows (n, ...) from a generator all processes share.

    It is drawn for the batches of all processes, and each takes the rows of its own rank. So chance is the same as in a single
    process with the whole batch, and every process leaves the generator where that one would.
    """
    if _alone():
        return draw(count)
    first = dist.get_rank() * count
    return draw(dist.get_world_size() * count)[first : first + count]


def _alone() -> bool:
    return _ALONE.get() or not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1


def _rows_of_all(tensor: Tensor) -> Tensor:
    parts = [torch.empty_like(tensor, memory_format=torch.contiguous_format) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, tensor.contiguous())
    return torch.cat(parts)


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        ctx.rows = len(tensor)
        return _rows_of_all(tensor)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        own: Tensor = _SumOfOwn.apply(grad, ctx.rows)
        return own


class _SumOfOwn(torch.autograd.Function):
    """The transpose of :class:`_Gather`: this process's rows of the sum over processes. Gradient penalties differentiate it."""

    @staticmethod
    def forward(ctx: Any, grad: Tensor, rows: int) -> Tensor:
        total = grad.clone(memory_format=torch.contiguous_format)  # autograd may share the buffer it hands over
        dist.all_reduce(total)
        start = dist.get_rank() * rows
        return total[start : start + rows]

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        gathered: Tensor = _Gather.apply(grad)
        return gathered, None
