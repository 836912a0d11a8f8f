"""What happens where a loss or a gradient stops being a number: the policies behind ``--on-nan``.

``stop`` ends the run within the step. ``skip:K`` leaves the update out, at most K times in a run. ``zero`` sets what is not
finite in the gradients to 0 and goes on. None of them is part of the recipe; what was left out or altered is counted in the log,
in ``incidents.jsonl``, in every checkpoint's record and in the leaderboard's row.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ganeval.errors import UserError

RECORD = "non_finite"
"""Under this name the counts stand in a checkpoint's record; absent where nothing happened."""


class NonFiniteLoss(Exception):
    """A loss or a gradient stopped being a number; ``report`` says where, as plain JSON."""

    def __init__(self, report: dict[str, Any]) -> None:
        super().__init__(", ".join(f"{key} {value}" for key, value in report.items() if not isinstance(value, Mapping)))
        self.report = report


class Policy(ABC):
    """What to do about an update whose loss or gradient is not finite. ``counter`` names how often it was done."""

    counter: str = ""
    remembers: bool = True
    """Whether buffers and small states are kept before each update, to be put back where it spoiled them."""

    @abstractmethod
    def decide(self, guard: Guard, network: nn.Module, report: dict[str, Any]) -> bool:
        """Whether the optimiser's step is taken; raises :class:`NonFiniteLoss` to end the run."""


@dataclass(frozen=True)
class Stop(Policy):
    """End the run; the last checkpoint is kept."""

    remembers = False

    def decide(self, guard: Guard, network: nn.Module, report: dict[str, Any]) -> bool:
        raise NonFiniteLoss(report)


@dataclass(frozen=True)
class Skip(Policy):
    """Leave the update out, as if its batch had not been drawn; the run ends where it happens more than ``most`` times."""

    most: int
    counter = "skipped"

    def decide(self, guard: Guard, network: nn.Module, report: dict[str, Any]) -> bool:
        if guard.counts.get(self.counter, 0) >= self.most:
            raise NonFiniteLoss({**report, "after": f"{self.most} skipped updates, all that skip:{self.most} allows"})
        guard.put_back(everything=True)
        return False


@dataclass(frozen=True)
class Zero(Policy):
    """Set every gradient that is not finite to 0, element by element, and take the step."""

    counter = "zeroed"

    def decide(self, guard: Guard, network: nn.Module, report: dict[str, Any]) -> bool:
        guard.put_back(everything=False)
        for parameter in network.parameters():
            if parameter.grad is not None:
                parameter.grad.nan_to_num_(0.0, 0.0, 0.0)
        return True


def parse_policy(text: str) -> Policy:
    """``stop``, ``skip:K`` (K >= 1) or ``zero``; raises ``UserError`` for anything else."""
    kind, _, number = text.partition(":")
    if kind == "skip" and number.isdecimal() and int(number) >= 1:
        return Skip(int(number))
    simple: dict[str, Policy] = {"stop": Stop(), "zero": Zero()}
    if text not in simple:
        raise UserError(f"--on-nan '{text}': choose stop, skip:K with a number K of updates (skip:10), or zero")
    return simple[text]


class Guard:
    """Stands between the gradients and the optimiser's step, and counts what it did there.

    ``tell`` is called with every incident as one JSON line.
    """

    def __init__(self, policy: Policy | None = None, tell: Callable[[Mapping[str, Any]], None] | None = None) -> None:
        self.policy = policy or Stop()
        self.tell = tell
        self.counts: dict[str, int] = {}
        self._kept: list[tuple[nn.Module | dict[str, Tensor], str, Tensor]] = []

    def begin(self, networks: Iterable[nn.Module], extras: Mapping[str, dict[str, Tensor]]) -> None:
        """Before an update: keep what a forward pass alone can spoil (running statistics, ``u`` and ``v``, small states)."""
        if not self.policy.remembers:
            return
        with torch.no_grad():
            buffers = [(m, name, b.clone()) for n in networks for m in n.modules() for name, b in m.named_buffers(recurse=False)]
            small = [(state, name, value.clone()) for state in extras.values() for name, value in state.items()]
        self._kept = [*buffers, *small]

    def passes(
        self, network: nn.Module, name: str, step: int, log: dict[str, Tensor], scaler: torch.amp.GradScaler | None = None
    ) -> bool:  # fmt: skip
        """After the backward pass: whether the optimiser's step is taken.

        One synchronisation: the norm of all gradients, which is finite only if each of them is, also enters ``log`` (as
        ``d_grad_norm`` or ``g_grad_norm``). Finite losses times a factor above 1 may exceed fp16: then ``scaler`` itself leaves
        the update out and tries a smaller factor. Raises :class:`NonFiniteLoss` where the policy says so.
        """
        norm = gradient_norm(network)
        if torch.isfinite(norm + sum(log.values())):
            log[f"{name[0]}_grad_norm"] = norm
            return True
        if scaler and scaler.is_enabled() and scaler.get_scale() > 1 and torch.isfinite(sum(log.values(), norm.new_zeros(()))):
            return True
        report = {"step": step, "network": name, **_plain(log), "gradient_norm": _number(norm), **_where(network)}
        goes_on = self.policy.decide(self, network, report)
        self.counts[self.policy.counter] = self.counts.get(self.policy.counter, 0) + 1
        if self.tell:
            short = {key: value for key, value in report.items() if not isinstance(value, Mapping)}
            self.tell({**short, "done": self.policy.counter})
        return goes_on

    @torch.no_grad()
    def put_back(self, everything: bool) -> None:
        """Restore what :meth:`begin` kept: all of it, or only what is not finite now."""
        for owner, name, value in self._kept:
            now = owner._buffers[name] if isinstance(owner, nn.Module) else owner[name]
            if now is not None and (everything or not torch.isfinite(now).all()):
                now.copy_(value)

    def record(self) -> dict[str, dict[str, int]]:
        """What a checkpoint's record says about it: nothing where nothing happened."""
        return {RECORD: dict(self.counts)} if self.counts else {}

    def load(self, record: Mapping[str, Any]) -> None:
        """Go on counting where the checkpoint with ``record`` stood."""
        self.counts = dict(record.get(RECORD, {}))


def gradient_norm(network: nn.Module) -> Tensor:
    """The Euclidean norm of all gradients, a scalar on their device."""
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    norm: Tensor = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
    return norm


def require_finite_weights(network: nn.Module, name: str, step: int) -> None:
    """A finite gradient can still throw the weights out of range: nobody may sample or save these, whatever the policy."""
    norm = torch.stack(torch._foreach_norm(list(network.parameters()))).sum()
    if not torch.isfinite(norm):
        weights = "not finite after the update: lower the learning rate"
        raise NonFiniteLoss({"step": step, "network": name, "weights": weights, **_where(network)})


def _where(network: nn.Module) -> dict[str, Any]:
    """The first module, in the order they were built, with a gradient or a parameter that is not finite; all modules' norms."""
    norms: dict[str, dict[str, float | str]] = {}
    first = "none: only the loss"
    for name, parameter in reversed(list(network.named_parameters())):
        module, _, leaf = name.rpartition(".")
        norms.setdefault(module, {})[leaf] = _number(parameter.detach().norm())
        if parameter.grad is not None:
            norms[module][f"{leaf}.grad"] = _number(parameter.grad.norm())
        if any(isinstance(norms[module].get(key), str) for key in (leaf, f"{leaf}.grad")):
            first = module
    return {"module": first, "norms": norms}


def _number(value: Tensor) -> float | str:
    """A number as JSON knows it; ``nan`` and ``inf`` as words."""
    number = float(value)
    return number if math.isfinite(number) else str(number)


def _plain(log: Mapping[str, Tensor]) -> dict[str, float | str]:
    return {key: _number(value) for key, value in log.items()}
