"""A state of training, and the named reasons for which training stops."""

from dataclasses import dataclass
from enum import StrEnum

from torch import Tensor

from pinn_ntk.dynamics import Dynamics
from pinn_ntk.networks.model import Model, Theta
from pinn_ntk.rules import check_fields, checked
from pinn_ntk.training.options import Divergence, Stagnation, Tolerance, Window


class Status(StrEnum):
    """Why training stopped; RUNNING before that."""

    RUNNING = "RUNNING"
    CONVERGED = "CONVERGED"
    MAX_STEPS = "MAX_STEPS"
    STAGNATED = "STAGNATED"
    DIVERGED = "DIVERGED"
    NON_FINITE = "NON_FINITE"
    INTERRUPTED = "INTERRUPTED"
    BUDGET = "BUDGET"  # from here on the automatic solver's, which has no steps (`solving.reasons`)
    WIDTH = "WIDTH"
    UNDERDETERMINED = "UNDERDETERMINED"
    INCONSISTENT = "INCONSISTENT"
    UNRESOLVED = "UNRESOLVED"


@dataclass(frozen=True)
class State:
    """θ after k steps, at time t = kτ of the flow θ' = −∇R_S.

    Attributes:
        step: k.
        time: t.
        step_size: τ, absolute.
        weights: θ.
        residual: e = S(𝓛h − f), (n,).
        loss: R_S = ‖e‖²/(2n).
        gradient_norm: ‖∇_θR_S‖.
        status: RUNNING, or why this state is the last.
        start: the network before training, which knows everything but θ.
        dynamics: how θ moves.
        note: why it is the last, in words, where the status does not say it.
    """

    step: int
    time: float
    step_size: float
    weights: Theta
    residual: Tensor
    loss: float
    gradient_norm: float
    status: Status
    start: Model
    dynamics: Dynamics
    note: str = ""

    @property
    def network(self) -> Model:
        """The network at this state, a copy of its own."""
        return self.start.with_weights(self.weights)


@checked
@dataclass(frozen=True)
class StopRule:
    """When training ends before its last step.

    Attributes:
        tolerance: CONVERGED when R_S ≤ tolerance.
        divergence: DIVERGED when R_S > divergence · R_S(0). Far above 1: past the step limit a loss may grow and come
            back.
        window: steps over which stagnation is judged.
        stagnation: STAGNATED when R_S fell by less than this share over `window` steps.

    Examples:
        >>> from pinn_ntk import StopRule
        >>> rule = StopRule(tolerance=1e-8, divergence=10.0)
        >>> print(rule.status([1.0, 11.0], last=False), rule.status([1.0, 1e-9], last=False))
        DIVERGED CONVERGED
    """

    tolerance: Tolerance = 0.0
    divergence: Divergence = 1e6
    window: Window = 1000
    stagnation: Stagnation = 1e-12

    def __post_init__(self) -> None:
        check_fields(self)

    def status(self, losses: list[float], last: bool) -> Status:
        """The verdict on a history of losses, one per step.

        Args:
            losses: R_S at steps 0…k.
            last: whether no step is left.
        """
        loss, first = losses[-1], losses[0]
        if not loss < float("inf"):
            return Status.NON_FINITE
        if loss <= self.tolerance:
            return Status.CONVERGED
        if loss > self.divergence * first and len(losses) > 1:
            return Status.DIVERGED
        if len(losses) > self.window and losses[-1 - self.window] - loss < self.stagnation * losses[-1 - self.window]:
            return Status.STAGNATED
        return Status.MAX_STEPS if last else Status.RUNNING
