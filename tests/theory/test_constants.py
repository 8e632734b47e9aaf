"""Moments of ‖w‖₁ and of the features, against closed forms, sampling and quadrature."""

import math
from itertools import combinations_with_replacement

import numpy as np
import pytest
import torch

from pinn_ntk.theory import absolute_moment, eta, l1_moment, whitened_term


@pytest.mark.parametrize(
    ("d", "m", "value"),
    [
        (1, 4, 3.0),
        (2, 4, 12 + 32 / math.pi),
        (3, 4, 27 + 168 / math.pi),
        (1, 12, 10395.0),
        (2, 12, 665280 + 2076672 / math.pi),
    ],
)
def test_l1_moment_equals_closed_form(d: int, m: int, value: float) -> None:
    assert l1_moment(d, m) == pytest.approx(value, rel=1e-14)


@pytest.mark.parametrize(
    ("d", "m", "digits"), [(4, 4, "210.52"), (5, 4, "454.68"), (3, 12, "2.92121e+07"), (4, 12, "3.01908e+08")]
)
def test_l1_moment_has_reference_digits(d: int, m: int, digits: str) -> None:
    assert (f"{l1_moment(d, m):.2f}" if m == 4 else f"{l1_moment(d, m):.5e}") == digits


@pytest.mark.parametrize("m", [0, 1, 2, 5, 7])
def test_l1_moment_equals_multinomial_sum(m: int) -> None:
    """E(Σ|w_i|)ᵐ = Σ over index multisets of the multinomial coefficient times Π μ."""
    d, total = 3, 0.0
    for indices in combinations_with_replacement(range(d), m):
        powers = [indices.count(i) for i in range(d)]
        total += math.factorial(m) / math.prod(map(math.factorial, powers)) * math.prod(map(absolute_moment, powers))
    assert l1_moment(d, m) == pytest.approx(total, rel=1e-14)


def test_l1_moment_in_high_dimension_concentrates() -> None:
    """‖w‖₁ has mean d√(2/π) and variance d(1 − 2/π): (C_d)^{1/m} → mean (1 + (m−1)var/(2mean²))."""
    d, m = 1000, 16
    mean, variance = d * math.sqrt(2 / math.pi), d * (1 - 2 / math.pi)
    assert l1_moment(d, 2) == pytest.approx(mean**2 + variance, rel=1e-13)
    assert l1_moment(d, m) ** (1 / m) == pytest.approx(mean * (1 + (m - 1) * variance / (2 * mean**2)), rel=1e-4)


@pytest.mark.parametrize(("d", "m"), [(0, 4), (2, -1)])
def test_l1_moment_refuses_impossible_arguments(d: int, m: int) -> None:
    with pytest.raises(ValueError, match="expected d ≥ 1"):
        l1_moment(d, m)


def test_all_parameters_stay_within_eta_with_the_promised_probability() -> None:
    """P(max over N(d+1) normals > η) ≤ δ/2, and the union bound is not wasteful by more than a factor 10."""
    N, d, delta = 5, 2, 0.5
    draws = torch.randn(20000, N * (d + 1), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    frequency = float((draws.abs().amax(1) > eta(N, d, delta)).double().mean())
    assert delta / 20 < frequency < delta / 2


def plane_moments(angles: np.ndarray, radii: np.ndarray, weight_power: int, gram: np.ndarray) -> tuple[float, float]:
    """E‖φ‖⁴ and E(φᵀK⁻¹φ)² of φ_i = w₁^q max(0, |x_i| r cos(θ − α_i)), q = `weight_power`,
    by a fine periodic rule in θ.
    """
    theta = (np.arange(400000) + 0.5) * (2 * math.pi / 400000)
    features = np.cos(theta) ** weight_power * np.maximum(0, radii[:, None] * np.cos(theta - angles[:, None]))
    power = 2 * (weight_power + 1)  # E r^{2m} = 2^m m!
    scale = 2**power * math.factorial(power)
    norms, whitened = (features**2).sum(0), (features * np.linalg.solve(gram, features)).sum(0)
    return scale * float((norms**2).mean()), scale * float((whitened**2).mean())


def plane_gram(angles: np.ndarray, radii: np.ndarray, weight_power: int) -> np.ndarray:
    """K^(a) of the same features: Gauss–Legendre on the arc where both are positive."""
    lower, upper = np.maximum.outer(angles, angles) - math.pi / 2, np.minimum.outer(angles, angles) + math.pi / 2
    nodes, weights = np.polynomial.legendre.leggauss(40)
    half = np.maximum(upper - lower, 0) / 2
    theta = (upper + lower)[..., None] / 2 + half[..., None] * nodes
    values = (
        np.cos(theta) ** (2 * weight_power)
        * np.cos(theta - angles[:, None, None])
        * np.cos(theta - angles[None, :, None])
    )
    power = weight_power + 1
    return np.outer(radii, radii) * half * (values @ weights) * 2**power * math.factorial(power) / (2 * math.pi)


@pytest.mark.parametrize(("weight_power", "leading"), [(0, 2.2e5), (2, 2e6)])
def test_whitened_term_with_end_points_has_reference_digits(weight_power: int, leading: float) -> None:
    """n = 10 points i/9 with bias: 2.2e5 for ReLU regression, 2e6 for the Laplacian of ReLU³/6 (6.9e17 and 7e21 in the
    lecture).
    """
    x = np.linspace(0, 1, 10)
    angles, radii = np.arctan2(1.0, x), np.hypot(1.0, x)
    gram = plane_gram(angles, radii, weight_power)
    _, whitened = plane_moments(angles, radii, weight_power, gram)
    digits = 2 if weight_power == 0 else 1
    assert float(f"{whitened_term(whitened, 10, 0.1):.{digits - 1}e}") == leading
