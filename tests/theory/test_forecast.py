"""The forecast against exact traces, the non-central χ² law and Monte Carlo over the initial residual."""

import math

import pytest
import torch
from scipy.linalg import expm
from scipy.stats import ncx2
from torch import Tensor

from pinn_ntk.dynamics import Dynamics
from pinn_ntk.theory import FLOW, Forecast

GAMMA, SCALE = 0.4, 30.0


def kernels(n: int = 6, rank: int = 9) -> tuple[Tensor, Tensor, Tensor]:
    """K^(a), K^(w) that do not commute, and a target."""
    generator = torch.Generator().manual_seed(rank)
    F, G = (torch.randn(n, rank, generator=generator, dtype=torch.float64) for _ in range(2))
    return F @ F.T / rank, G @ G.T / rank, torch.randn(n, generator=generator, dtype=torch.float64)


def exact_mean(part_a: Tensor, part_w: Tensor, f: Tensor, t: float) -> float:
    """(1/2n) tr[e^{−2(s²N/n)K_γ t}(ffᵀ + s²Nγ²K^(a))] by a matrix exponential."""
    n = len(f)
    decay = torch.from_numpy(expm((-2 * SCALE / n * t * (part_a + GAMMA**2 * part_w)).numpy()))
    return float((decay @ (torch.outer(f, f) + SCALE * GAMMA**2 * part_a)).trace()) / (2 * n)


@pytest.mark.parametrize("rank", [9, 3])
def test_mean_equals_the_trace(rank: int) -> None:
    part_a, part_w, f = kernels(rank=rank)
    forecast = Forecast.from_kernels(part_a, part_w, f, GAMMA, SCALE)
    times = torch.tensor([0.0, 0.01, 0.3, 2.0], dtype=torch.float64)
    exact = torch.tensor([exact_mean(part_a, part_w, f, float(t)) for t in times], dtype=torch.float64)
    assert torch.allclose(forecast.mean_under(FLOW, times), exact, rtol=1e-11, atol=1e-13)


def test_descent_mean_equals_the_trace_of_powers() -> None:
    part_a, part_w, f = kernels()
    forecast, step, n = Forecast.from_kernels(part_a, part_w, f, GAMMA, SCALE), 0.05, len(f)
    propagator = torch.eye(n, dtype=torch.float64) - step * SCALE / n * (part_a + GAMMA**2 * part_w)
    power = torch.linalg.matrix_power(propagator, 26)
    exact = float((power @ (torch.outer(f, f) + SCALE * GAMMA**2 * part_a)).trace()) / (2 * n)
    assert float(forecast.mean_under(Dynamics("descent", step), 13)) == pytest.approx(exact, rel=1e-11)


def test_mean_and_band_agree_with_drawn_networks() -> None:
    """e₀ = −f + Σ a_kφ_k with fixed φ, φφᵀ = s²NK^(a)·: exactly N(−f, s²Nγ²K^(a)) given the features."""
    n, N = 5, 40
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(n, N, generator=generator, dtype=torch.float64)
    part_a, f = features @ features.T / N, torch.randn(n, generator=generator, dtype=torch.float64)
    part_w = torch.eye(n, dtype=torch.float64)
    forecast = Forecast.from_kernels(part_a, part_w, f, GAMMA, N, samples=20000)
    a = GAMMA * torch.randn(N, 20000, generator=generator, dtype=torch.float64)
    decay = torch.from_numpy(expm((-0.02 * N / n * (part_a + GAMMA**2 * part_w)).numpy()))
    losses = (decay @ (features @ a - f[:, None])).square().sum(0) / (2 * n)
    error = float(losses.std()) / math.sqrt(20000)
    assert abs(float(losses.mean() - forecast.mean_under(FLOW, 0.02))) < 4 * error < 0.1 * float(losses.mean())
    levels = (0.05, 0.5, 0.95)
    below = [float((losses <= q).double().mean()) for q in forecast.band_under(FLOW, 0.02, levels)]
    assert below == pytest.approx(levels, abs=0.012)


@pytest.mark.parametrize("rank", [9, 2])
def test_drawn_modes_have_the_expected_squares(rank: int) -> None:
    part_a, part_w, f = kernels(rank=rank)
    forecast = Forecast.from_kernels(part_a, part_w, f, GAMMA, SCALE, samples=40000)
    error = forecast.drawn.std(0) / 200
    assert bool(((forecast.drawn.mean(0) - forecast.expected).abs() <= 4 * error + 1e-14).all())


def test_modes_without_a_rate_are_not_random() -> None:
    """K^(a), K^(w) of rank 2 each in six points: two modes rest, and at t = ∞ every seed is left with the same loss."""
    part_a, part_w, f = kernels(rank=2)
    forecast = Forecast.from_kernels(part_a, part_w, f, GAMMA, SCALE)
    projector = torch.eye(6, dtype=torch.float64) - (part_a + part_w) @ torch.linalg.pinv(part_a + part_w, rtol=1e-10)
    rest = float((projector @ f).square().sum()) / 12
    assert [float(forecast.mean_under(FLOW, math.inf)), *forecast.band_under(FLOW, math.inf).tolist()] == pytest.approx(
        [rest] * 4, rel=1e-11
    )


def test_band_of_one_point_is_non_central_chi_squared() -> None:
    """n = 1: 2R_S(0)/(s²Nγ²K) is χ²₁ with non-centrality f²/(s²Nγ²K)."""
    one = torch.ones(1, 1, dtype=torch.float64)
    forecast = Forecast.from_kernels(0.5 * one, 0.7 * one, 2 * one[0], GAMMA, SCALE, samples=100000)
    variance = SCALE * GAMMA**2 * 0.5
    levels = (0.1, 0.5, 0.9)
    exact = [0.5 * variance * ncx2.ppf(q, 1, 4 / variance) for q in levels]
    assert forecast.band_under(FLOW, 0.0, levels).tolist() == pytest.approx(exact, rel=0.03)


def test_band_brackets_the_mean_and_follows_descent() -> None:
    part_a, part_w, f = kernels()
    forecast = Forecast.from_kernels(part_a, part_w, f, GAMMA, SCALE)
    times = torch.linspace(0, 0.5, 7, dtype=torch.float64)
    low, _, high = forecast.band_under(FLOW, times)
    assert low.shape == times.shape
    assert bool(((low < forecast.mean_under(FLOW, times)) & (forecast.mean_under(FLOW, times) < high)).all())
    steps = torch.tensor([0, 5, 50])
    assert torch.allclose(
        forecast.band_under(Dynamics("descent", 1e-5), steps),
        forecast.band_under(FLOW, 1e-5 * steps.double()),
        rtol=1e-2,
    )


def test_centred_initialisation_has_no_band() -> None:
    """e₀ = −f exactly: every quantile is (1/2n)‖e^{−(s²N/n)K_γ t}f‖²."""
    part_a, part_w, f = kernels()
    forecast = Forecast.from_kernels(part_a, part_w, f, GAMMA, SCALE, centred=True)
    propagator = torch.from_numpy(expm((-0.1 * SCALE / 6 * (part_a + GAMMA**2 * part_w)).numpy()))
    exact = float((propagator @ f).square().sum()) / 12
    assert [float(forecast.mean_under(FLOW, 0.1)), *forecast.band_under(FLOW, 0.1).tolist()] == pytest.approx(
        [exact] * 4, rel=1e-11
    )


def test_same_seed_same_band_and_another_seed_another() -> None:
    part_a, part_w, f = kernels()
    first, again, other = (
        Forecast.from_kernels(part_a, part_w, f, GAMMA, SCALE, samples=50, seed=s).band_under(FLOW, 0.1)
        for s in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_kernel_semi_definite_up_to_rounding_is_accepted_and_an_indefinite_one_refused() -> None:
    part_a, part_w, f = kernels(n=6, rank=2)
    noisy = part_a - 1e-15 * torch.eye(6, dtype=torch.float64)
    with_noise, without = (
        Forecast.from_kernels(K, part_w, f, GAMMA, SCALE).band_under(FLOW, 1.0) for K in (noisy, part_a)
    )
    assert torch.allclose(with_noise, without, rtol=1e-4)
    with pytest.raises(ValueError, match="positive semi-definite"):
        Forecast.from_kernels(part_a - 1e-3 * torch.eye(6, dtype=torch.float64), part_w, f, GAMMA, SCALE)
    with pytest.raises(ValueError, match="expected \\(6, 6\\) twice"):
        Forecast.from_kernels(part_a[:2], part_w, f, GAMMA, SCALE)
