"""Second order: Levenberg–Marquardt on R_S = ‖e‖²/(2n) with the exact Jacobian J = ∂e/∂θ, (n, P).

    (JᵀJ/n + μI) δ = −∇R_S = −Jᵀe/n:   δ = −(JᵀJ + nμI)⁻¹Jᵀe (P × P) = −Jᵀ(JJᵀ + nμI)⁻¹e (n × n: the tangent kernel).

Whichever matrix is smaller is used. With μ = 0 it is the Gauss–Newton method, θ ← θ − J⁺e.
"""

import math
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from typing import Any

import torch
from torch import Tensor

from pinn_ntk.kernels.memory import require_bytes
from pinn_ntk.networks.features import System, jacobian_columns
from pinn_ntk.networks.model import Model, Theta
from pinn_ntk.networks.sums import residual
from pinn_ntk.networks.two_layer import Weights
from pinn_ntk.problem.residual import Problem
from pinn_ntk.rules import checked
from pinn_ntk.training.damping import FORMS, Damping, Form, next_step
from pinn_ntk.training.memory import Memory
from pinn_ntk.training.options import DampingShare, GradientTolerance, Steps, StepTolerance
from pinn_ntk.training.path import Path
from pinn_ntk.training.states import State, Status, StopRule


def jacobian(system: Any, weights: Any) -> Tensor:
    """J = ∂e/∂θ, (n, P), columns in the order of `weights.displacement`: s φ_k, then s a_k ∂φ_k/∂w_kβ for neurons.

    Args:
        system: of neurons, in closed form, or of any module, by automatic differentiation.
        weights: θ.
    """
    if not isinstance(system, System):
        by_autograd: Tensor = system.jacobian(weights)
        return by_autograd
    assert isinstance(weights, Weights)
    (count, inputs), m = weights.w0.shape, 0 if system.extra is None else system.extra.shape[1]
    J = weights.w.new_empty(system.points, count * (inputs + 1) + m)
    columns = jacobian_columns(system, weights.w, weights.a)
    torch.mul(next(columns), system.scale, out=J[:, :count])
    inner = J[:, count : count * (inputs + 1)].view(system.points, count, inputs)
    for beta, column in enumerate(columns):
        torch.mul(column, system.scale, out=inner[:, :, beta])
    if system.extra is not None:
        J[:, count * (inputs + 1) :] = system.extra
    return J


@checked
def levenberg_marquardt(
    network: Model,
    problem: Problem,
    damping: DampingShare = 1e-12,
    steps: Steps = 50,
    gradient_tolerance: GradientTolerance = 0.0,
    step_tolerance: StepTolerance = 1e-15,
    form: Form = "auto",
    stop: StopRule | None = None,
    memory: Memory | None = None,
) -> Iterator[State]:
    """θ ← θ − (JᵀJ/n + μI)⁻¹∇R_S(θ), a state for each step that lowers R_S; μ follows the gain ratio.

    Args:
        network: where training starts; it is not changed.
        problem: the blocks.
        damping: μ at θ⁰ as a share of the largest diagonal entry of JᵀJ/n; 0 is the Gauss–Newton method, each of whose
            steps is taken.
        steps: at most; a step is a Jacobian, a factorisation, and a residual for each μ that is tried.
        gradient_tolerance: CONVERGED when ‖∇R_S‖ is at most this share of its first value.
        step_tolerance: STAGNATED when R_S does not fall by a step δ with ‖δ‖ at most this share of 1 + ‖θ − θ⁰‖.
        form: 'primal' factors JᵀJ, (P, P), 'dual' JJᵀ, (n, n), the tangent kernel; 'auto' the smaller one. The steps
            are the same.
        stop: when to end earlier.
        memory: of an earlier run of it, to go on where that was.

    Yields:
        States, the first one θ⁰; `time` counts steps. When no μ lowers R_S, the last state repeats θ with status
        STAGNATED.

    Raises:
        ValueError: an option out of its range.
        MemoryShortageError: J and the smaller Gram matrix do not fit.

    Examples:
        >>> from pinn_ntk import TwoLayer, box, laplacian, levenberg_marquardt, pose
        >>> problem, net = pose(-laplacian(1), box(0, 1), exact="sin(pi*x)", points=8), TwoLayer(1, width=16)
        >>> *_, last = levenberg_marquardt(net, problem, steps=20)
        >>> last.loss < 1e-12 * problem.loss(net)
        True
    """
    held = memory or Memory()
    dual, n, system, weights = FORMS[form], problem.points, problem.system(network), held.weights(network.weights)
    require_jacobian(network, problem, dual)
    path, control = (
        Path(problem, network, steps, stop or StopRule(), gradient_tolerance, held),
        Damping.remembered(held),
    )
    e = residual(system, weights)
    for k in path.coming:
        path.keep(k, weights, {} if control is None else asdict(control))
        J = jacobian(system, weights)
        gradient = J.mT @ e / n
        state = path.state(k, weights, e, (gradient,), float(k))
        yield state
        if state.status is not Status.RUNNING:
            return
        control = control or Damping(damping * float((J * J).sum(0).max()) / n)  # read back: once
        trial = next_step(J, e, partial(_moved, system, weights), control, step_tolerance * size(weights), dual)
        if isinstance(trial, str):
            yield path.stuck(state, trial)
            return
        weights, e = trial.place, trial.e


def require_jacobian(network: Model, problem: Problem, dual: bool | None) -> None:
    """Refuse a Jacobian that does not fit, with what its steps need beside it.

    Raises:
        MemoryShortageError: it does not.
    """
    n, parameters = problem.points, network.parameter_count
    side = min(n, parameters) if dual is None else n if dual else parameters
    needed = (3 * n * parameters + 5 * side**2) * torch.finfo(network.dtype).bits // 8
    require_bytes(needed, network.device, f"the Jacobian of {n} rows by {parameters} parameters")


def _moved(system: Any, weights: Theta, delta: Tensor) -> tuple[Theta, Tensor]:
    """θ + δ and e there."""
    moved = weights.moved(*split(weights, delta))
    return moved, residual(system, moved)


def split(weights: Theta, flat: Tensor) -> list[Tensor]:
    """A vector over all parameters as one tensor for each kind of them."""
    shapes = [p.shape for p in weights.displacement]
    return [part.reshape(shape) for part, shape in zip(flat.split([s.numel() for s in shapes]), shapes, strict=True)]


def size(weights: Theta) -> float:
    """1 + ‖θ − θ⁰‖."""
    squares = torch.stack([(p * p).sum() for p in weights.displacement])
    return 1.0 + math.sqrt(sum(squares.tolist()))  # read back: whether the method ends
