"""Damped Gauss–Newton steps on R = ‖e‖²/(2n) with J = ∂e/∂θ, and the damping that follows how far the linear model can
be trusted.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from torch import Tensor

from pinn_ntk.rules import one_of
from pinn_ntk.training.memory import Memory

_LEAST_GAIN = 1e-4
"""A trial is taken when R falls by this share of what the linear model promised."""
_TRUSTED = 0.1
"""The model is trusted when the gain is this close to 1: μ then falls as fast as R,
which makes the last steps quadratic.
"""
FORMS: dict[str, bool | None] = {"auto": None, "primal": False, "dual": True}
"""Whether the dual system is solved, JJᵀ, the tangent kernel, in the place of JᵀJ; None leaves it to the shape."""
Form = Annotated[
    str, one_of("which matrix is factored: JᵀJ (primal), JJᵀ, the tangent kernel (dual), or the smaller one", FORMS)
]


@dataclass
class DampedSteps:
    """δ(μ) = −(JᵀJ + nμI)⁻¹Jᵀe for one J and as many μ as are tried.

    With M the tall one of J and Jᵀ, MᵀM + nμI is factored by Cholesky while its condition number is below 1e-6/ε, else
    by QR of (R, √(nμ)I) with M = QR, whose condition number is the root of that; either is followed by one step of
    refinement. δ is then right to about 1e-8 for nμ ≥ 1e-14·tr(JᵀJ) in float64. μ = 0 takes the pseudo-inverse.

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
        self._trace: float | None = None
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
        if self._trace is None:
            # read back: which factorisation is right
            self._trace = float(torch.linalg.vector_norm(self._tall)) ** 2
        if torch.finfo(self.J.dtype).eps * self._trace < 1e-6 * shift:
            shifted = self.gram.clone()
            shifted.diagonal().add_(shift)
            lower: Tensor
            lower, failed = torch.linalg.cholesky_ex(shifted)
            if not bool(failed):  # read back: which factorisation is right
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
class Trial:
    """A step that was tried.

    Attributes:
        place: what is known where it leads.
        e: the residual there.
        delta: δ.
        gain: how R fell beside what e + Jδ promised.
        fall: R there over R before.
    """

    place: Any
    e: Tensor
    delta: Tensor
    gain: float
    fall: float


@dataclass
class Damping:
    """μ after Nielsen (1999): up by 2, 4, 8, … at each failure in a row, down by max(1/3, 1 − (2·gain − 1)³)
    at a success.

    Attributes:
        mu: μ.
        growth: the next factor up.
    """

    mu: float
    growth: float = 2.0

    @classmethod
    def remembered(cls, memory: Memory) -> "Damping | None":
        """As an earlier run left it; None where there was none yet."""
        return cls(memory.get("mu"), memory.get("growth")) if "mu" in memory.values else None

    def failed(self) -> None:
        """After a step that was not taken."""
        self.mu, self.growth = self.growth * self.mu, 2.0 * self.growth

    def succeeded(self, gain: float, fall: float) -> None:
        """After a step that was taken: `fall` is R after it over R before."""
        least = min(1.0 / 3.0, fall) if abs(gain - 1.0) < _TRUSTED else 1.0 / 3.0
        self.mu, self.growth = self.mu * max(least, 1.0 - (2.0 * min(gain, 1.0) - 1.0) ** 3), 2.0


def next_step(
    J: Tensor,
    e: Tensor,
    move: Callable[[Tensor], tuple[Any, Tensor]],
    control: Damping,
    least: float,
    dual: bool | None = None,
) -> Trial | str:
    """The next step that lowers R, μ growing until there is one, or why there is none;
    with μ = 0 the step is taken as it is.

    Args:
        J: Jacobian, (n, P).
        e: residual, (n,).
        move: δ → the place that it leads to, and the residual there.
        control: μ, changed in place.
        least: a step of this size that lowers R no more ends it.
        dual: see `DampedSteps`.
    """
    solver = DampedSteps(J, e, dual)
    while True:
        trial = _tried(J, e, move, solver.step(control.mu))
        if control.mu == 0.0:
            return trial
        if trial.gain > _LEAST_GAIN:
            control.succeeded(trial.gain, trial.fall)
            return trial
        if float(trial.delta.norm()) <= least:  # read back: whether the method ends
            return "the step met its tolerance and lowered the loss no more"
        control.failed()
        # read back: whether the method ends
        if not control.mu < float((J * J).sum()) / (J.shape[0] * torch.finfo(J.dtype).eps):
            return "no damping lowers the loss any more"


def _tried(J: Tensor, e: Tensor, move: Callable[[Tensor], tuple[Any, Tensor]], delta: Tensor) -> Trial:
    (place, there), change = move(delta), J @ delta
    # ‖e + Jδ‖² − ‖e‖² and how ‖e‖² fell, without cancellation
    products = torch.stack([change @ (2.0 * e + change), (e - there) @ (e + there), there @ there, e @ e])
    more, fell, after, before = products.tolist()  # read back: whether the step is taken
    gain = fell / -more if -more > 0.0 and math.isfinite(fell) else -math.inf
    return Trial(place, there, delta, gain, after / before if before > 0.0 else math.inf)
