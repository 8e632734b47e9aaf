"""Full-batch gradient descent on R_S = ‖e‖²/(2n), its step in fractions of the stability limit 2n/(s²N λ_max(K̂))."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from pinn_ntk.kernels.closed_form import closed_form_kernel
from pinn_ntk.networks.sums import residual_and_gradient
from pinn_ntk.networks.two_layer import TwoLayer
from pinn_ntk.problem.residual import Problem
from pinn_ntk.training.states import State, Status, StopRule


def step_limit(network: TwoLayer, problem: Problem) -> float:
    """τ_max = 2n/(s²N λ_max(K̂)): one step multiplies the residual by I − τ(s²N/n)K̂, whose largest factor must stay above −1.

    Returns:
        τ_max; ∞ where the kernel is zero (no parameter moves the residual), NaN where it is not finite.
    """
    kernel = closed_form_kernel(network, problem)
    if not bool(torch.isfinite(kernel.total).all()):
        return math.nan
    # the largest eigenvalue is well conditioned: the Gram matrix gives it to nε
    largest = float(torch.linalg.eigvalsh(kernel.total)[-1])
    return 2.0 * problem.points / (kernel.scale * largest) if largest > 0.0 else math.inf


def gradient_descent(
    network: TwoLayer,
    problem: Problem,
    step_size: float = 0.5,
    steps: int = 1000,
    absolute: bool = False,
    stop: StopRule | None = None,
    limit: float | None = None,
) -> Iterator[State]:
    """θ_{k+1} = θ_k − τ∇R_S(θ_k), one state per step, the initial one included.

    Args:
        network: where training starts; it is not changed, each state carries its own weights.
        problem: the blocks; on the same device and dtype as the network.
        step_size: τ as a fraction of `step_limit`, or τ itself with `absolute`.
        steps: how many steps at most; 0 yields the initial state only.
        absolute: how step_size is meant.
        stop: when to end earlier.
        limit: `step_limit`, where it is known already.

    Yields:
        States; the last one says why it is the last. A kernel that is zero or not finite at the start leaves one state.

    Raises:
        ValueError: a step size or a number of steps that is not allowed.
    """
    if not (math.isfinite(step_size) and step_size > 0.0):
        raise ValueError(f"step_size: got {step_size}, expected a positive number, by default a fraction of 2n/(s²N λ_max)")
    if steps < 0:
        raise ValueError(f"steps: got {steps}, expected 0 or more")
    tau = step_size if absolute else step_size * (step_limit(network, problem) if limit is None else limit)
    stuck = Status.RUNNING if math.isfinite(tau) else Status.NON_FINITE if math.isnan(tau) else Status.STAGNATED
    tau = tau if stuck is Status.RUNNING else 0.0
    rule, losses = stop or StopRule(), []
    system, weights = problem.system(network), network.weights
    for k in range(steps + 1):
        e, gradient = residual_and_gradient(system, weights)
        losses.append(float(e @ e) / (2 * problem.points))
        status = rule.status(losses, last=k == steps) if stuck is Status.RUNNING else stuck
        yield State(k, k * tau, tau, weights, e, losses[-1], _norm(gradient), status, network)
        if status is not Status.RUNNING:
            return
        weights = weights.moved(*(-tau * g for g in gradient))


def _norm(gradient: tuple[Tensor, ...]) -> float:
    """‖∇R_S‖ over all parameters."""
    return math.sqrt(sum(float((g * g).sum()) for g in gradient))
