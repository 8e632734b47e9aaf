"""Training of the network linearised at initialisation, solved exactly mode by mode under any dynamics that has a
closed form.

Loss R_S = ‖e‖²/(2n); eigenvalues λ are those of JJᵀ/n, J the Jacobian of e (rows scaled). A method enters by two
functions of λ only: how a residual mode decays, r(λ), and how far it has moved the parameters, c(λ) = (1 − r)/λ:

    e = U r(Λ) Uᵀe₀,   θ − θ₀ = −(1/n) Jᵀ U c(Λ) Uᵀe₀,   h(x) = h₀(x) − (1/n) J_xJᵀ U c(Λ) Uᵀe₀.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from pinn_ntk.dynamics import Dynamics
from pinn_ntk.theory.modes import Times, descent_decay, descent_rate, descent_response, flow_decay, flow_response
from pinn_ntk.theory.momentum import momentum_decay, momentum_rate, momentum_response

Law = tuple[Callable[[Tensor, Times], Tensor], Callable[[Tensor, Times], Tensor], Callable[[Tensor], Tensor]]
FLOW = Dynamics("flow")


def decay(dynamics: Dynamics, eigenvalues: Tensor, at: Times) -> Tensor:
    """r(λ): e^{−λt}, (1 − τλ)ᵏ, or its like with momentum.

    Args:
        dynamics: how θ moves.
        eigenvalues: (n,) λ.
        at: times of a flow, else numbers of steps.

    Returns:
        at.shape + (n,).

    Raises:
        ValueError: dynamics without a closed form.
    """
    return _law(dynamics)[0](eigenvalues, at)


def response(dynamics: Dynamics, eigenvalues: Tensor, at: Times) -> Tensor:
    """c(λ) = (1 − r(λ))/λ, by which a residual mode has moved the parameters; arguments as for `decay`."""
    return _law(dynamics)[1](eigenvalues, at)


def rate(dynamics: Dynamics, eigenvalues: Tensor) -> Tensor:
    """How fast log|r| falls in the end: λ in the time of a flow; a number for each step otherwise,
    negative where the mode grows.
    """
    return _law(dynamics)[2](eigenvalues)


def _law(of: Dynamics) -> Law:
    """What a method has to say: its decay, its response and its rate."""
    if of.kind == "other":
        raise ValueError(
            "dynamics: got 'other', expected flow, descent, heavy_ball or nesterov; the rest have no closed form"
        )
    if of.kind == "flow":
        return flow_decay, flow_response, torch.clone
    if of.kind == "descent":
        return (
            partial(descent_decay, step=of.step),
            partial(descent_response, step=of.step),
            partial(descent_rate, step=of.step),
        )
    tau, beta, ahead = of.step, of.momentum, of.kind == "nesterov"
    return (
        partial(momentum_decay, step=tau, momentum=beta, nesterov=ahead),
        partial(momentum_response, step=tau, momentum=beta, nesterov=ahead),
        partial(momentum_rate, step=tau, momentum=beta, nesterov=ahead),
    )


def clamped(eigenvalues: Tensor) -> Tensor:
    """Λ with λ < ε n λ_max set to 0: what is below the rounding of JJᵀ/n is no rate."""
    n, largest = eigenvalues.numel(), eigenvalues.max().clamp(min=0)
    return torch.where(eigenvalues < torch.finfo(eigenvalues.dtype).eps * n * largest, 0.0, eigenvalues).clamp(min=0)


def require_finite(matrices: dict[str, Tensor]) -> None:
    """Refuse NaN and ∞ before an eigensolver turns them into plausible numbers."""
    # read back: whether the kernel is finite
    bad = [name for name, matrix in matrices.items() if not bool(torch.isfinite(matrix).all())]
    if bad:
        raise ValueError(
            f"{', '.join(bad)}: got non-finite entries, expected finite ones; check features, points and target."
        )


@dataclass(frozen=True)
class Linearisation:
    """e(t) = U e^{−Λt} Uᵀe₀ with JJᵀ/n = UΛUᵀ; after k steps of size τ, (1 − τλ)ᵏ in the place of e^{−λt}.

    Attributes:
        eigenvalues: (n,) Λ, largest first, below the rounding floor exactly 0.
        vectors: (n, n) U, one mode a column.
        coefficients: (n,) Uᵀe₀.
    """

    eigenvalues: Tensor
    vectors: Tensor
    coefficients: Tensor

    @classmethod
    def from_kernel(cls, kernel: Tensor, residual: Tensor) -> "Linearisation":
        """UΛUᵀ = JJᵀ/n = (s²N/n) K̂.

        Args:
            kernel: (n, n) JJᵀ/n, symmetric, positive semi-definite up to rounding.
            residual: (n,) e₀.

        Raises:
            ValueError: if shapes disagree or an entry is not finite.
        """
        n = residual.numel()
        if kernel.shape != (n, n):
            raise ValueError(
                f"got a kernel {tuple(kernel.shape)} and {n} residuals, expected ({n}, {n}); pass JJᵀ/n of all blocks."
            )
        require_finite({"kernel": kernel, "residual": residual})
        eigenvalues, vectors = torch.linalg.eigh(kernel)
        vectors = vectors.flip(-1)
        return cls(clamped(eigenvalues.flip(-1)), vectors, vectors.T @ residual)

    @classmethod
    def from_jacobian_factor(cls, factor: Tensor, residual: Tensor) -> "Linearisation":
        """λ = σ²/n with R = QΣUᵀ, RᵀR = JJᵀ: small eigenvalues keep the digits that forming JJᵀ loses.

        Args:
            factor: (m, n) Jᵀ itself or its triangular factor, any m.
            residual: (n,) e₀.

        Raises:
            ValueError: if shapes disagree or an entry is not finite.
        """
        n = residual.numel()
        if factor.ndim != 2 or factor.shape[1] != n:
            raise ValueError(f"got a factor {tuple(factor.shape)} and {n} residuals, expected (m, {n}) with RᵀR = JJᵀ.")
        require_finite({"factor": factor, "residual": residual})
        _, singular, right = torch.linalg.svd(factor, full_matrices=factor.shape[0] < n)
        eigenvalues = torch.zeros(n, dtype=factor.dtype, device=factor.device)
        eigenvalues[: singular.numel()] = singular.square() / n
        return cls(clamped(eigenvalues), right.T, right @ residual)

    @property
    def step_limit(self) -> float:
        """2/λ_max(JJᵀ/n) = 2n/(s²Nλ_max(K̂)): gradient descent is stable below; ∞ for J = 0."""
        return self.limit_under(Dynamics("descent"))

    def limit_under(self, dynamics: Dynamics) -> float:
        """s_max/λ_max: the step below which that method is stable; ∞ for a flow and for J = 0."""
        largest = float(self.eigenvalues.max())
        return dynamics.stability / largest if largest > 0 else math.inf

    def residual_under(self, dynamics: Dynamics, at: Times) -> Tensor:
        """e = U r(Λ) Uᵀe₀.

        Args:
            dynamics: how θ moves.
            at: time or times of a flow, else steps.

        Returns:
            at.shape + (n,).
        """
        return (decay(dynamics, self.eigenvalues, at) * self.coefficients) @ self.vectors.T

    def mode_losses_under(self, dynamics: Dynamics, at: Times) -> Tensor:
        """(u_jᵀe)²/(2n) = (u_jᵀe₀)² r(λ_j)²/(2n), whose sum over j is R_S;
        arguments and shape as for `residual_under`.
        """
        left = decay(dynamics, self.eigenvalues, at) * self.coefficients
        return torch.where(self.coefficients == 0, 0.0, left.square() / (2 * self.coefficients.numel()))

    def loss_under(self, dynamics: Dynamics, at: Times) -> Tensor:
        """R_S = Σ_j (u_jᵀe₀)² r(λ_j)²/(2n), shape of `at`."""
        return self.mode_losses_under(dynamics, at).sum(-1)

    def at_under(self, cross: Tensor, initial: Tensor, dynamics: Dynamics, at: Times) -> Tensor:
        """h(x) = h₀(x) − (1/n) J_xJᵀ U c(Λ) Uᵀe₀; null modes contribute nothing as t → ∞.

        Args:
            cross: (p, n) (1/n) J_xJᵀ, J_x the Jacobian of whatever is predicted at p new points.
            initial: (p,) h₀(x).
            dynamics: how θ moves.
            at: time or times of a flow, else steps.

        Returns:
            at.shape + (p,) predictions.
        """
        moved = response(dynamics, self.eigenvalues, at)
        moved = torch.where((self.eigenvalues == 0) & torch.isinf(moved), 0.0, moved) * self.coefficients
        return initial - moved @ (cross @ self.vectors).T
