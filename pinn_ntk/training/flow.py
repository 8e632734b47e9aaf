"""Gradient flow θ' = −∇R_S(θ), integrated by scipy; for small networks, where its accuracy is worth its cost.

Examples:
    >>> from pinn_ntk import TwoLayer, box, gradient_flow, laplacian, pose
    >>> problem, net = pose(-laplacian(1), box(0, 1), exact="sin(pi*x)", points=8), TwoLayer(1, width=16)
    >>> [state.loss < problem.loss(net) for state in gradient_flow(net, problem, times=[0.0, 0.1])]
    [False, True]
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated, Any

import numpy as np
import torch
from torch import Tensor

from pinn_ntk.dynamics import Dynamics
from pinn_ntk.networks.fused import accelerated
from pinn_ntk.networks.model import Model, Theta
from pinn_ntk.networks.sums import residual_and_gradient
from pinn_ntk.problem.residual import Problem
from pinn_ntk.rules import checked, one_of, positive, share, whole
from pinn_ntk.training.descent import step_limit
from pinn_ntk.training.memory import Memory
from pinn_ntk.training.states import State, Status, StopRule

METHODS = ("DOP853", "RK45", "RK23", "Radau", "BDF", "LSODA")
"""The integrators of scipy."""
MOST_EVALUATIONS = 100_000
"""Evaluations of ∇R_S between two times at most."""
_EVALUATIONS = 50  # of the gradient, for each time that is asked for
_FAILED = "the integrator found no step that is short enough"
_SLIDES = (
    "the integrator came to no next time in {:,} evaluations of the gradient: where an activation has a kink "
    "the flow may slide along it, "
    "which gradient_descent does by steps that it need not shorten; smooth activations have none"
)
Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


def flow_times(network: Model, problem: Problem, steps: int, step_size: float, count: int) -> list[float]:
    """`count` log-spaced times from one step of gradient descent to all of them, after 0:
    what GD with that step size would cover.
    """
    tau = step_size * step_limit(network, problem)
    return [0.0, *np.geomspace(tau, max(steps, 2) * tau, max(count - 1, 1)).tolist()]


@checked
def gradient_flow(
    network: Model,
    problem: Problem,
    times: Sequence[float],
    rtol: Annotated[float, share("relative tolerance of the integrator")] = 1e-9,
    atol: Annotated[float, positive("absolute tolerance of the displacements")] = 1e-12,
    method: Annotated[str, one_of("of scipy", METHODS)] = "DOP853",
    most: Annotated[int, whole("evaluations of ∇R_S between two times", 1)] = MOST_EVALUATIONS,
    stop: StopRule | None = None,
    memory: Memory | None = None,
) -> Iterator[State]:
    """θ' = −∇R_S(θ), one state at each of the times given.

    Args:
        network: where the flow starts; it is not changed.
        problem: the blocks.
        times: increasing, from 0 on.
        rtol: relative tolerance of the integrator.
        atol: absolute tolerance of the displacements.
        method: one of `METHODS`; explicit ones suit wide networks, 'Radau' and 'BDF' form a P × P matrix.
        most: evaluations of ∇R_S between two times at most.
        stop: when to end earlier.
        memory: of an earlier run of it, to go on where that was.

    Yields:
        The states. Where φ has kinks, as with ReLU, the flow may slide along one of them, for which no step of an
        integrator is short
        enough: the state that `most` evaluations lead to is the last one then, and its note says so.

    Raises:
        ValueError: times that do not increase from 0, or an unknown method.
    """
    from scipy import integrate

    _check(times, method)
    rule = replace(stop or StopRule(), window=max(2, len(times)))
    start: Theta = network.weights
    system = accelerated(problem.system(network), network, _EVALUATIONS * len(times))
    held = memory or Memory()
    losses: list[float] = list(held.losses)
    # on the CPU: scipy's integrator
    y: Array = _flat(*start.displacement) if held.step == 0 else held.values["y"].numpy()

    def slope(_: float, values: Array) -> Array:
        gradient = residual_and_gradient(system, _unflat(start, values))[1]
        return -_flat(*gradient)

    note = ""
    for k, time in list(enumerate(times))[held.step :]:
        if k > held.step:
            y, time, note = _arrived(
                getattr(integrate, method)(slope, times[k - 1], y, time, rtol=rtol, atol=atol), most
            )
        weights = _unflat(start, y)
        held.keep(k, weights, {"y": torch.from_numpy(np.ascontiguousarray(y))})  # on the CPU: scipy's integrator
        e, gradient = residual_and_gradient(system, weights)
        losses.append(float(e @ e) / (2 * problem.points))  # read back: whether training stops is decided in numbers
        status = rule.status(losses, last=k == len(times) - 1 or bool(note))
        status = Status.NON_FINITE if note == _FAILED else status
        norm = float(np.linalg.norm(_flat(*gradient)))
        yield State(k, time, 0.0, weights, e, losses[-1], norm, status, network, Dynamics("flow"), note)
        if status is not Status.RUNNING:
            return


def _check(times: Sequence[float], method: str) -> None:
    if not times or times[0] != 0.0 or any(b <= a for a, b in zip(times, times[1:], strict=False)):
        raise ValueError(f"times: got {list(times)[:4]}…, expected increasing numbers that begin with 0")
    if method not in METHODS:
        raise ValueError(f"method: got {method!r}, expected one of {', '.join(METHODS)}")


def _arrived(solver: Any, most: int) -> tuple[Array, float, str]:
    """Where the integrator comes to on its way to its last time, when, and why not there."""
    while solver.status == "running":
        if solver.nfev > most:
            return solver.y, float(solver.t), _SLIDES.format(most)
        solver.step()
    return solver.y, float(solver.t), _FAILED if solver.status == "failed" else ""


def _flat(*parts: Tensor) -> Array:
    # on the CPU: scipy's integrator
    return torch.cat([p.detach().reshape(-1) for p in parts]).to(device="cpu", dtype=torch.float64).numpy()


def _unflat(start: Theta, values: Array) -> Theta:
    """The weights with displacements read from one flat array."""
    # on the CPU: scipy's integrator
    parts = torch.from_numpy(values.copy()).split([like.numel() for like in start.displacement])
    return start.displaced(
        *(part.reshape(like.shape).to(like) for part, like in zip(parts, start.displacement, strict=True))
    )
