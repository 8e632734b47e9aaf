"""Sufficient widths: the three terms of each theorem, the last crossing of N ≥ RHS(N), and the sharper first terms."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from pinn_ntk.theory.bounds import Premises, expected_initial_loss, first_term, second_term, third_term

Gamma = float | str
_GAMMAS: dict[str, Callable[[float], float]] = {
    "inv_sqrt_width": lambda N: 1.0 / math.sqrt(N),
    "inv_width": lambda N: 1.0 / N,
}
_LARGEST = 10**300


def gamma_at(gamma: Gamma, N: float) -> float:
    """γ(N): the number itself, 1/√N ("inv_sqrt_width") or 1/N ("inv_width")."""
    if not isinstance(gamma, str):
        return gamma
    if gamma not in _GAMMAS:
        raise ValueError(f"gamma = {gamma!r}: expected a number or one of {sorted(_GAMMAS)}.")
    return _GAMMAS[gamma](N)


@dataclass(frozen=True)
class WidthTerms:
    """The right-hand side of a width theorem at one N, term by term: N ≥ max{first, second, third}.

    Attributes:
        first: λ_min(K̂^(a)(θ⁰)) ≥ ¾λ_S.
        second: q ≤ η, parameters stay around initialisation.
        third: t* = ∞, the kernel stays within λ_S/4.
    """

    first: float
    second: float
    third: float

    @property
    def largest(self) -> float:
        """max{first, second, third}."""
        return max(self.first, self.second, self.third)

    @property
    def binding(self) -> str:
        """Name of the largest term."""
        return max(("first", "second", "third"), key=lambda name: float(getattr(self, name)))


def width_terms(premises: Premises, N: float, initial_loss: float, first: float | None = None) -> WidthTerms:
    """N ≥ max{32n⁴C_d/(λ_S²δ), 4√2 dn√R_S(θ⁰)/λ_S, 256√2 d³n² log(4N(d+1)/δ)√R_S(θ⁰)/λ_S²} and its PDE counterpart.

    Args:
        premises: what the theorem is told.
        N: width at which the logarithms are taken.
        initial_loss: R_S(θ⁰) = ‖e‖²/(2n), as realised.
        first: a sharper first term in place of the lecture's (`variance_term`, `whitened_term`).

    References:
        Lecture 13, equation (4) and the PDE theorem.
    """
    lead = first_term(premises) if first is None else first
    return WidthTerms(lead, second_term(premises, N, initial_loss), third_term(premises, N, initial_loss))


@dataclass(frozen=True)
class LeastWidth:
    """The least N from which on N ≥ RHS(N), with E R_S(θ⁰) for R_S(θ⁰).

    Attributes:
        width: an integer below 2⁵³, correct to rounding above; ∞ beyond 1e300.
        terms: the three terms at that width.
        initial_loss: E R_S(θ⁰) at that width.
    """

    width: float
    terms: WidthTerms
    initial_loss: float


def least_width(
    premises: Premises, gamma: Gamma, target_square: float, trace: float, first: float | None = None
) -> LeastWidth:
    """min{N₀ : N ≥ RHS(N) for all N ≥ N₀}, RHS with R_S(θ⁰) = (‖f‖² + Nγ(N)² tr K^(a))/(2n).

    RHS need not be monotone, but RHS(N)/N strictly decreases once log(4N(d+1)/δ) > 2(3p−1)/2, since √R_S(θ⁰) grows at
    most as √N: above that (a few hundred) bisect in log N, below it look at every integer.

    Args:
        premises: what the theorem is told.
        gamma: γ as a number in (0, 1), "inv_sqrt_width" or "inv_width".
        target_square: ‖f‖² over the (row-scaled) points.
        trace: tr K^(a).
        first: a sharper first term in place of the lecture's.

    References:
        Lecture 13, equation (4) and the PDE theorem, whose right-hand sides contain N.
    """
    lead = first_term(premises) if first is None else first

    def at(N: int) -> LeastWidth:
        loss = expected_initial_loss(target_square, trace, premises.n, gamma_at(gamma, N), N)
        return LeastWidth(float(N), width_terms(premises, N, loss, lead), loss)

    def met(N: int) -> bool:
        return at(N).terms.largest <= N

    logs = 3 * premises.theorem.p - 1
    start = max(1, math.ceil(math.exp(logs) * premises.delta / (4 * (premises.d + 1))))
    if met(start):
        while start > 1 and met(start - 1):
            start -= 1
        return at(start)
    N = _first_met(met, start)
    return LeastWidth(math.inf, at(_LARGEST).terms, at(_LARGEST).initial_loss) if N is None else at(N)


def _first_met(met: Callable[[int], bool], lower: int) -> int | None:
    """Least integer above `lower` at which `met`, false at `lower` and monotone from there, turns true:
    bisection in log N.
    """
    upper = lower
    while not met(upper):
        if upper == _LARGEST:
            return None
        lower, upper = upper, min((upper + 1) ** 2, _LARGEST)
    while upper - lower > max(1, lower >> 52):
        middle = max(lower + 1, math.isqrt(lower * upper))
        lower, upper = (lower, middle) if met(middle) else (middle, upper)
    return upper


def variance_term(variance: float, lambda_s: float, delta: float) -> float:
    """32 Σ_ij Var(φ_iφ_j)/(λ_S²δ), a sharper first term: Markov on ‖K̂^(a) − K^(a)‖_F² (derived;
    n² where the lecture has n⁴).
    """
    return 32.0 * variance / (lambda_s**2 * delta)


def whitened_term(whitened: float, n: int, delta: float) -> float:
    """32(E(φᵀK⁻¹φ)² − n)/δ, a sharper first term free of λ_S (derived).

    E‖K^{-1/2}K̂K^{-1/2} − I‖_F² = (E(φᵀK⁻¹φ)² − n)/N, and ≤ ¼ in norm gives K̂ ⪰ ¾K.
    """
    return 32.0 * (whitened - n) / delta
