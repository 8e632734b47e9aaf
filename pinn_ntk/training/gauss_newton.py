"""Second order: Levenberg–Marquardt on R_S = ‖e‖²/(2n) with the exact Jacobian J = ∂e/∂θ, (n, P).

    (JᵀJ/n + μI) δ = −∇R_S = −Jᵀe/n:   δ = −(JᵀJ + nμI)⁻¹Jᵀe (P × P) = −Jᵀ(JJᵀ + nμI)⁻¹e (n × n: the tangent kernel).

Whichever matrix is smaller is used. With μ = 0 it is the Gauss–Newton method, θ ← θ − J⁺e.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pinn_ntk.kernels.memory import require_bytes
from pinn_ntk.networks.features import System, jacobian_columns
from pinn_ntk.networks.model import Model, Theta
from pinn_ntk.networks.sums import residual
from pinn_ntk.networks.two_layer import Weights
from pinn_ntk.problem.residual import Problem
from pinn_ntk.training.path import Path, require_range, require_steps
from pinn_ntk.training.states import State, Status, StopRule

_LEAST_GAIN = 1e-4
"""A trial is taken when R_S falls by this share of what the linear model promised."""
_TRUSTED = 0.1
"""The model is trusted when the gain is this close to 1: μ then falls as fast as R_S, which makes the last steps quadratic."""


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


@dataclass
class DampedSteps:
    """δ(μ) = −(JᵀJ + nμI)⁻¹Jᵀe for one J and as many μ as are tried.

    With M the tall one of J and Jᵀ, MᵀM + nμI is factored by Cholesky while its condition number is below 1e-6/ε, else by QR of (R, √(nμ)I)
    with M = QR, whose condition number is the root of that; either is followed by one step of refinement. δ is then right to about 1e-8 for
    nμ ≥ 1e-14·tr(JᵀJ) in float64. μ = 0 takes the pseudo-inverse.

    Args:
        J: Jacobian, (n, P).
        e: residual, (n,).
        dual: whether the n × n system is solved; the smaller one by default.
    """

    J: Tensor
    e: Tensor
    dual: bool | None = None

    def __post_init__(self) -> None:
        n, parameters = self.J.shape
        self._dual = n < parameters if self.dual is None else self.dual
        self._tall = self.J.mT if self._dual else self.J
        self._gram: Tensor | None = None
        self._triangle: Tensor | None = None

    @property
    def gram(self) -> Tensor:
        """JJᵀ = s²N K̂, the tangent kernel (dual), or JᵀJ."""
        self._gram = self._tall.mT @ self._tall if self._gram is None else self._gram
        return self._gram

    def step(self, mu: float) -> Tensor:
        """δ, (P,).

        Args:
            mu: μ ≥ 0.
        """
        if mu == 0.0:
            newton: Tensor = torch.linalg.pinv(self.J) @ self.e
            return -newton
        shift = mu * self.J.shape[0]
        factor = self._factor(shift)
        right = self.e if self._dual else self.J.mT @ self.e
        y = _solved(factor, right)
        y = y + _solved(factor, right - self._tall.mT @ (self._tall @ y) - shift * y)
        return -(self.J.mT @ y) if self._dual else -y

    def _factor(self, shift: float) -> Tensor:
        """Lower L with LLᵀ = MᵀM + shift·I."""
        eps, trace = torch.finfo(self.J.dtype).eps, float(torch.linalg.vector_norm(self._tall)) ** 2
        if eps * trace < 1e-6 * shift:
            shifted = self.gram.clone()
            shifted.diagonal().add_(shift)
            lower: Tensor
            lower, failed = torch.linalg.cholesky_ex(shifted)
            if not bool(failed):
                return lower
        if self._triangle is None:
            self._triangle = torch.linalg.qr(self._tall, mode="r").R
        root = math.sqrt(shift) * torch.eye(self._tall.shape[1], dtype=self.J.dtype, device=self.J.device)
        upper: Tensor = torch.linalg.qr(torch.cat([self._triangle, root]), mode="r").R
        return upper.mT


def _solved(lower: Tensor, right: Tensor) -> Tensor:
    """(LLᵀ)⁻¹ right."""
    half = torch.linalg.solve_triangular(lower, right[:, None], upper=False)
    whole: Tensor = torch.linalg.solve_triangular(lower.mT, half, upper=True)
    return whole[:, 0]


@dataclass(frozen=True)
class _Trial:
    """A step that was tried: where it leads and how R_S fell beside what e + Jδ promised."""

    weights: Theta
    e: Tensor
    delta: Tensor
    gain: float


def _tried(system: Any, weights: Theta, e: Tensor, J: Tensor, delta: Tensor) -> _Trial:
    parts = torch.split(delta, [p.numel() for p in weights.displacement])
    moved = weights.moved(*(part.reshape(p.shape) for part, p in zip(parts, weights.displacement, strict=True)))
    there, change = residual(system, moved), J @ delta
    promised = -float(change @ (2.0 * e + change))  # ‖e‖² − ‖e + Jδ‖² without cancellation
    fell = float((e - there) @ (e + there))
    gain = fell / promised if promised > 0.0 and math.isfinite(fell) else -math.inf
    return _Trial(moved, there, delta, gain)


@dataclass
class _Damping:
    """μ after Nielsen (1999): up by 2, 4, 8, … at each failure in a row, down by max(1/3, 1 − (2·gain − 1)³) at a success.

    Attributes:
        mu: μ.
        growth: the next factor up.
    """

    mu: float
    growth: float = 2.0

    def failed(self) -> None:
        """After a step that was not taken."""
        self.mu, self.growth = self.growth * self.mu, 2.0 * self.growth

    def succeeded(self, gain: float, fall: float) -> None:
        """After a step that was taken: `fall` is R_S after it over R_S before."""
        least = min(1.0 / 3.0, fall) if abs(gain - 1.0) < _TRUSTED else 1.0 / 3.0
        self.mu, self.growth = self.mu * max(least, 1.0 - (2.0 * min(gain, 1.0) - 1.0) ** 3), 2.0


def levenberg_marquardt(
    network: Model,
    problem: Problem,
    damping: float = 1e-12,
    steps: int = 100,
    gradient_tolerance: float = 0.0,
    step_tolerance: float = 1e-15,
    stop: StopRule | None = None,
) -> Iterator[State]:
    """θ ← θ − (JᵀJ/n + μI)⁻¹∇R_S(θ), a state for each step that lowers R_S; μ follows the gain ratio.

    Args:
        network: where training starts; it is not changed.
        problem: the blocks.
        damping: μ at θ⁰ as a share of the largest diagonal entry of JᵀJ/n; 0 is the Gauss–Newton method, each of whose steps is taken.
        steps: at most; a step is a Jacobian, a factorisation, and a residual for each μ that is tried.
        gradient_tolerance: CONVERGED when ‖∇R_S‖ is at most this share of its first value.
        step_tolerance: STAGNATED when R_S does not fall by a step δ with ‖δ‖ at most this share of 1 + ‖θ − θ⁰‖.
        stop: when to end earlier.

    Yields:
        States, the first one θ⁰; `time` counts steps. When no μ lowers R_S, the last state repeats θ with status STAGNATED.

    Raises:
        ValueError: an option out of its range.
        MemoryShortageError: J and the smaller Gram matrix do not fit.
    """
    require_steps(steps)
    for name, value in (("damping", damping), ("gradient_tolerance", gradient_tolerance), ("step_tolerance", step_tolerance)):
        require_range(name, value, 0.0)
    n, parameters = problem.points, network.parameter_count
    system, weights = problem.system(network), network.weights
    size = (3 * n * parameters + 5 * min(n, parameters) ** 2) * system.target.element_size()
    require_bytes(size, system.target.device, f"the Jacobian of {n} rows by {parameters} parameters")
    path, control = Path(problem, network, steps, stop or StopRule(), gradient_tolerance), None
    e = residual(system, weights)
    for k in range(steps + 1):
        J = jacobian(system, weights)
        gradient = J.mT @ e / n
        state = path.state(k, weights, e, (gradient,), float(k))
        yield state
        if state.status is not Status.RUNNING:
            return
        control = control or _Damping(damping * float((J * J).sum(0).max()) / n)
        trial = _next(system, state, J, control, step_tolerance)
        if isinstance(trial, str):
            yield path.stuck(state, trial)
            return
        weights, e = trial.weights, trial.e


def _next(system: Any, state: State, J: Tensor, control: _Damping, tolerance: float) -> _Trial | str:
    """The next step that is taken, or why there is none."""
    e, weights = state.residual, state.weights
    solver = DampedSteps(J, e)
    explosion = float((J * J).sum()) / (J.shape[0] * torch.finfo(J.dtype).eps)
    while True:
        trial = _tried(system, weights, e, J, solver.step(control.mu))
        if control.mu == 0.0:
            return trial
        if trial.gain > _LEAST_GAIN:
            control.succeeded(trial.gain, float(trial.e @ trial.e) / float(e @ e))
            return trial
        if float(trial.delta.norm()) <= tolerance * _size(weights):
            return "the step met its tolerance and lowered the loss no more"
        control.failed()
        if not control.mu < explosion:
            return "no damping lowers the loss any more"


def _size(weights: Any) -> float:
    """1 + ‖θ − θ⁰‖."""
    return 1.0 + math.sqrt(sum(float((p * p).sum()) for p in weights.displacement))
