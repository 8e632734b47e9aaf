"""Linear convergence inside a ball, from σ_min(J₀), ‖e₀‖ and a Lipschitz constant of the Jacobian; R_S = ‖e‖²/(2n).

Let ‖J(θ) − J(θ')‖₂ ≤ L‖θ − θ'‖ on ‖θ − θ⁰‖ ≤ r (`jacobian_lipschitz`) and σ₀ = σ_min(J₀).

Flow θ' = −Jᵀe/n: d‖e‖/dt = −‖Jᵀe‖²/(n‖e‖), and the way s has ds/dt = ‖Jᵀe‖/n, so d‖e‖/ds ≤ −σ_min(J) ≤ −(σ₀ − Ls): ‖e‖
is gone before s* = (σ₀ − √(σ₀² − 2L‖e₀‖))/L. If 2L‖e₀‖ < σ₀² and s* ≤ r, then for all t, with κ = σ₀ − Ls* = √(σ₀² −
2L‖e₀‖),

    ‖θ(t) − θ⁰‖ ≤ s*,   σ_min(J(t)) ≥ κ,   R_S(t) ≤ exp(−2κ²t/n) R_S(0).

Descent θ⁺ = θ − τ∇R_S: β = ((σ_max + Lr)² + L‖e₀‖)/n bounds ∇²R_S in the ball while ‖e‖ ≤ ‖e₀‖. Let μ = 1 − τβ/2 > 0, κ
= σ₀ − Lr. As long as the ball is not left, R_S⁺ ≤ R_S − τμ‖∇R_S‖² and ‖∇R_S‖ ≥ κ√(2R_S/n), so √R_S − √R_S⁺ ≥ μκ‖θ⁺ −
θ‖/√(2n): the way is at most ‖e₀‖/(μκ). If 4L‖e₀‖/μ < σ₀² and s* = (σ₀ − √(σ₀² − 4L‖e₀‖/μ))/(2L) ≤ r, then with κ = σ₀ −
Ls* the same holds with R_S⁺ ≤ (1 − 2τμκ²/n) R_S.

The margin 2L‖e₀‖/σ₀² (4L‖e₀‖/(μσ₀²)) falls with the width: σ₀² ~ s²N λ_min(K^∞) while L does not grow with N, and falls
with the ball.
"""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pinn_ntk.dynamics import Dynamics
from pinn_ntk.networks.features import System
from pinn_ntk.networks.two_layer import Weights
from pinn_ntk.theory.lipschitz import gradient_norms, jacobian_lipschitz
from pinn_ntk.theory.width_estimate import SAMPLE, least_factor

_ROUNDS = 8
_PRECISION = 1.5  # of the estimated width
_ALL = 1.0 - 1e-16  # a step that takes everything


@dataclass(frozen=True)
class BallCertificate:
    """The way to the solution, if it is provably shorter than what the Jacobian allows.

    Attributes:
        certified: whether it is.
        radius: s*, bound on ‖θ(t) − θ⁰‖; where not certified, the radius at which L was taken.
        lipschitz: L on the ball of that radius.
        sigma: κ ≤ σ_min(J(t)) for all t; 0 where not certified.
        rate: R_S(t) ≤ e^{−rate·t}R_S(0), t = kτ for descent; 0 where not certified.
        margin: 2L‖e₀‖/σ₀² (flow) or 4L‖e₀‖/(μσ₀²): below 1 when certified, else the factor by which σ₀² falls short,
            with the μ of wide networks, 1 − τσ_max²/(2n).
        width_factor: estimate of ν such that a network ν times as wide would be certified; ∞ where more neurons do not
            help.
    """

    certified: bool
    radius: float
    lipschitz: float
    sigma: float
    rate: float
    margin: float
    width_factor: float


def ball_certificate(
    system: System,
    weights: Weights,
    sigma: tuple[float, float],
    residual: Tensor,
    dynamics: Dynamics,
    gradients: Tensor | None = None,
    powers: tuple[float, float] = (0.0, 0.5),
) -> BallCertificate:
    """The ball certificate, L taken on the ball it ends with.

    s*(L(r)) grows with r, so r ↦ s*(L(r)) is iterated upwards from ‖e₀‖/σ₀, below which no way can be.

    Args:
        system: n rows.
        weights: θ⁰.
        sigma: σ₀ > 0, with its rounding taken off, and σ_max of J₀.
        residual: e₀, (n,).
        dynamics: a flow or descent.
        gradients: `gradient_norms`, where they are known.
        powers: (q, g) of s = N^{−q} and a = O(N^{−g}), for the estimate.
    """
    known, n = gradient_norms(system, weights) if gradients is None else gradients, system.points
    # read back: a number of the certificate
    (sigma_min, sigma_max), size = sigma, float(torch.linalg.vector_norm(residual))
    radius = size / sigma_min
    need_wide = 2.0 if dynamics.kind == "flow" else 4.0 / _share(sigma_max, 0.0, n, dynamics)
    factor = _width_factor(system, weights, sigma_min, residual, need_wide, powers)
    for _ in range(_ROUNDS):
        lipschitz = jacobian_lipschitz(system, weights, radius, known)
        share = _share(sigma_max + lipschitz * radius, lipschitz * size, n, dynamics)
        need = 2.0 if dynamics.kind == "flow" else 4.0 / share if share > 0.0 else math.inf
        margin = need * lipschitz * size / sigma_min**2
        if not margin < 1.0:
            margin = need_wide * lipschitz * size / sigma_min**2
            break
        left = sigma_min * math.sqrt(1.0 - margin)
        way = 2.0 * size / (sigma_min + left) * (1.0 if dynamics.kind == "flow" else 1.0 / share)
        if way <= radius:
            kept = sigma_min - lipschitz * way
            return BallCertificate(
                True, way, lipschitz, kept, _rate(kept, share, n, dynamics), margin, min(factor, 1.0)
            )
        radius = way * (1.0 + 1e-3)
    return BallCertificate(False, radius, lipschitz, 0.0, 0.0, max(margin, 1.0), factor)


def _width_factor(
    system: System, weights: Weights, sigma_min: float, residual: Tensor, need: float, powers: tuple[float, float]
) -> float:
    """ν for which a network ν times as wide, of neurons with the same law, would about be certified: s → sν^{−q},
    a → aν^{−g}.

    At margin 1 the way is need·‖e₀‖/σ_min, and σ_min grows as ν^{½−q}; the part h₀ of e₀ goes as ν^{½−q−g}.
    """
    (q, g), some = powers, slice(0, SAMPLE)
    initial, sample = (
        residual + system.target,
        Weights(weights.a0[some], weights.w0[some], weights.da[some], weights.dw[some], weights.extra),
    )
    known = gradient_norms(system, sample)

    def enough(factor: float) -> bool:
        thinner = replace(sample, a0=sample.a * factor**-g, da=torch.zeros_like(sample.a))
        # read back: a number of the certificate
        size = float(torch.linalg.vector_norm(initial * factor ** (0.5 - q - g) - system.target))
        sigma = sigma_min * factor ** (0.5 - q)
        lipschitz = factor**-q * jacobian_lipschitz(system, thinner, need * size / sigma, known)
        return bool(need * lipschitz * size <= sigma * sigma)

    return least_factor(enough, _PRECISION)


def _share(norm: float, bend: float, n: int, dynamics: Dynamics) -> float:
    """μ = 1 − τβ/2 with β = (‖J‖² + L‖e₀‖)/n; 1 for the flow."""
    return 1.0 - 0.5 * dynamics.step * (norm * norm + bend) / n


def _rate(sigma: float, share: float, n: int, dynamics: Dynamics) -> float:
    """2κ²/n, or −log(1 − 2τμκ²/n)/τ."""
    slope = 2.0 * sigma * sigma / n
    return slope if dynamics.kind == "flow" else -math.log1p(-min(dynamics.step * share * slope, _ALL)) / dynamics.step
