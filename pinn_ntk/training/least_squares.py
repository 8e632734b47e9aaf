"""Outer weights by one linear least-squares solve, inner weights frozen: min_{a,β} ‖sΦa + Ψβ − Sf‖, R_S = ‖e‖²/(2n)."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated

from torch import Tensor

from pinn_ntk.kernels.memory import require_bytes
from pinn_ntk.networks.least_squares import TIKHONOV, OuterSolution, outer_matrix, outer_solution
from pinn_ntk.networks.model import Model
from pinn_ntk.networks.sums import residual_and_gradient
from pinn_ntk.networks.two_layer import TwoLayer, Weights, require_two_layer
from pinn_ntk.problem.residual import Problem
from pinn_ntk.rules import checked, share
from pinn_ntk.training.options import Steps, Tikhonov
from pinn_ntk.training.path import Path
from pinn_ntk.training.states import State, Status, StopRule


@checked
def least_squares(
    network: Model,
    problem: Problem,
    tikhonov: Tikhonov = TIKHONOV,
    cutoff: Annotated[
        float | None, share("drop the singular values below this share of the largest, in the place of τ")
    ] = None,
    steps: Steps = 1,
    stop: StopRule | None = None,
) -> Iterator[State]:
    """(a, β) = argmin ‖sΦa + Ψβ − Sf‖² + τ²‖D(a, β)‖² with D the norms of the columns and w at its start (see
    `solve_outer`).

    Args:
        network: two layers; it is not changed.
        problem: the blocks.
        tikhonov: τ.
        cutoff: the singular values to drop, in the place of τ.
        steps: 0 yields θ⁰ only; one solve is all there is to do.
        stop: its tolerance tells CONVERGED.

    Yields:
        θ⁰ and the solution, whose note tells rank and residual; STAGNATED says that the minimum is above the tolerance.

    Raises:
        ValueError: another kind of network, or an option out of its range.
        MemoryShortageError: the features do not fit.

    Examples:
        >>> from pinn_ntk import TwoLayer, box, laplacian, least_squares, pose
        >>> problem, net = pose(-laplacian(1), box(0, 1), exact="sin(pi*x)", points=8), TwoLayer(1, width=16)
        >>> *_, last = least_squares(net, problem)
        >>> last.loss < 1e-12 * problem.loss(net), bool((last.weights.w == net.w).all())
        (True, True)
    """
    net = require_outer("least_squares", network)
    system, weights = problem.system(net), net.weights
    e, gradient = residual_and_gradient(system, weights)
    path = Path(problem, network, min(steps, 1), stop or StopRule())
    first = path.state(0, weights, e, gradient, 0.0)
    yield first
    if first.status is not Status.RUNNING:
        return
    columns = net.width + len(net.extra)
    size = (3 * problem.points + 2 * columns) * columns * system.target.element_size()
    require_bytes(
        size, system.target.device, f"the least-squares problem of {problem.points} rows by {columns} columns"
    )
    solution = outer_solution(outer_matrix(system, weights.w), system.target, tikhonov, cutoff)
    solved = with_outer(weights, solution.coefficients)
    e, gradient = residual_and_gradient(system, solved)
    yield _ended(path.state(1, solved, e, gradient, 1.0), solution, system.target)


def require_outer(method: str, network: Model) -> TwoLayer:
    """The network, for a method that solves for its outer weights.

    Args:
        method: its name.
        network: to be trained.

    Raises:
        ValueError: it is no network of two layers.
    """
    return require_two_layer(network, f"{method}, which needs a network that is linear in its outer weights,")


def with_outer(weights: Weights, coefficients: Tensor) -> Weights:
    """θ with those (a, β), (N + m,)."""
    width = len(weights.a0)
    return replace(weights, da=coefficients[:width] - weights.a0, extra=coefficients[width:].clone())


def _ended(state: State, solution: OuterSolution, target: Tensor) -> State:
    """The solution with its note."""
    size = float(target.norm())  # read back: a word of the note
    relative = f"‖e‖ = {solution.residual_norm:.3g}" + (
        f" = {solution.residual_norm / size:.3g} ‖Sf‖" if size > 0.0 else ""
    )
    found = (
        f"the outer weights are at their least-squares minimum: rank {solution.rank} of "
        f"{len(solution.coefficients)}, {relative}"
    )
    if state.status is Status.NON_FINITE:
        return state
    return replace(state, status=Status.CONVERGED if state.status is Status.CONVERGED else Status.STAGNATED, note=found)
