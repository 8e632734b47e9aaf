"""Full-batch gradient descent on R_S = ‖e‖²/(2n), with momentum or without,
its step in fractions of its stability limit.

With λ = s²N λ_max(K̂)/n the limit of τ is 2/λ; 2(1 + β)/λ for heavy ball; 2(1 + β)/((1 + 2β)λ) for Nesterov's method.

Examples:
    >>> from pinn_ntk import TwoLayer, box, gradient_descent, laplacian, pose
    >>> problem, net = pose(-laplacian(1), box(0, 1), exact="sin(pi*x)", points=8), TwoLayer(1, width=16)
    >>> losses = [state.loss for state in gradient_descent(net, problem, step_size=0.5, steps=20)]
    >>> len(losses), losses == sorted(losses, reverse=True)
    (21, True)
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated

import torch
from torch import Tensor

from pinn_ntk.dynamics import Dynamics
from pinn_ntk.kernels.matrix_free import largest_eigenvalue
from pinn_ntk.kernels.memory import MemoryShortageError
from pinn_ntk.kernels.tangent import tangent_kernel
from pinn_ntk.networks.fused import accelerated
from pinn_ntk.networks.model import Model
from pinn_ntk.networks.sums import residual_and_gradient
from pinn_ntk.networks.two_layer import TwoLayer
from pinn_ntk.problem.residual import Problem
from pinn_ntk.rules import checked, flag
from pinn_ntk.training.memory import Memory
from pinn_ntk.training.options import Absolute, Momentum, Steps, StepSize
from pinn_ntk.training.path import loss_and_norm
from pinn_ntk.training.states import State, Status, StopRule

Gradient = tuple[Tensor, ...]
Nesterov = Annotated[bool, flag("Nesterov's method in the place of heavy ball")]


@checked
def step_limit(network: Model, problem: Problem, dynamics: Dynamics | None = None) -> float:
    """τ_max = 2n/(s²N λ_max(K̂)): one step multiplies the residual by I − τ(s²N/n)K̂,
    whose largest factor must stay above −1.

    Args:
        network: at θ⁰.
        problem: the blocks.
        dynamics: heavy ball or Nesterov, whose limit has another number, `dynamics.stability`, in the place of the 2.

    Returns:
        τ_max; ∞ where the kernel is zero (no parameter moves the residual), NaN where it is not finite.

    Examples:
        >>> from pinn_ntk import TwoLayer, box, gradient_descent, laplacian, pose, step_limit
        >>> problem, net = pose(-laplacian(1), box(0, 1), exact="sin(pi*x)", points=8), TwoLayer(1, width=16)
        >>> *_, last = gradient_descent(net, problem, step_size=0.5, steps=1)
        >>> last.step_size == 0.5 * step_limit(net, problem)
        True
    """
    stability = 2.0 if dynamics is None else dynamics.stability
    try:
        kernel = tangent_kernel(network, problem)
    except MemoryShortageError:
        if not isinstance(network, TwoLayer):
            raise
        pair = largest_eigenvalue(network, problem)  # of products with the kernel, which need no n² numbers
        scale, largest = network.kernel_scale, pair.value + pair.residual
    else:
        if not bool(torch.isfinite(kernel.total).all()):  # read back: the step limit, once
            return math.nan
        # the largest eigenvalue is well conditioned: the Gram matrix gives it to nε
        scale, largest = kernel.scale, float(torch.linalg.eigvalsh(kernel.total)[-1])  # read back: the step limit, once
    return stability * problem.points / (scale * largest) if largest > 0.0 else math.inf


@checked
def gradient_descent(
    network: Model,
    problem: Problem,
    step_size: StepSize = 0.5,
    steps: Steps = 4000,
    absolute: Absolute = False,
    stop: StopRule | None = None,
    limit: float | None = None,
    momentum: Momentum = 0.0,
    nesterov: Nesterov = False,
    memory: Memory | None = None,
) -> Iterator[State]:
    """θ_{k+1} = θ_k − τ∇R_S(θ_k), or with v_{k+1} = βv_k − τ∇R_S(θ_k), one state per step, the initial one included.

    Heavy ball moves by v_{k+1}, Nesterov's method by βv_{k+1} − τ∇R_S(θ_k): its states are the look-ahead points, at
    which the gradient is taken, as in torch.optim.SGD.

    Args:
        network: where training starts; it is not changed, each state carries its own weights.
        problem: the blocks; on the same device and dtype as the network.
        step_size: τ as a fraction of the method's own `step_limit`, or τ itself with `absolute`.
        steps: how many steps at most; 0 yields the initial state only.
        absolute: how step_size is meant.
        stop: when to end earlier.
        limit: that limit, where it is known already.
        momentum: β, 0 for plain gradient descent.
        nesterov: Nesterov's method in the place of heavy ball.
        memory: of an earlier run of it, to go on where that was.

    Yields:
        States; the last one says why it is the last. A kernel that is zero or not finite at the start leaves one state.

    Raises:
        ValueError: a step size, a momentum or a number of steps that is not allowed.
    """
    law = momentum_dynamics(momentum, nesterov)
    tau = step_size if absolute else step_size * (step_limit(network, problem, law) if limit is None else limit)
    stuck = Status.RUNNING if math.isfinite(tau) else Status.NON_FINITE if math.isnan(tau) else Status.STAGNATED
    tau = tau if stuck is Status.RUNNING else 0.0
    held = memory or Memory()
    rule, losses = stop or StopRule(), list(held.losses)
    weights, dynamics, velocity = held.weights(network.weights), replace(law, step=tau), held.get("velocity")
    system = accelerated(problem.system(network), network, steps)
    for k in range(held.step, steps + 1):
        held.keep(k, weights, {"velocity": velocity if velocity is None else list(velocity)})
        e, gradient = residual_and_gradient(system, weights)
        loss, norm = loss_and_norm(e, gradient, problem.points)
        losses.append(loss)
        status = rule.status(losses, last=k == steps) if stuck is Status.RUNNING else stuck
        yield State(k, k * tau, tau, weights, e, loss, norm, status, network, dynamics)
        if status is not Status.RUNNING:
            return
        velocity, move = pushed(velocity, gradient, dynamics)
        weights = weights.moved(*move)


def momentum_dynamics(momentum: float, nesterov: bool = False) -> Dynamics:
    """The law of gradient descent with that momentum (β = 0 is plain descent), its step still to be set.

    Raises:
        ValueError: a momentum outside [0, 1).
    """
    return Dynamics("descent" if momentum == 0.0 else "nesterov" if nesterov else "heavy_ball", 0.0, momentum)


def pushed(velocity: Gradient | None, gradient: Gradient, dynamics: Dynamics) -> tuple[Gradient | None, Gradient]:
    """v_{k+1} = βv_k − τ∇R_S and the move θ_{k+1} − θ_k: −τ∇R_S, v_{k+1} or βv_{k+1} − τ∇R_S.

    Args:
        velocity: v_k; None for 0.
        gradient: ∇R_S(θ_k), one tensor for each kind of parameter.
        dynamics: descent, heavy ball or Nesterov.

    Returns:
        v_{k+1}, None without momentum, and the move.
    """
    tau, beta = dynamics.step, dynamics.momentum
    push = tuple(-tau * g for g in gradient)
    if dynamics.kind == "descent":
        return None, push
    faster = push if velocity is None else tuple(beta * v + p for v, p in zip(velocity, push, strict=True))
    return faster, tuple(
        beta * v + p for v, p in zip(faster, push, strict=True)
    ) if dynamics.kind == "nesterov" else faster


@checked
def heavy_ball(
    network: Model,
    problem: Problem,
    step_size: StepSize = 0.5,
    steps: Steps = 4000,
    absolute: Absolute = False,
    momentum: Momentum = 0.9,
    stop: StopRule | None = None,
    limit: float | None = None,
    memory: Memory | None = None,
) -> Iterator[State]:
    """θ_{k+1} = θ_k + v_{k+1}, v_{k+1} = βv_k − τ∇R_S(θ_k) (Polyak 1964);
    step_size is a share of 2(1 + β)n/(s²N λ_max).

    Args, Yields, Raises: as for `gradient_descent`.
    """
    return gradient_descent(network, problem, step_size, steps, absolute, stop, limit, momentum, memory=memory)


@checked
def nesterov(
    network: Model,
    problem: Problem,
    step_size: StepSize = 0.5,
    steps: Steps = 4000,
    absolute: Absolute = False,
    momentum: Momentum = 0.9,
    stop: StopRule | None = None,
    limit: float | None = None,
    memory: Memory | None = None,
) -> Iterator[State]:
    """θ_{k+1} = θ_k + βv_{k+1} − τ∇R_S(θ_k), v as for heavy ball (Nesterov 1983);
    step_size is a share of 2(1 + β)n/((1 + 2β)s²N λ_max).

    Args, Yields, Raises: as for `gradient_descent`.
    """
    return gradient_descent(
        network, problem, step_size, steps, absolute, stop, limit, momentum, nesterov=True, memory=memory
    )
