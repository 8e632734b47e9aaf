"""The loss forecast before the first step, in the lazy limit: only infinite-width kernels and the target enter."""

from dataclasses import dataclass

import torch
from torch import Tensor

from pinn_ntk.dynamics import Dynamics
from pinn_ntk.theory.linearised import clamped, decay, require_finite
from pinn_ntk.theory.modes import Times

QUANTILES = (0.05, 0.5, 0.95)


@dataclass(frozen=True)
class Forecast:
    """E R_S(t) = (1/2n) tr[e^{−2(s²N/n)K_γ t}(ffᵀ + s²Nγ²K^(a))], K_γ = K^(a) + γ²K^(w), and quantiles over seeds.

    e₀ = −f + sΣ a_kφ(·;w_k) has mean −f and covariance s²Nγ²K^(a) at every width and is Gaussian as N → ∞, so R_S(t) is
    a quadratic form of a Gaussian; its quantiles come from draws of e₀. The kernel's own fluctuation at finite width is
    not in the band. R_S = ‖e‖²/(2n), θ̇ = −∇R_S.

    Attributes:
        eigenvalues: (n,) of (s²N/n)K_γ, largest first.
        expected: (n,) E(u_jᵀe₀)².
        drawn: (S, n) (u_jᵀe₀)² of S draws; one row where e₀ is not random.
    """

    eigenvalues: Tensor
    expected: Tensor
    drawn: Tensor

    @classmethod
    def from_kernels(
        cls,
        part_a: Tensor,
        part_w: Tensor,
        target: Tensor,
        gamma: float,
        scale: float,
        centred: bool = False,
        samples: int = 2000,
        seed: int = 0,
    ) -> "Forecast":
        """One eigendecomposition of (s²N/n)(K^(a) + γ²K^(w)).

        Args:
            part_a: (n, n) K^(a) of the infinite-width network, positive semi-definite up to rounding.
            part_w: (n, n) K^(w), for a ~ N(0, 1).
            target: (n,) f, rows scaled as those of the kernels.
            gamma: γ, with γ² = E a_k².
            scale: s²N.
            centred: e₀ = −f exactly; no randomness and no band.
            samples: draws of e₀ for the band.
            seed: of the draws.

        Raises:
            ValueError: if shapes disagree, an entry is not finite, or K^(a) is indefinite beyond rounding.
        """
        n = target.numel()
        if part_a.shape != (n, n) or part_w.shape != (n, n) or samples < 1:
            raise ValueError(
                f"forecast: got kernels {tuple(part_a.shape)} and {tuple(part_w.shape)} for {n} targets and "
                f"{samples} samples; "
                f"expected ({n}, {n}) twice and at least one sample."
            )
        require_finite({"part_a": part_a, "part_w": part_w, "target": target})
        values, vectors = torch.linalg.eigh((scale / n) * (part_a + gamma**2 * part_w))
        values, vectors = clamped(values.flip(-1)), vectors.flip(-1)
        mean = -(vectors.T @ target)
        if centred or gamma == 0:
            return cls(values, mean.square(), mean.square()[None])
        covariance = scale * gamma**2 * (vectors.T @ part_a @ vectors)
        generator = torch.Generator(device="cpu").manual_seed(seed)  # on the CPU: the same numbers for every device
        normal = torch.randn(samples, n, generator=generator, dtype=torch.float64, device="cpu").to(mean)
        random = values > 0  # s²Nγ²K^(a) ≤ nγ²Λ: a mode without a rate is not random
        drawn = (mean + random * (normal @ _factor(covariance).T)).square()
        return cls(values, mean.square() + random * covariance.diagonal().clamp(min=0), drawn)

    def mean_under(self, dynamics: Dynamics, at: Times) -> Tensor:
        """E R_S = (1/2n) Σ_j r(λ_j)² E(u_jᵀe₀)² at times of a flow or after steps, shape of `at`."""
        return self._losses(decay(dynamics, self.eigenvalues, at), self.expected)

    def band_under(self, dynamics: Dynamics, at: Times, quantiles: tuple[float, ...] = QUANTILES) -> Tensor:
        """Quantiles over seeds of R_S at times of a flow or after steps, shape (len(quantiles),) + at.shape."""
        losses = self._losses(decay(dynamics, self.eigenvalues, at), self.drawn.T)
        return torch.quantile(losses, torch.tensor(quantiles, dtype=losses.dtype, device=losses.device), dim=-1)

    @property
    def random(self) -> bool:
        """Whether e₀ is: not of a centred start, nor with γ = 0."""
        return self.drawn.shape[0] > 1

    def quantile_under(self, dynamics: Dynamics, at: Times, losses: Tensor) -> Tensor:
        """The share of draws below the losses given, which for a network of the lazy limit is uniform on [0, 1];
        shape of `at`.

        Args:
            dynamics: how θ moves.
            at: times of a flow, else steps.
            losses: R_S there, shape of `at`.
        """
        drawn = self._losses(decay(dynamics, self.eigenvalues, at), self.drawn.T)
        return (drawn < losses[..., None]).double().mean(-1)

    def _losses(self, left: Tensor, squares: Tensor) -> Tensor:
        return left.square() @ squares / (2 * self.eigenvalues.numel())


def _factor(covariance: Tensor) -> Tensor:
    """F with FFᵀ = C + jI, j at rounding level: Cholesky of a matrix that is positive semi-definite up to rounding."""
    trace = float(covariance.diagonal().sum())  # read back: how much is added to the diagonal
    identity = torch.eye(covariance.shape[0], dtype=covariance.dtype, device=covariance.device)
    rounding = max(torch.finfo(covariance.dtype).eps * trace, torch.finfo(covariance.dtype).tiny)
    for power in range(6):
        factor: Tensor
        factor, info = torch.linalg.cholesky_ex(covariance + 4.0 * rounding * 10.0**power * identity)
        if int(info) == 0:  # read back: whether the factorisation succeeded
            return factor
    raise ValueError(
        "forecast: got a K^(a) with eigenvalues below −1e-10 of its trace, expected it positive semi-definite."
    )
