"""Training of the network linearised at initialisation, solved exactly mode by mode: gradient flow and gradient descent.

Loss R_S = ‖e‖²/(2n), θ̇ = −∇R_S or θ_{k+1} = θ_k − τ∇R_S; eigenvalues λ are those of JJᵀ/n, J the Jacobian of e (rows scaled).
A method enters by two functions of λ only: how a residual mode decays, r(λ), and how far it has moved the parameters, (1 − r)/λ.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

Times = float | Tensor
Steps = int | Tensor


def flow_decay(eigenvalues: Tensor, t: Times) -> Tensor:
    """e^{−λt}, shape t.shape + (n,); 1 at λ = 0 also as t → ∞."""
    return torch.exp(-_exponent(eigenvalues, _column(t, eigenvalues, "t")))


def flow_response(eigenvalues: Tensor, t: Times) -> Tensor:
    """φ₁(λ, t) = (1 − e^{−λt})/λ, φ₁(0, t) = t, shape t.shape + (n,)."""
    time = _column(t, eigenvalues, "t")
    return _divided(-torch.expm1(-_exponent(eigenvalues, time)), eigenvalues, time)


def descent_decay(eigenvalues: Tensor, k: Steps, step: float) -> Tensor:
    """r_k = (1 − τλ)ᵏ, shape k.shape + (n,); |r_k| grows where τλ > 2."""
    log, odd = _log_power(eigenvalues, k, step)
    return torch.where(odd, -torch.exp(log), torch.exp(log))


def descent_response(eigenvalues: Tensor, k: Steps, step: float) -> Tensor:
    """c_k = (1 − (1 − τλ)ᵏ)/λ, kτ at λ = 0, shape k.shape + (n,)."""
    log, odd = _log_power(eigenvalues, k, step)
    return _divided(torch.where(odd, 1.0 + torch.exp(log), -torch.expm1(log)), eigenvalues, step * _column(k, eigenvalues, "k"))


def _column(value: Times, like: Tensor, name: str) -> Tensor:
    column = torch.as_tensor(value, dtype=like.dtype, device=like.device)[..., None]
    if not bool((column >= 0).all()):
        raise ValueError(f"{name} = {value}: expected numbers ≥ 0; training starts at {name} = 0.")
    return column


def _exponent(rates: Tensor, times: Tensor) -> Tensor:
    """λt with 0·∞ = 0."""
    return torch.where((rates == 0) | (times == 0), 0.0, rates * times)


def _log_power(eigenvalues: Tensor, k: Steps, step: float) -> tuple[Tensor, Tensor]:
    """log|1 − τλ|ᵏ without rounding 1 − τλ (τλ − 2 is exact near 2), and whether the power is negative."""
    count, s = _column(k, eigenvalues, "k"), step * eigenvalues
    log = torch.where(s < 1, torch.log1p(-s.clamp(max=1)), torch.log1p(s.clamp(min=1) - 2))
    return torch.where((count == 0) | (log == 0), 0.0, count * log), (s > 1) & (count.remainder(2) == 1)


def _divided(numerator: Tensor, eigenvalues: Tensor, at_zero: Tensor) -> Tensor:
    null = eigenvalues == 0
    return torch.where(null, at_zero, numerator / torch.where(null, 1.0, eigenvalues))


def clamped(eigenvalues: Tensor) -> Tensor:
    """Λ with λ < ε n λ_max set to 0: what is below the rounding of JJᵀ/n is no rate."""
    n, largest = eigenvalues.numel(), eigenvalues.max().clamp(min=0)
    return torch.where(eigenvalues < torch.finfo(eigenvalues.dtype).eps * n * largest, 0.0, eigenvalues).clamp(min=0)


def require_finite(matrices: dict[str, Tensor]) -> None:
    """Refuse NaN and ∞ before an eigensolver turns them into plausible numbers."""
    bad = [name for name, matrix in matrices.items() if not bool(torch.isfinite(matrix).all())]
    if bad:
        raise ValueError(f"{', '.join(bad)}: got non-finite entries, expected finite ones; check features, points and target.")


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
            raise ValueError(f"got a kernel {tuple(kernel.shape)} and {n} residuals, expected ({n}, {n}); pass JJᵀ/n of all blocks.")
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
        largest = float(self.eigenvalues.max())
        return 2.0 / largest if largest > 0 else math.inf

    def mode_losses(self, t: Times = 0.0) -> Tensor:
        """(u_jᵀe₀)² e^{−2λ_j t}/(2n), whose sum over j is R_S(t); shape t.shape + (n,)."""
        return self._losses(flow_decay(self.eigenvalues, t))

    def loss(self, t: Times) -> Tensor:
        """R_S(t) = Σ_j (u_jᵀe₀)² e^{−2λ_j t}/(2n), shape of t."""
        return self.mode_losses(t).sum(-1)

    def loss_after(self, k: Steps, step: float) -> Tensor:
        """R_S after k steps of gradient descent of size τ, Σ_j (u_jᵀe₀)² (1 − τλ_j)^{2k}/(2n), shape of k."""
        return self._losses(descent_decay(self.eigenvalues, k, step)).sum(-1)

    def residual(self, t: Times) -> Tensor:
        """e(t) = U e^{−Λt} Uᵀe₀, shape t.shape + (n,)."""
        return (flow_decay(self.eigenvalues, t) * self.coefficients) @ self.vectors.T

    def residual_after(self, k: Steps, step: float) -> Tensor:
        """e_k = U (1 − τΛ)ᵏ Uᵀe₀, shape k.shape + (n,)."""
        return (descent_decay(self.eigenvalues, k, step) * self.coefficients) @ self.vectors.T

    def at(self, cross: Tensor, initial: Tensor, t: Times) -> Tensor:
        """h(x, t) = h₀(x) − (1/n) J_xJᵀ U φ₁(Λ, t) Uᵀe₀; null modes contribute nothing as t → ∞.

        Args:
            cross: (p, n) (1/n) J_xJᵀ, J_x the Jacobian of whatever is predicted at p new points.
            initial: (p,) h₀(x).
            t: time or (T,) times.

        Returns:
            t.shape + (p,) predictions.
        """
        return self._predict(cross, initial, flow_response(self.eigenvalues, t))

    def at_after(self, cross: Tensor, initial: Tensor, k: Steps, step: float) -> Tensor:
        """h_k(x) = h₀(x) − (1/n) J_xJᵀ U c_k(Λ) Uᵀe₀, c_k = (1 − (1 − τλ)ᵏ)/λ; arguments as for `at`."""
        return self._predict(cross, initial, descent_response(self.eigenvalues, k, step))

    def _losses(self, decay: Tensor) -> Tensor:
        return torch.where(self.coefficients == 0, 0.0, (decay * self.coefficients).square() / (2 * self.coefficients.numel()))

    def _predict(self, cross: Tensor, initial: Tensor, response: Tensor) -> Tensor:
        moved = torch.where((self.eigenvalues == 0) & torch.isinf(response), 0.0, response) * self.coefficients
        return initial - moved @ (cross @ self.vectors).T
