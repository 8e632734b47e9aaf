"""Linear convergence mode by mode: a certificate that does not pay 1/λ_min; R_S = ‖e‖²/(2n).

Notation of `whitened`: J₀ = U diag(σ)Vᵀ, J̃ = diag(1/σ)UᵀJ, ẽ = diag(1/σ)Uᵀe, T_i the way of mode i, |J̄̃J̃ᵀ − I|_ij ≤
Ē_ij(T), where J̄ is a segment average (J itself for the flow).

Flow: m = g' obeys m' = −(σ²/n)∘(m + (J̃J̃ᵀ − I)m), so |m_i|' ≤ −(σ_i²/n)(|m_i| − Σ_jĒ_ij|m_j|); integrated, T ≤ |ẽ₀| +
ĒT. Descent: with s_i = τσ_i²/n < 2, |ẽ_i⁺| ≤ |1 − s_i||ẽ_i| + Σ_jĒ_ij|γ_j|; summed, since γ_i = s_iẽ_i,

    T ≤ M∘(|ẽ₀| + ĒT),   M_i = 1 for the flow, max(1, s_i/(2 − s_i)) for descent.
    (∗)

Let T̂ > 0 with F(T̂) = M∘(|ẽ₀| + Ē(T̂)T̂) < T̂. While the neurons are in the balls of T̂, (∗) holds with Ē(T̂), whose
spectral radius under M is below 1, so T ≤ T̂ and the neurons are strictly inside these balls: they never leave. With ε
= ‖Ē(T̂)‖₂ < 1, for all times

    (1 − ε)J₀J₀ᵀ ⪯ JJᵀ ⪯ (1 + ε)J₀J₀ᵀ,   R_S(t) ≤ exp(−2(1 − ε)σ_min²t/n) R_S(0),
    R_S⁺ ≤ q R_S,   q = max_{s∈{s_min, s_max}} (1 − s)² + (2ε + s_max ε²)s     (a step is (I − S)ê − S^½ES^½ê in the
    basis U, S = diag(s)), |(Uᵀ(e(t) − e^lin(t)))_i| ≤ σ_i M_i(Ē(T̂)T̂)_i                              (the difference
    obeys the recursion with the forcing alone).

e₀ enters as √(e₀ᵀ(JJᵀ)⁻¹e₀)-like numbers, not as ‖e₀‖/σ_min. F is monotone, so it is iterated upwards from M∘|ẽ₀|;
F(T̂) < T̂ is checked.

Width. Where Ē ~ T², for one mode F(T) = b + qT³ has T̂ iff qT² ≤ 1/3 at T = 3b/2 (with Ē ~ T the same test asks for an
eighth more): with all modes, about iff the spectral radius of M∘Ē(3M∘|ẽ₀|/2) is 1/3 at most. Where that happens among
networks of other widths whose neurons have the same law (`Whitened.replicated`) is the estimate: φ̃, G and η/σ fall
like N^{−½}, the part f of ẽ₀ like 1/(s√N), its part h₀ like γ.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from pinn_ntk.dynamics import Dynamics
from pinn_ntk.theory.whitened import Travel, Whitened
from pinn_ntk.theory.width_estimate import least_factor

_ROUNDS = 60
_ROUNDS_STREAMED = 8
_ROOM = 1.02  # F(T̂) < T̂ is checked at this factor above the iterate
_HOPELESS = 4.0
_ALL = 1.0 - 1e-16  # a step that takes everything


@dataclass(frozen=True)
class ModeCertificate:
    """How far the modes travel, if the kernel provably stays comparable to the initial one.

    Attributes:
        certified: whether it does.
        turn: ε, (1 − ε)J₀J₀ᵀ ⪯ J(t)J(t)ᵀ ⪯ (1 + ε)J₀J₀ᵀ for all t; 1 where not certified.
        rate: R_S(t) ≤ e^{−rate·t}R_S(0), t = kτ for descent; 0 where not certified.
        width_factor: estimate of ν such that a network ν times as wide would be certified; ∞ where more neurons do not
            help.
        gap: bound on ‖e(t) − e^lin(t)‖ for all t; ∞ where not certified.
        longest: bound on max_k‖w_k(t) − w_k(0)‖; ∞ where not certified.
        feature_drift: bound on ‖Φ(t) − Φ(0)‖_F; ∞ where not certified.
    """

    certified: bool
    turn: float
    rate: float
    width_factor: float
    gap: float
    longest: float
    feature_drift: float


def mode_certificate(
    neurons: Whitened, e: Tensor, initial: Tensor, dynamics: Dynamics, powers: tuple[float, float] = (0.0, 0.5)
) -> ModeCertificate:
    """The mode certificate; where the estimated width is clearly larger, it is not attempted.

    Args:
        neurons: of θ⁰, in the modes of J₀.
        e: e₀ = h₀ − f, (n,).
        initial: h₀, the network's own part of it, (n,).
        dynamics: a flow, or descent below its stability limit.
        powers: (q, g) of s = N^{−q} and a = O(N^{−g}), for the estimate.

    Raises:
        ValueError: descent at or beyond its limit 2n/σ_max².
    """
    n, sigma = e.shape[0], neurons.sigma
    gain = _gain(sigma, n, dynamics)
    factor = _width_factor(neurons.sample(), gain, initial, e - initial, powers)
    found = _closed_way(neurons, gain, neurons.residual(e)) if factor < _HOPELESS else None
    if found is None:
        return ModeCertificate(False, 1.0, 0.0, factor, math.inf, math.inf, math.inf)
    way, travel = found
    turn = spectral_radius(torch.ones_like(gain), travel.coupling)
    gap = float(torch.linalg.vector_norm(sigma * gain * (travel.coupling @ way)))
    rate = mode_rate(float(sigma.min()), float(sigma.max()), turn, n, dynamics)
    return ModeCertificate(True, turn, rate, min(factor, 1.0), gap, travel.longest, travel.feature_drift)


def _gain(sigma: Tensor, n: int, dynamics: Dynamics) -> Tensor:
    """M: 1 for the flow, max(1, s/(2 − s)) for descent."""
    s = dynamics.step * sigma.square() / n
    if not float(s.max()) < 2.0:  # read back: whether the certificate closes
        raise ValueError(
            f"step: got τ = {dynamics.step:g}, expected less than 2n/σ_max² = {2 * n / float(sigma.max()) ** 2:g}"
        )
    return torch.ones_like(s) if dynamics.kind == "flow" else (s / (2.0 - s)).clamp_min(1.0)


def mode_rate(sigma_min: float, sigma_max: float, turn: float, n: int, dynamics: Dynamics) -> float:
    """2(1 − ε)σ_min²/n for the flow, −log(q)/τ for descent; 0 where q ≥ 1."""
    if dynamics.kind == "flow":
        return 2.0 * (1.0 - turn) * sigma_min**2 / n
    low, high = (dynamics.step * sigma**2 / n for sigma in (sigma_min, sigma_max))
    fall = min(s * (2.0 - s - 2.0 * turn - high * turn**2) for s in (low, high))  # 1 − q
    return -math.log1p(-min(fall, _ALL)) / dynamics.step if fall > 0.0 else 0.0


def spectral_radius(gain: Tensor, coupling: Tensor) -> float:
    """Of diag(M)Ē, which is similar to a symmetric matrix."""
    root = gain.sqrt()
    return float(torch.linalg.eigvalsh(root[:, None] * coupling * root)[-1])  # read back: a number of the certificate


def _closed_way(neurons: Whitened, gain: Tensor, start: Tensor) -> tuple[Tensor, Travel] | None:
    """T̂ with F(T̂) < T̂ and what it allows; None where the iteration finds none,
    or where M∘Ē has outgrown 1 on the way.
    """
    way = gain * start
    for _ in range(_ROUNDS if neurons.held is not None else _ROUNDS_STREAMED):
        trial = _ROOM * way
        travel = neurons.travel(trial)
        if not travel.closed or not spectral_radius(gain, travel.coupling) < 1.0:
            return None
        image = gain * (start + travel.coupling @ trial)
        if bool((image < trial).all()):
            return trial, travel
        way = torch.maximum(way, image)
    return None


def _width_factor(sample: Whitened, gain: Tensor, initial: Tensor, rest: Tensor, powers: tuple[float, float]) -> float:
    """ν for which a network ν times as wide, of neurons with the same law, would about be certified,
    by bisection in log ν.

    A step of descent is meant to shrink as σ_max² grows, so M stays. `initial` and `rest` are h₀ and e₀ − h₀ = −f.
    """
    scaling, fall = powers

    def enough(factor: float) -> bool:
        wider = sample.replicated(factor, scaling, fall)
        start = wider.residual(initial * factor ** (0.5 - scaling - fall) + rest)
        travel = wider.travel(1.5 * gain * start)
        return travel.closed and 3.0 * spectral_radius(gain, travel.coupling) <= 1.0

    return least_factor(enough)
