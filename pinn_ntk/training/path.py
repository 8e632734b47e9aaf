"""The path of an optimiser: what turns (k, θ_k, e, ∇R_S) into states that know why training ends, R_S = ‖e‖²/(2n)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from pinn_ntk.dynamics import Dynamics
from pinn_ntk.networks.model import Model, Theta
from pinn_ntk.problem.residual import Problem
from pinn_ntk.training.memory import Memory
from pinn_ntk.training.states import State, Status, StopRule

OTHER = Dynamics("other")
"""How θ moves under every method of which theory has no closed form."""


def loss_and_norm(e: Tensor, gradient: Sequence[Tensor], points: int) -> tuple[float, float]:
    """R_S = ‖e‖²/(2n) and ‖∇R_S‖ over all parameters: the device is waited for once.

    Args:
        e: residual, (n,).
        gradient: ∇R_S, one tensor for each kind of parameter.
        points: n.
    """
    squares = torch.stack([e @ e, *((g * g).sum() for g in gradient)])
    loss, *norms = squares.tolist()  # read back: whether training stops is decided in numbers
    return loss / (2 * points), math.sqrt(sum(norms))


@dataclass
class Path:
    """States of one run, in order.

    Attributes:
        problem: the rows.
        start: the network before training.
        steps: at most.
        rule: when to end earlier.
        gradient_tolerance: CONVERGED when ‖∇R_S‖ is at most this share of its first value.
        memory: of the method, at the state where it goes on.
    """

    problem: Problem
    start: Model
    steps: int
    rule: StopRule
    gradient_tolerance: float = 0.0
    memory: Memory = field(default_factory=Memory)
    _first: float = 0.0

    def __post_init__(self) -> None:
        self.losses, self._first = list(self.memory.losses), self.memory.get("first gradient", 0.0)

    @property
    def coming(self) -> range:
        """The steps whose states are still to come."""
        return range(self.memory.step, self.steps + 1)

    def keep(self, k: int, weights: Theta, own: Mapping[str, Any] | None = None) -> None:
        """Remember the state that comes now: θ_k and what the method says of itself."""
        self.memory.keep(k, weights, {**(own or {}), "first gradient": self._first})

    def state(
        self, k: int, weights: Any, e: Tensor, gradient: Sequence[Tensor], time: float, step_size: float = 0.0
    ) -> State:
        """The state after k steps; its status says whether it is the last.

        Args:
            k: steps.
            weights: θ_k.
            e: S(𝓛h − f) there, (n,).
            gradient: ∇R_S there.
            time: of the method's own clock.
            step_size: τ, where the method has one.
        """
        loss, norm = loss_and_norm(e, gradient, self.problem.points)
        self.losses.append(loss)
        note = ""
        self._first = self._first if k else norm
        status = self.rule.status(self.losses, last=k == self.steps)
        if status in (Status.RUNNING, Status.MAX_STEPS):
            if norm == 0.0:
                status, note = Status.STAGNATED, "the gradient is zero"
            elif norm <= self.gradient_tolerance * self._first:
                status, note = Status.CONVERGED, "the gradient met its tolerance"
            elif not math.isfinite(norm):
                status, note = Status.NON_FINITE, "the gradient is not finite"
        return State(k, time, step_size, weights, e, self.losses[-1], norm, status, self.start, OTHER, note)

    def stuck(self, last: State, note: str, status: Status = Status.STAGNATED) -> State:
        """θ once more, one step later: no step could be taken.

        Args:
            last: where the method is.
            note: why, in words.
            status: the name of the reason.
        """
        self.losses.append(last.loss)
        return replace(last, step=last.step + 1, time=last.time + 1.0, status=status, note=note)
