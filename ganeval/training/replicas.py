"""The two losses as every process computes them on its share of the batch; their gradients are those of the whole batch."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ganeval.processes import Processes

KEEP_BUFFERS = next(
    name
    for name in ("forward_sync_buffers", "broadcast_buffers")  # the first has taken the second's place in newer versions of torch
    if name in inspect.signature(DistributedDataParallel).parameters
)
"""What is set to False so that buffers are left alone: each process has the same without being sent them."""

OF_NO_ACCOUNT = "Grad strides do not match bucket view strides"
"""What torch warns of where a gradient has another name for the same layout: with channels last, strides of dimensions of size 1
differ, and nothing is slower."""

Log = dict[str, Tensor]
LossFunction = Callable[..., tuple[Tensor, Log]]


class Loss(nn.Module):
    """A whole loss as the forward pass of one module, whose only parameters are those of the network it trains.

    So DistributedDataParallel sees one forward and one backward pass per loss, whatever passes through both networks, and
    gradients of gradients, happen inside.
    """

    def __init__(self, network: nn.Module, function: LossFunction) -> None:
        super().__init__()
        self.network = network
        self.function = function

    def forward(self, *inputs: Any) -> tuple[Tensor, Log]:
        return self.function(*inputs)


class Replica:
    """A loss in this process. ``loss(*inputs)`` is the loss of its share; after a backward pass outside :meth:`unshared` the
    gradients are the means over all processes, what one process with the whole batch would have.
    """

    def __init__(self, network: nn.Module, function: LossFunction, processes: Processes) -> None:
        self.processes = processes
        loss = Loss(network, function)
        self.loss: nn.Module = loss
        if processes.count > 1:
            warnings.filterwarnings("ignore", OF_NO_ACCOUNT)
            options: dict[str, Any] = {KEEP_BUFFERS: False}
            self.loss = DistributedDataParallel(loss, **options)

    def unshared(self, still_to_come: bool) -> AbstractContextManager[None]:
        """Within it, gradients of batches that are ``still_to_come`` to an end are added up in this process alone."""
        if still_to_come and isinstance(self.loss, DistributedDataParallel):
            return self.loss.no_sync()
        return nullcontext()
