"""SPRING: damped Gauss–Newton steps that remember the one before, on R_S = ‖e‖²/(2n) with J = ∂e/∂θ.

    δ_k = argmin_δ ‖e + Jδ‖²/n + λ‖δ − μδ_{k−1}‖² = μδ_{k−1} − Jᵀ(JJᵀ + nλI)⁻¹(e + μJδ_{k−1}).

What the rows of this step do not determine is kept from the steps before. With μ = 0 it is a Levenberg–Marquardt step
of fixed damping.

Examples:
    >>> from pinn_ntk import TwoLayer, box, laplacian, pose, spring
    >>> problem, net = pose(-laplacian(1), box(0, 1), exact="sin(pi*x)", points=8), TwoLayer(1, width=16)
    >>> *_, last = spring(net, problem, steps=20)
    >>> last.loss < 1e-4 * problem.loss(net)
    True
"""

import math
from collections.abc import Iterator
from typing import Annotated

import torch
from torch import Tensor

from pinn_ntk.networks.model import Model
from pinn_ntk.networks.sums import residual
from pinn_ntk.problem.residual import Problem
from pinn_ntk.rules import checked, fraction, positive
from pinn_ntk.training.damping import FORMS, DampedSteps, Form
from pinn_ntk.training.gauss_newton import jacobian, require_jacobian, split
from pinn_ntk.training.memory import Memory
from pinn_ntk.training.options import GradientTolerance, Steps
from pinn_ntk.training.path import Path
from pinn_ntk.training.states import State, Status, StopRule


@checked
def spring(
    network: Model,
    problem: Problem,
    damping: Annotated[float, positive("λ as a share of the largest diagonal entry of JᵀJ/n at the start")] = 1e-8,
    momentum: Annotated[float, fraction("μ, the share of the last step that is kept")] = 0.9,
    learning_rate: Annotated[float, positive("η, the length of a step that is short enough")] = 1.0,
    norm_limit: Annotated[float, positive("C, the length of the longest move")] = 1.0,
    steps: Steps = 100,
    gradient_tolerance: GradientTolerance = 0.0,
    form: Form = "auto",
    stop: StopRule | None = None,
    memory: Memory | None = None,
) -> Iterator[State]:
    """θ ← θ + min(η, C/‖δ‖) δ with δ = μδ₋₁ − Jᵀ(JJᵀ + nλI)⁻¹(e + μJδ₋₁); every step is taken.

    Args:
        network: where training starts; it is not changed.
        problem: the blocks.
        damping: λ as a share of the largest diagonal entry of JᵀJ/n at θ⁰, above 0.
        momentum: μ.
        learning_rate: η.
        norm_limit: C, the length of the longest move.
        steps: at most; a step is a Jacobian and a factorisation.
        gradient_tolerance: CONVERGED when ‖∇R_S‖ is at most this share of its first value.
        form: as in `levenberg_marquardt`.
        stop: when to end earlier.
        memory: of an earlier run of it, to go on where that was.

    Yields:
        States, the first one θ⁰; `time` counts steps.

    Raises:
        ValueError: an option out of its range.
        MemoryShortageError: J and the Gram matrix do not fit.

    References:
        Goldshlager, Abrahamsen & Lin, J. Comput. Phys. 516 (2024), algorithm 1.
    """
    dual, n = FORMS[form], problem.points
    require_jacobian(network, problem, dual)
    held = memory or Memory()
    path = Path(problem, network, steps, stop or StopRule(), gradient_tolerance, held)
    system, weights, delta, shift = (
        problem.system(network),
        held.weights(network.weights),
        held.get("delta"),
        held.get("shift", 0.0),
    )
    for k in path.coming:
        path.keep(k, weights, {"delta": delta, "shift": shift})
        e, J = residual(system, weights), jacobian(system, weights)
        state = path.state(k, weights, e, (J.mT @ e / n,), float(k))
        yield state
        if state.status is not Status.RUNNING:
            return
        shift = shift or damping * float((J * J).sum(0).max()) / n  # read back: once
        delta = remembered(J, e, delta, shift, momentum, dual)
        size = float(torch.linalg.vector_norm(delta))  # read back: whether the step is finite, and how long
        rate = min(learning_rate, norm_limit / size) if math.isfinite(size) and size > 0.0 else learning_rate
        weights = weights.moved(*split(weights, rate * delta))


def remembered(
    J: Tensor, e: Tensor, before: Tensor | None, damping: float, momentum: float, dual: bool | None = None
) -> Tensor:
    """δ = μδ₋₁ − Jᵀ(JJᵀ + nλI)⁻¹(e + μJδ₋₁), (P,).

    Args:
        J: Jacobian, (n, P).
        e: residual, (n,).
        before: δ₋₁; None for 0.
        damping: λ.
        momentum: μ.
        dual: see `DampedSteps`.
    """
    if before is None or momentum == 0.0:
        return DampedSteps(J, e, dual).step(damping)
    kept = momentum * before
    return kept + DampedSteps(J, e + J @ kept, dual).step(damping)
