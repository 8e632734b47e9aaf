"""Variable projection: R_S = ‖e‖²/(2n) as a function of the inner weights w alone, the outer ones being c = M(w)⁺y,
M = [sΦ, Ψ], y = Sf.

    e(w) = M c − y = −(I − MM⁺)y,   ∂e/∂w ≈ (I − MM⁺)(∂M/∂w)c   (Kaufman 1975),

which differs from the whole derivative by a term in the span of M only, so that Jᵀe/n = ∇_wR_S is exact.

Examples:
    >>> from pinn_ntk import TwoLayer, box, laplacian, pose, variable_projection
    >>> problem, net = pose(-laplacian(1), box(0, 1), exact="sin(pi*x)", points=8), TwoLayer(1, width=16)
    >>> *_, last = variable_projection(net, problem, steps=20)
    >>> last.loss < 1e-6 * problem.loss(net)
    True
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial

import torch
from torch import Tensor

from pinn_ntk.kernels.memory import require_bytes
from pinn_ntk.networks.features import System, jacobian_columns
from pinn_ntk.networks.least_squares import TIKHONOV, OuterFactor, outer_matrix
from pinn_ntk.networks.model import Model
from pinn_ntk.networks.sums import residual_and_gradient
from pinn_ntk.networks.two_layer import TwoLayer, Weights
from pinn_ntk.problem.residual import Problem
from pinn_ntk.rules import checked
from pinn_ntk.training.damping import Damping, next_step
from pinn_ntk.training.least_squares import require_outer, with_outer
from pinn_ntk.training.memory import Memory
from pinn_ntk.training.options import DampingShare, GradientTolerance, Steps, StepTolerance, Tikhonov
from pinn_ntk.training.path import Path
from pinn_ntk.training.states import State, Status, StopRule


@dataclass(frozen=True)
class Eliminated:
    """θ whose outer weights are those of least squares at its inner ones.

    Attributes:
        system: the rows.
        weights: θ.
        factor: of M.
        e: Mc − y.
    """

    system: System
    weights: Weights
    factor: OuterFactor
    e: Tensor

    @staticmethod
    def at(system: System, weights: Weights, tikhonov: float) -> "Eliminated":
        """The outer weights eliminated at the inner weights of θ.

        Args:
            system: n rows.
            weights: θ, of which w is read.
            tikhonov: τ of the solve (see `solve_outer`).
        """
        factor = OuterFactor.of(outer_matrix(system, weights.w), tikhonov)
        c = factor.solve(system.target)
        return Eliminated(system, with_outer(weights, c), factor, factor.matrix @ c - system.target)

    def inner(self) -> Tensor:
        """(∂M/∂w)c = ∂(𝓛h)/∂w at fixed outer weights, (n, N·D), neuron after neuron."""
        columns = jacobian_columns(self.system, self.weights.w, self.weights.a)
        next(columns)
        return self.system.scale * torch.stack(list(columns), 2).flatten(1)

    def jacobian(self) -> Tensor:
        """Kaufman's (I − MM⁺)(∂M/∂w)c, (n, N·D)."""
        return self.factor.remainder(self.inner())


@checked
def variable_projection(
    network: Model,
    problem: Problem,
    damping: DampingShare = 1e-6,
    steps: Steps = 50,
    tikhonov: Tikhonov = TIKHONOV,
    gradient_tolerance: GradientTolerance = 0.0,
    step_tolerance: StepTolerance = 1e-15,
    stop: StopRule | None = None,
    memory: Memory | None = None,
) -> Iterator[State]:
    """w ← w − (JᵀJ/n + μI)⁻¹∇_wR_S with Kaufman's J, the outer weights solved for at every w; μ follows the gain ratio.

    Args:
        network: two layers, with fewer neurons than rows; it is not changed.
        problem: the blocks.
        damping: μ at the start as a share of the largest diagonal entry of JᵀJ/n; 0 takes every Gauss–Newton step.
        steps: at most, the first of which solves for the outer weights at the first w.
        tikhonov: τ of the solve for the outer weights.
        gradient_tolerance: CONVERGED when ‖∇R_S‖ is at most this share of its first value.
        step_tolerance: STAGNATED when R_S does not fall by a step δ with ‖δ‖ at most this share of 1 + ‖w − w⁰‖.
        stop: when to end earlier.
        memory: of an earlier run of it, to go on where that was.

    Yields:
        θ⁰, then states whose outer weights are those of least squares; `time` counts steps. Where neurons are as many
        as rows the outer
        weights alone meet every row: the second state is the last one then, and its note says so.

    Raises:
        ValueError: another kind of network, or an option out of its range.
        MemoryShortageError: the Jacobian does not fit.

    References:
        Golub & Pereyra, SIAM J. Numer. Anal. 10 (1973); Kaufman, BIT 15 (1975).
    """
    net = require_outer("variable_projection", network)
    held = memory or Memory()
    system, path = problem.system(net), Path(problem, network, steps, stop or StopRule(), gradient_tolerance, held)
    _require_memory(net, problem)
    control, weights = Damping.remembered(held), held.weights(net.weights)
    place = Eliminated.at(system, weights, tikhonov) if held.step else None
    path.keep(held.step, weights, {} if control is None else asdict(control))
    e, gradient = residual_and_gradient(system, weights)
    state = path.state(held.step, weights, e if place is None else place.e, gradient, float(held.step))
    state = state if place is None else _full(state, place)
    yield state
    for k in range(held.step + 1, steps + 1):
        if state.status is not Status.RUNNING:
            return
        if place is None:
            place = Eliminated.at(system, net.weights, tikhonov)
        else:
            J = place.jacobian()
            # read back: once
            control = control or Damping(damping * float((J * J).sum(0).max()) / problem.points)
            trial = next_step(
                J, place.e, partial(_moved, place, tikhonov), control, step_tolerance * _size(place.weights)
            )
            if isinstance(trial, str):
                yield path.stuck(state, trial)
                return
            place = trial.place
        path.keep(k, place.weights, {} if control is None else asdict(control))
        _, gradient = residual_and_gradient(system, place.weights)
        state = _full(path.state(k, place.weights, place.e, gradient, float(k)), place)
        yield state


def _moved(place: Eliminated, tikhonov: float, delta: Tensor) -> tuple[Eliminated, Tensor]:
    """w + δ with its outer weights, and e there."""
    weights = place.weights
    there = Eliminated.at(place.system, replace(weights, dw=weights.dw + delta.view_as(weights.dw)), tikhonov)
    return there, there.e


def _full(state: State, place: Eliminated) -> State:
    """The state; the last one where no row is left for the inner weights."""
    n, columns = place.factor.matrix.shape
    if state.status is not Status.RUNNING or columns < n:
        return state
    note = (
        f"{columns} outer weights meet all {n} rows: nothing is left for the inner ones; use fewer neurons, or "
        "least_squares"
    )
    return replace(state, status=Status.STAGNATED, note=note)


def _size(weights: Weights) -> float:
    """1 + ‖w − w⁰‖."""
    return 1.0 + float(weights.dw.norm())  # read back: whether the method ends


def _require_memory(net: TwoLayer, problem: Problem) -> None:
    n, inner, outer = problem.points, net.width * net.inputs, net.width + len(net.extra)
    size = (5 * n * inner + 5 * min(n, inner) ** 2 + 4 * (n + outer) * outer) * net.weights.w0.element_size()
    require_bytes(size, net.device, f"the Jacobian of {n} rows by {inner} inner weights")
