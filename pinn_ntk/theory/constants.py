"""The constants of the two linear-convergence theorems: moments of ‖w‖₁, η, and the numbers in front."""

import math
from dataclasses import dataclass

import numpy as np


def absolute_moment(k: int) -> float:
    """μ_k = E|w|ᵏ = 2^{k/2} Γ((k+1)/2)/√π for w ~ N(0, 1)."""
    return math.pow(2.0, k / 2) * math.gamma((k + 1) / 2) / math.sqrt(math.pi)


def l1_moment(d: int, m: int) -> float:
    """C_d = E‖w‖₁ᵐ = m! [tᵐ] (Σ_k μ_k tᵏ/k!)ᵈ for w ~ N(0, I_d).

    The truncated series is raised to the power d by squaring; every coefficient is positive, so nothing cancels.

    Args:
        d: dimension, after bias lifting.
        m: 4 in the regression theorem, 12 in the PDE theorem.

    Raises:
        ValueError: if d < 1 or m < 0.

    References:
        Lecture 13, both linear-convergence theorems (C_d).
    """
    if d < 1 or m < 0:
        raise ValueError(
            f"C_d = E‖w‖₁ᵐ: got d = {d}, m = {m}, expected d ≥ 1, m ≥ 0; pass the lifted dimension and the "
            "theorem's moment."
        )
    series = np.array([absolute_moment(k) / math.factorial(k) for k in range(m + 1)])
    power = np.eye(1, m + 1)[0]
    while d:
        if d & 1:
            power = np.convolve(power, series)[: m + 1]
        series = np.convolve(series, series)[: m + 1]
        d >>= 1
    return float(math.factorial(m) * power[m])


def log_factor(N: float, d: int, delta: float) -> float:
    """log(4N(d+1)/δ), from a union bound over the N(d+1) parameters."""
    return math.log(4.0 * N * (d + 1) / delta)


def eta(N: float, d: int, delta: float) -> float:
    """η = √(2 log(4N(d+1)/δ)): with probability ≥ 1 − δ/2, |a_k⁰| ≤ γη and ‖w_k⁰‖_∞ ≤ η for every k."""
    return math.sqrt(2.0 * log_factor(N, d, delta))


@dataclass(frozen=True)
class Theorem:
    """One of the two linear-convergence theorems for σ = max(0, z)ᵖ/p!, written once in p, with Λ = log(4N(d+1)/δ):

    N ≥ c₁n⁴M⁴C_d/(λ_S²δ),  c₂Mdᵖn Λ^{(p−1)/2}√R_S(θ⁰)/λ_S,  c₃M³d³ᵖn² Λ^{(3p−1)/2}√R_S(θ⁰)/λ_S²,
    q = c_q M dᵖ n Λ^{p/2} √R_S(θ⁰)/(Nλ_S),  C_d = E‖w‖₁^{4p}.

    p = 1, M = 1 is the regression theorem, p = 3 the PDE theorem; the PDE's c_q is derived (the lecture's second term
    is q ≤ η with 400 in its place), and so is M > 1 in regression (row weights).

    Attributes:
        name: "regression" or "pde".
        activation: the one activation it is proved for.
        p: degree of homogeneity of σ.
        first, second, third: c₁, c₂, c₃.
        drift: c_q.

    References:
        Lecture 13; Luo and Yang, arXiv:2106.06682 and arXiv:2006.15733.
    """

    name: str
    activation: str
    p: int
    first: float
    second: float
    third: float
    drift: float

    def moment(self, d: int) -> float:
        """C_d = E‖w‖₁^{4p}."""
        return l1_moment(d, 4 * self.p)


REGRESSION = Theorem("regression", "relu", 1, 32.0, 4.0 * math.sqrt(2.0), 256.0 * math.sqrt(2.0), 8.0)
PDE = Theorem("pde", "relu3", 3, 512.0, 200.0 * math.sqrt(2.0), 2.0**23, 320.0)
