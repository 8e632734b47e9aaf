"""Mean field: N particles θ_k = (a_k, w_k) in the potential that they make themselves, and their network h = (1/N)
Σ_k a_k σ(w_k·x).

    dθ_k = −∇V(θ_k; p_t) dt − κθ_k dt + √(2T) dB_k,   V(a, w; p) = (1/n) Σ_i e_i a φ(w; x_i),   p_t = (1/N) Σ_k
    δ_{θ_k(t)}.

With κ = T = 0 this is θ' = −∇R_S in a time of its own: particles move by N∇R_S, so t_MF = t/N.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
import torch
from torch import Tensor

from pinn_ntk.arguments import MAX_SEED
from pinn_ntk.dynamics import Dynamics
from pinn_ntk.networks.features import System
from pinn_ntk.networks.fused import accelerated
from pinn_ntk.networks.model import Model
from pinn_ntk.networks.sums import residual_and_gradient
from pinn_ntk.networks.two_layer import TwoLayer, Weights, require_two_layer
from pinn_ntk.problem.residual import Problem
from pinn_ntk.rules import checked, one_of, positive, real, whole
from pinn_ntk.training.descent import step_limit
from pinn_ntk.training.memory import Memory
from pinn_ntk.training.options import Absolute, Steps, StepSize
from pinn_ntk.training.path import loss_and_norm
from pinn_ntk.training.states import State, Status, StopRule

INTEGRATORS = ("euler", "adaptive")
MOST_STEPS = 20_000
"""Steps of the adaptive method at most: where ∇φ jumps, as with ReLU,
particles may slide along a kink and no step is short enough.
"""
Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
Push = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True)
class _Cloud:
    """The particles' equations.

    Attributes:
        system: what the neurons have to satisfy.
        start: the network before training.
        weight_decay: κ.
        temperature: T.
        seed: of the noise.
    """

    system: System
    start: TwoLayer
    weight_decay: float
    temperature: float
    seed: int

    @property
    def plain(self) -> bool:
        """Whether θ moves by −N∇R_S alone. Coefficients of extra functions are no particles:
        they move at the rate 1.
        """
        return self.weight_decay == 0.0 and self.temperature == 0.0 and not self.start.extra

    def gradient(self, weights: Weights) -> tuple[Tensor, Push]:
        """e and ∇R_S."""
        return residual_and_gradient(self.system, weights)

    def velocity(self, weights: Weights, gradient: Push) -> Push:
        """ȧ = −N∇_aR_S − κa, ẇ = −N∇_wR_S − κw, β̇ = −∇_βR_S."""
        n, kappa = self.start.width, self.weight_decay
        return -n * gradient[0] - kappa * weights.a, -n * gradient[1] - kappa * weights.w, -gradient[2]

    def noise(self, step: int, dt: float, like: Weights) -> Push:
        """√(2T dt) ξ, ξ ~ N(0, I): a wider cloud of the same seed shakes its first particles alike, step after step."""
        size = math.sqrt(2.0 * self.temperature * dt)
        table = np.random.default_rng((self.seed, step)).standard_normal((like.a0.shape[0], like.w0.shape[1] + 1))
        xi = size * torch.from_numpy(table).to(like.a0)
        return xi[:, 0], xi[:, 1:], torch.zeros_like(like.extra)


@dataclass(frozen=True)
class _Move:
    """Where the particles are after a step.

    Attributes:
        time: t_MF.
        weights: θ.
        last: whether the horizon is reached.
        failed: whether the integrator gave up.
    """

    time: float
    weights: Weights
    last: bool
    failed: bool = False


_Advance = Callable[[int, Weights, Push], _Move]
"""(k, θ_k, ∇R_S(θ_k)) → the next place."""


def _euler(cloud: _Cloud, dt: float, steps: int) -> _Advance:
    """θ_{k+1} = θ_k + dt·velocity + √(2T dt) ξ_k."""

    def advance(k: int, weights: Weights, gradient: Push) -> _Move:
        moved = weights.moved(*(dt * v for v in cloud.velocity(weights, gradient)))
        if cloud.temperature > 0.0:
            moved = moved.moved(*cloud.noise(k, dt, weights))
        return _Move((k + 1) * dt, moved, k + 1 == steps)

    return advance


def _adaptive(cloud: _Cloud, times: Sequence[float], rtol: float, atol: float) -> _Advance:
    """The flow at the times given, in steps of the size that rtol and atol ask for."""
    from scipy.integrate import DOP853

    start = cloud.start.weights
    solver: Any = None
    taken = 0

    def slope(_: float, values: Array) -> Array:
        weights = _unflat(start, values)
        return _flat(cloud.velocity(weights, cloud.gradient(weights)[1]))

    def advance(k: int, _: Weights, __: Push) -> _Move:
        """On to the next of the times."""
        nonlocal solver, taken
        if solver is None:  # here, not above: its first act is to evaluate the slope
            solver = DOP853(slope, 0.0, _flat(start.displacement), times[-1], rtol=rtol, atol=atol)
        while solver.t < times[k] and solver.status == "running" and taken < MOST_STEPS:
            solver.step()
            taken += 1
        reached = solver.t >= times[k]
        y = solver.dense_output()(times[k]) if solver.t > times[k] else solver.y
        last = not reached or k + 1 == len(times)
        return _Move(times[k] if reached else solver.t, _unflat(start, y), last, solver.status == "failed")

    return advance


def _flat(parts: Push) -> Array:
    # on the CPU: scipy's integrator
    return torch.cat([p.detach().reshape(-1) for p in parts]).to(device="cpu", dtype=torch.float64).numpy()


def _unflat(start: Weights, values: Array) -> Weights:
    """The weights with displacements read from one flat array."""
    parts = (
        torch.from_numpy(values.copy()).to(start.a0).split([start.da.numel(), start.dw.numel(), start.extra.numel()])
    )
    return start.displaced(parts[0], parts[1].reshape(start.dw.shape), parts[2])


@checked
def particle_flow(
    network: TwoLayer,
    problem: Problem,
    step_size: StepSize = 0.5,
    absolute: Absolute = False,
    dt: Annotated[float | None, positive("step in mean-field time; null takes τ/N")] = None,
    method: Annotated[str, one_of("how particles are moved", INTEGRATORS)] = "euler",
    temperature: Annotated[float, real("T of the noise √(2T) dB", 0.0)] = 0.0,
    weight_decay: Annotated[float, real("κ of the decay −κθ", 0.0)] = 0.0,
    noise_seed: Annotated[int, whole("of the noise", high=MAX_SEED)] = 0,
    rtol: Annotated[float, positive("relative tolerance of an adaptive method")] = 1e-8,
    atol: Annotated[float, positive("absolute tolerance of an adaptive method")] = 1e-10,
    steps: Steps = 4000,
    tracked: int = 40,
    stop: StopRule | None = None,
    limit: float | None = None,
    memory: Memory | None = None,
) -> Iterator[State]:
    """dθ_k = −(N∇_{θ_k}R_S + κθ_k) dt + √(2T) dB_k over the mean-field time steps·dt.

    `State.time` stays the time t = N·t_MF of θ' = −∇R_S, in which all rates of the theory are written; the mean-field
    time is `state.time / network.width`. An Euler step dt without noise and decay is a step τ = N·dt of gradient
    descent, and is called that.

    Args:
        network: where the particles start; its scaling is 'mean_field'. It is not changed.
        problem: the blocks.
        step_size: N·dt as a fraction of the step limit 2nN/λ_max(K̂), or N·dt itself with `absolute`.
        absolute: how step_size is meant.
        dt: the step in mean-field time, in the place of step_size.
        method: 'euler' (with noise: Euler–Maruyama), a state for each step; or 'adaptive': Dormand–Prince of order 8,
            `tracked` states.
        temperature: T ≥ 0 of the entropic noise.
        weight_decay: κ ≥ 0, for the particles.
        noise_seed: of the noise.
        rtol: relative tolerance of the adaptive method.
        atol: its absolute tolerance, of the displacements.
        steps: Euler steps at most; steps·dt is the horizon of either method.
        tracked: states of the adaptive method, at log-spaced times from dt on.
        stop: when to end earlier; with noise or decay R_S may rise, and stagnation is not judged. With noise no R_S is
            CONVERGED: it comes and goes.
        limit: the step limit, where it is known already.
        memory: of an earlier run of it, to go on where that was; the adaptive method has none.

    Raises:
        ValueError: a network without the 1/N, an unknown method, a number out of range, or noise under the adaptive
            method.
    """
    require_particles(network, {"method": method, "temperature": temperature})
    cloud = _Cloud(accelerated(problem.system(network), network, steps), network, weight_decay, temperature, noise_seed)
    tau = (
        network.width * dt if dt is not None else step_size if absolute else step_size * _limit(network, problem, limit)
    )
    stuck = None if math.isfinite(tau) else Status.NON_FINITE if math.isnan(tau) else Status.STAGNATED
    tau = tau if stuck is None else 0.0
    dt, rule = tau / network.width, stop or StopRule()
    if not cloud.plain:
        rule = replace(rule, window=max(rule.window, steps + 1))
    advance = (
        _euler(cloud, dt, steps) if method == "euler" else _adaptive(cloud, _spaced(dt, steps, tracked), rtol, atol)
    )
    if not cloud.plain:
        dynamics = Dynamics("other", tau if method == "euler" else 0.0)
    else:
        dynamics = Dynamics("descent", tau) if method == "euler" else Dynamics("flow")
    held = (memory or Memory()) if method == "euler" else None
    yield from _states(
        cloud, problem, advance, rule, dynamics, stuck or (Status.MAX_STEPS if steps == 0 else None), held
    )


def _spaced(dt: float, steps: int, count: int) -> list[float]:
    """Up to `count` log-spaced times from dt to steps·dt."""
    return [*np.geomspace(dt, steps * dt, min(count, steps))[:-1].tolist(), steps * dt] if steps and dt > 0.0 else []


def require_particles(network: Model, options: Mapping[str, object]) -> None:
    """Refuse what has no particles, or moves them in a way that they cannot take.

    Args:
        network: where they are to start.
        options: of `particle_flow`, of which `method` and `temperature` are looked at.

    Raises:
        ValueError: a network without the 1/N, or noise under the adaptive method.
    """
    network, method, temperature = (
        require_two_layer(network, "particle_flow"),
        options.get("method"),
        options.get("temperature", 0.0),
    )
    if network.scaling != "mean_field":
        raise ValueError(
            f"scaling: got {network.scaling!r}, expected 'mean_field': particles are neurons of h = (1/N) Σ a σ(w·x); "
            "set network=mean_field, or descend by gradient_descent or gradient_flow"
        )
    if temperature and method == "adaptive":
        raise ValueError(
            f"temperature: got {temperature} with the adaptive method, expected 0; noise needs method 'euler'"
        )


def _limit(network: TwoLayer, problem: Problem, known: float | None) -> float:
    return step_limit(network, problem) if known is None else known


def _states(
    cloud: _Cloud,
    problem: Problem,
    advance: _Advance,
    rule: StopRule,
    dynamics: Dynamics,
    ended: Status | None,
    held: Memory | None,
) -> Iterator[State]:
    """One state for each move, the initial one first; the only one when it has ended already."""
    before = held or Memory()
    move, losses, k = (
        _Move(before.get("time", 0.0), before.weights(cloud.start.weights), before.get("last", False)),
        list(before.losses),
        before.step,
    )
    while True:
        if held is not None:
            held.keep(k, move.weights, {"time": move.time, "last": move.last})
        e, gradient = cloud.gradient(move.weights)
        loss, norm = loss_and_norm(e, gradient, problem.points)
        losses.append(loss)
        status = Status.NON_FINITE if move.failed else ended or rule.status(losses, move.last)
        if status is Status.CONVERGED and cloud.temperature > 0.0:  # noise leaves again what it came upon
            status = Status.MAX_STEPS if move.last else Status.RUNNING
        time = cloud.start.width * move.time
        yield State(k, time, dynamics.step, move.weights, e, losses[-1], norm, status, cloud.start, dynamics)
        if status is not Status.RUNNING:
            return
        move, k = advance(k, move.weights, gradient), k + 1
