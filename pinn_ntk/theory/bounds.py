"""One function per statement of the lecture, named after it, in its letters; every term is returned.

Loss R_S = ‖e‖²/(2n) and gradient flow θ̇ = −∇R_S throughout; `scale` is s²N in JJᵀ = s²N K̂, hence N for the lecture's
network.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from pinn_ntk.theory.constants import Theorem, eta, log_factor


@dataclass(frozen=True)
class Premises:
    """What a theorem is told: n points in dimension d, λ_S > 0, probability 1 − δ, coefficient bound M ≥ 1.

    Attributes:
        theorem: REGRESSION or PDE.
        n: number of points, all blocks together.
        d: input dimension after bias lifting.
        lambda_s: λ_S = λ_min(K^(a)) of the (row-scaled) features.
        delta: δ ∈ (0, 1).
        M: max(1, max_b s_b sup|entries of A, b, c|).

    Raises:
        ValueError: if one of them is outside its range.
    """

    theorem: Theorem
    n: int
    d: int
    lambda_s: float
    delta: float
    M: float = 1.0

    def __post_init__(self) -> None:
        """Refuse every value for which the statements have no meaning."""
        if self.n < 1 or self.d < 1:
            raise ValueError(f"n = {self.n}, d = {self.d}: expected at least one point in dimension at least 1.")
        if not 0.0 < self.lambda_s < math.inf:
            raise ValueError(f"λ_S = {self.lambda_s}: the theorems assume 0 < λ_S < ∞; call `applicability` first.")
        if not 0.0 < self.delta < 1.0:
            raise ValueError(f"δ = {self.delta}: expected 0 < δ < 1, e.g. 0.1.")
        if not 1.0 <= self.M < math.inf:
            raise ValueError(f"M = {self.M}: expected 1 ≤ M < ∞; use max(1, sup of the entries of A, b, c).")


def convergence_rate(scale: float, lambda_s: float, n: int) -> float:
    """s²Nλ_S/n (Nλ_S/n for the lecture's network): R_S(θ(t)) ≤ exp(−rate·t) R_S(θ⁰) with R_S = ‖e‖²/(2n)."""
    return scale * lambda_s / n


def log_envelope(t: Tensor, initial_loss: float, rate: float) -> Tensor:
    """R_S(θ(t)) ≤ e^{−rate·t}R_S(θ⁰) as log R_S(θ⁰) − rate·t, which never underflows; −∞ if R_S(θ⁰) = 0."""
    return (math.log(initial_loss) if initial_loss > 0 else -math.inf) - rate * t


def log_descent_envelope(k: Tensor, initial_loss: float, rate: float, step: float, share: float) -> Tensor:
    """R_S(θ_k) ≤ [1 − (1−f)τ·rate]^k R_S(θ⁰), f = τβ/2, for gradient descent as it steps, in logs.

    Derived: R_{k+1} ≤ R_k − τ(1 − τβ/2)‖∇R_k‖² where β bounds λ_max(∇²R) between the two, and ‖∇R‖² ≥ rate·R while
    λ_min(K̂^(a)) ≥ λ_S/2. The limit τ → 0 is `log_envelope` at t = kτ.

    Args:
        k: steps.
        initial_loss: R_S(θ⁰).
        rate: s²Nλ_S/n.
        step: τ.
        share: f = τβ/2, the step as a share of the one at which nothing is promised.

    Raises:
        ValueError: f outside [0, 1).
    """
    if not 0.0 <= share < 1.0:
        raise ValueError(f"share: got f = τβ/2 = {share:g}, expected 0 ≤ f < 1; take a step below 2/β.")
    # (1−f)τ·rate ≤ ½ where rate ≤ β; a λ_S above the λ_max of a small network would make it more
    fall = math.log1p(-min((1.0 - share) * step * rate, 0.5))
    return (math.log(initial_loss) if initial_loss > 0 else -math.inf) + fall * k


def cut_time(initial_loss: float, rate: float, floor: float) -> float:
    """t_cut = log(R_S(θ⁰)/floor)/rate, where the envelope meets rounding; ∞ if rate = 0, 0 if it starts below.

    Args:
        initial_loss: R_S(θ⁰).
        rate: of the envelope.
        floor: of R_S in the precision of the run, `networks.rounding_loss`.
    """
    if initial_loss <= floor:
        return 0.0
    return math.inf if rate == 0 or floor == 0 else math.log(initial_loss / floor) / rate


@dataclass(frozen=True)
class LambdaMinLemma:
    """λ_min(K̂^(a)(θ⁰)) ≥ `bound` with probability ≥ 1 − δ once N ≥ `width`."""

    bound: float
    width: float


def lambda_min_lemma(premises: Premises) -> LambdaMinLemma:
    """λ_min(K̂^(a)(θ⁰)) ≥ ¾λ_S if N ≥ 16n⁴C_d/(λ_S²δ) (PDE, derived: 256n⁴M⁴C_d/(λ_S²δ)).

    The theorems spend δ/2 on this event, hence twice that width in their first term.

    References:
        Lecture 13, lemma on λ_min(K̂^(a)(θ⁰)).
    """
    p = premises
    width = p.theorem.first / 2.0 * p.n**4 * p.M**4 * p.theorem.moment(p.d) / (p.lambda_s**2 * p.delta)
    return LambdaMinLemma(0.75 * p.lambda_s, width)


def initial_loss_lemma(N: float, d: int, gamma: float, delta: float, M: float = 1.0) -> float:
    """R_S(θ⁰) ≤ ½(1 + M·6γ√(Nd) log(4N(d+1)/δ)(√(2 log 2d) + √(2 log(8/δ))))² with probability ≥ 1 − δ.

    Regression with ReLU, |Sf| ≤ 1 on the points, x ∈ [0,1]ᵈ; M = max(1, sup s_b|c|) of rows S c h = Sf, derived.

    References:
        Lecture 13, lemma on R_S(θ⁰).
    """
    tails = math.sqrt(2.0 * math.log(2.0 * d)) + math.sqrt(2.0 * math.log(8.0 / delta))
    return 0.5 * (1.0 + M * 6.0 * gamma * math.sqrt(N * d) * log_factor(N, d, delta) * tails) ** 2


def initial_loss_lemma_pde(premises: Premises, N: float, gamma: float, target_square: float) -> float:
    """√(2R_S(θ⁰)) ≤ ‖f‖/√n + γ√N (5/3) M d³η₀³ √(2 log(4n/δ)), η₀ = √(2 log(4Nd/δ)), with probability ≥ 1 − δ.

    Derived: |w| ≤ η₀ throughout but for δ/2, |φ| ≤ (5/3)M‖w‖₁³, and 𝓛h(x_i) is Gaussian given w; any f.

    Args:
        premises: of the PDE theorem; λ_S is not used.
        N: width.
        gamma: standard deviation of a_k⁰.
        target_square: ‖f‖² over the (row-scaled) points.

    Returns:
        The bound on R_S(θ⁰) = ‖e‖²/(2n).
    """
    n, d, delta = premises.n, premises.d, premises.delta
    eta_0 = math.sqrt(2.0 * math.log(4.0 * N * d / delta))
    feature = 5.0 / 3.0 * premises.M * (d * eta_0) ** 3
    return (
        0.5
        * (math.sqrt(target_square / n) + gamma * math.sqrt(N) * feature * math.sqrt(2.0 * math.log(4.0 * n / delta)))
        ** 2
    )


def expected_initial_loss(target_square: float, trace: float, n: int, gamma: float, scale: float) -> float:
    """E R_S(θ⁰) = (‖f‖² + s²Nγ² tr K^(a))/(2n), exact at every width (a_k independent of w_k, mean 0, variance γ²)."""
    return (target_square + scale * gamma**2 * trace) / (2.0 * n)


@dataclass(frozen=True)
class DriftLemma:
    """For t < t* and every k, with probability ≥ 1 − δ once N ≥ `width`: the parameters stay around initialisation.

    Attributes:
        q: bound on |a_k(t) − a_k(0)| and ‖w_k(t) − w_k(0)‖_∞.
        eta: bound on ‖w_k(0)‖_∞.
        gamma_eta: bound on |a_k(0)|.
        width: the larger of the theorem's first two terms.
        holds: whether N ≥ width.
    """

    q: float
    eta: float
    gamma_eta: float
    width: float
    holds: bool


def first_term(premises: Premises) -> float:
    """32n⁴C_d/(λ_S²δ) (PDE: 512n⁴M⁴C_d/(λ_S²δ)): K̂^(a)(θ⁰) is within λ_S/4 of K^(a) but for probability δ/2."""
    return 2.0 * lambda_min_lemma(premises).width


def second_term(premises: Premises, N: float, initial_loss: float) -> float:
    """4√2 dn√R_S(θ⁰)/λ_S (PDE: 200√2 Md³n log(4N(d+1)/δ)√R_S(θ⁰)/λ_S): q ≤ η."""
    p = premises
    power = p.theorem.p
    logs = math.pow(log_factor(N, p.d, p.delta), (power - 1) / 2)
    return p.theorem.second * p.M * float(p.d) ** power * p.n * logs * math.sqrt(initial_loss) / p.lambda_s


def third_term(premises: Premises, N: float, initial_loss: float) -> float:
    """256√2 d³n² log(…)√R_S(θ⁰)/λ_S² (PDE: 2²³M³d⁹n² log⁴(…)√R_S(θ⁰)/λ_S²), … = 4N(d+1)/δ: t* = ∞."""
    p = premises
    power = p.theorem.p
    logs = math.pow(log_factor(N, p.d, p.delta), (3 * power - 1) / 2)
    return (
        p.theorem.third * p.M**3 * float(p.d) ** (3 * power) * p.n**2 * logs * math.sqrt(initial_loss) / p.lambda_s**2
    )


def drift_lemma(premises: Premises, N: float, gamma: float, initial_loss: float) -> DriftLemma:
    """|a_k(t) − a_k(0)|, ‖w_k(t) − w_k(0)‖_∞ ≤ q = 8dn√(R_S(θ⁰) log(4N(d+1)/δ))/(Nλ_S), η = √(2 log(4N(d+1)/δ)).

    PDE, derived: q = 320Md³n√R_S(θ⁰) log^{3/2}(4N(d+1)/δ)/(Nλ_S).

    Args:
        premises: what the theorem is told.
        N: width.
        gamma: standard deviation of a_k⁰.
        initial_loss: R_S(θ⁰) = ‖e‖²/(2n) as realised.

    References:
        Lecture 13, lemma on the parameters before t*.
    """
    p = premises
    power = p.theorem.p
    logs = math.pow(log_factor(N, p.d, p.delta), power / 2)
    q = p.theorem.drift * p.M * float(p.d) ** power * p.n * logs * math.sqrt(initial_loss) / (N * p.lambda_s)
    width = max(first_term(p), second_term(p, N, initial_loss))
    size = eta(N, p.d, p.delta)
    return DriftLemma(q, size, gamma * size, width, width <= N)


def stopping_radius(lambda_s: float) -> float:
    """λ_S/4: t* = inf{t : ‖K̂^(a)(θ(t)) − K̂^(a)(θ⁰)‖_F > λ_S/4}, part (a), absolute Frobenius norm."""
    return 0.25 * lambda_s


def exit_time(times: Tensor, drift: Tensor, lambda_s: float) -> tuple[float, float] | None:
    """t* = inf{t : ‖K̂^(a)(θ(t)) − K̂^(a)(θ⁰)‖_F > λ_S/4} between two of `times`: the last one inside, the first one
    outside; None where it is never outside.

    Args:
        times: (T,) increasing.
        drift: (T,) absolute Frobenius norms.
        lambda_s: λ_S.
    """
    outside = torch.nonzero(drift > stopping_radius(lambda_s))
    if not outside.numel():
        return None
    first = int(outside[0, 0])
    inside = times[:first][torch.isfinite(drift[:first])]
    return (float(inside[-1]) if inside.numel() else 0.0), float(times[first])


def evolved_lambda_min(lambda_s: float) -> float:
    """λ_S/2 ≤ λ_min(K̂^(a)(θ(t))) for t < t*: ¾λ_S at initialisation less the drift λ_S/4."""
    return 0.5 * lambda_s
