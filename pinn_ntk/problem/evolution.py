"""Ready evolution problems on (x, t), each with its exact solution. Time is the last coordinate."""

import math
from collections.abc import Sequence
from typing import Annotated

import torch
from torch import Tensor

from pinn_ntk.geometry.box import box
from pinn_ntk.operators.library import black_scholes as black_scholes_operator
from pinn_ntk.operators.library import heat, time_derivative, wave
from pinn_ntk.operators.second_order import SecondOrderOperator
from pinn_ntk.problem.assembly import (
    Boundary,
    BoundaryPoints,
    Collocation,
    Points,
    PointSeed,
    Sampling,
    TestPoints,
    Weights,
    collocate,
    ready,
)
from pinn_ntk.problem.residual import Problem
from pinn_ntk.rules import checked, positive, real


def sines(x: Tensor, modes: Sequence[int]) -> Tensor:
    """Π_j sin(m_j π x_j) over the first coordinates, one mode each."""
    product = torch.sin(modes[0] * math.pi * x[:, 0])
    for j, mode in enumerate(modes[1:], 1):
        product = product * torch.sin(mode * math.pi * x[:, j])
    return product


@checked
def heat_1d(
    *,
    diffusivity: Annotated[float, positive("κ, how fast u spreads")] = 0.1,
    final_time: Annotated[float, positive("T, the end of time")] = 1.0,
    points: Points = 256,
    boundary: Boundary = "hard",
    boundary_points: BoundaryPoints = 64,
    weights: Weights = None,
    seed: PointSeed = 0,
    test_points: TestPoints = 4096,
    sampling: Sampling = "sobol",
) -> Problem:
    """u_t − κu_xx = 0 on (0, 1) × (0, T), u = 0 at both ends, u(x, 0) = sin πx; u = e^{−κπ²t} sin πx.

    Args:
        diffusivity: κ > 0.
        final_time: T > 0.
        points: collocation points inside.
        boundary: 'hard' (u = g + ϕh) or 'soft' (blocks named boundary and initial).
        boundary_points: collocation points of each condition when soft.
        weights: λ_b by block name.
        seed: of the points.
        test_points: how many points errors are measured at.
        sampling: sobol, halton, uniform or grid (see `Box.interior`).

    Raises:
        ValueError: an argument out of range, or a weight for a block that does not exist.
    """
    kappa, end = float(diffusivity), float(final_time)
    how = Collocation(points, boundary, boundary_points, weights, seed, test_points, sampling)

    def exact(x: Tensor) -> Tensor:
        return torch.exp(-kappa * math.pi**2 * x[:, 1]) * sines(x, [1])

    def start(x: Tensor) -> Tensor:
        return sines(x, [1])

    words = ("u = 0 at x = 0 and x = 1", "u = sin πx at t = 0")
    domain, equation = box([0.0, 0.0], [1.0, end]), f"u_t − κu_xx = 0, κ = {kappa:g}"
    posed = ready("heat_1d", heat(1, kappa), domain, 0.0, exact, equation, words, initial=start)
    return collocate(posed, how)


@checked
def wave_1d(
    *,
    speed: Annotated[float, positive("v")] = 1.0,
    final_time: Annotated[float, positive("T, the end of time")] = 1.0,
    points: Points = 256,
    boundary: Boundary = "hard",
    boundary_points: BoundaryPoints = 64,
    weights: Weights = None,
    seed: PointSeed = 0,
    test_points: TestPoints = 4096,
    sampling: Sampling = "sobol",
) -> Problem:
    """u_tt − v²u_xx = 0 on (0, 1) × (0, T), u = 0 at both ends, u = sin πx and u_t = sin 2πx at t = 0.

    The solution is u = sin πx cos πvt + sin 2πx sin 2πvt/(2πv).

    Args:
        speed: v > 0.
        final_time: T > 0.
        points: as in `heat_1d`, like all that follow.
        boundary: hard or soft (blocks named boundary, initial and velocity).
        boundary_points: of each condition when soft.
        weights: λ_b by block name.
        seed: of the points.
        test_points: for errors.
        sampling: of the interior.

    Raises:
        ValueError: as in `heat_1d`.
    """
    v, end = float(speed), float(final_time)
    how = Collocation(points, boundary, boundary_points, weights, seed, test_points, sampling)

    def exact(x: Tensor) -> Tensor:
        phase = math.pi * v * x[:, 1]
        return sines(x, [1]) * torch.cos(phase) + sines(x, [2]) * torch.sin(2 * phase) / (2 * math.pi * v)

    def start(x: Tensor) -> Tensor:
        return sines(x, [1])

    def velocity(x: Tensor) -> Tensor:
        return sines(x, [2])

    words = ("u = 0 at x = 0 and x = 1", "u = sin πx at t = 0", "u_t = sin 2πx at t = 0")
    domain, equation = box([0.0, 0.0], [1.0, end]), f"u_tt − v²u_xx = 0, v = {v:g}"
    posed = ready("wave_1d", wave(1, v), domain, 0.0, exact, equation, words, initial=start, velocity=velocity)
    return collocate(posed, how)


@checked
def black_scholes(
    *,
    volatility: Annotated[float, positive("ς, of the price")] = 0.2,
    rate: Annotated[float, real("r, of interest")] = 0.05,
    maturity: Annotated[float, positive("T, the end of the contract")] = 1.0,
    points: Points = 256,
    boundary: Boundary = "hard",
    boundary_points: BoundaryPoints = 64,
    weights: Weights = None,
    seed: PointSeed = 0,
    test_points: TestPoints = 4096,
    sampling: Sampling = "sobol",
) -> Problem:
    """−V_τ + ½ς²S²V_SS + rSV_S − rV = 0 on (0, 1) × (0, T), V(S, 0) = S²; V = S² e^{(r + ς²)τ}.

    The power claim S², with S in units of its largest price and τ = T − t the time to maturity, so that the payoff is
    an initial value.

    Args:
        volatility: ς > 0.
        rate: r.
        maturity: T > 0.
        points: as in `heat_1d`, like all that follow.
        boundary: hard or soft.
        boundary_points: of each condition when soft.
        weights: λ_b by block name.
        seed: of the points.
        test_points: for errors.
        sampling: of the interior.

    Raises:
        ValueError: as in `heat_1d`.
    """
    sigma, r = float(volatility), float(rate)
    end = float(maturity)
    how = Collocation(points, boundary, boundary_points, weights, seed, test_points, sampling)
    operator = black_scholes_operator(sigma, r) - 2.0 * time_derivative(1)
    operator.name = "−V_τ + ½ς²S²V_SS + rSV_S − rV"

    def exact(x: Tensor) -> Tensor:
        return x[:, 0] ** 2 * torch.exp((r + sigma**2) * x[:, 1])

    def payoff(x: Tensor) -> Tensor:
        return x[:, 0] ** 2

    equation = f"{operator.name} = 0, ς = {sigma:g}, r = {r:g}, τ = T − t"
    words = ("V = 0 at S = 0", "V = e^{(r + ς²)τ} at S = 1", "V = S² at τ = 0")
    domain = box([0.0, 0.0], [1.0, end])
    posed = ready("black_scholes", operator, domain, 0.0, exact, equation, words, data=exact, initial=payoff)
    return collocate(posed, how)


@checked
def fokker_planck_1d(
    *,
    attraction: Annotated[float, positive("θ, the pull to the centre")] = 2.0,
    diffusivity: Annotated[float, positive("κ, how fast u spreads")] = 0.05,
    spread: Annotated[float, positive("standard deviation of p at the start")] = 0.2,
    final_time: Annotated[float, positive("T, the end of time")] = 1.0,
    points: Points = 256,
    boundary: Boundary = "hard",
    boundary_points: BoundaryPoints = 64,
    weights: Weights = None,
    seed: PointSeed = 0,
    test_points: TestPoints = 4096,
    sampling: Sampling = "sobol",
) -> Problem:
    """p_t − (θ(x − ½)p)_x − Dp_xx = 0 on (0, 1) × (0, T): the density of the Ornstein–Uhlenbeck process dX = −θ(X −
    ½)dt + √(2D) dW.

    p = N(x; ½ + μ(t), s²(t)) with μ = −e^{−θt}/5 and s² = D/θ + (s₀² − D/θ)e^{−2θt}; its values are given at both ends
    and at t = 0.

    Args:
        attraction: θ > 0.
        diffusivity: D > 0.
        spread: s₀ > 0, the standard deviation at t = 0, where the mean is 0.3.
        final_time: T > 0.
        points: as in `heat_1d`, like all that follow.
        boundary: hard or soft.
        boundary_points: of each condition when soft.
        weights: λ_b by block name.
        seed: of the points.
        test_points: for errors.
        sampling: of the interior.

    Raises:
        ValueError: as in `heat_1d`.
    """
    theta, d = float(attraction), float(diffusivity)
    s0, end = float(spread), float(final_time)
    how = Collocation(points, boundary, boundary_points, weights, seed, test_points, sampling)

    def exact(x: Tensor) -> Tensor:
        decay = torch.exp(-theta * x[:, 1])
        variance = d / theta + (s0**2 - d / theta) * decay**2
        return torch.exp(-((x[:, 0] - 0.5 + 0.2 * decay) ** 2) / (2 * variance)) / torch.sqrt(2 * math.pi * variance)

    def drift(x: Tensor) -> Tensor:
        return -theta * (x[:, 0] - 0.5)

    operator = heat(1, d) + SecondOrderOperator(2, b=[drift, 0.0], c=-theta)
    operator.name = "p_t − (θ(x − ½)p)_x − Dp_xx"
    equation = f"{operator.name} = 0, θ = {theta:g}, D = {d:g}"
    words = ("p = its exact values at x = 0 and x = 1", f"p = N(0.3, {s0:g}²) at t = 0")
    domain = box([0.0, 0.0], [1.0, end])
    posed = ready("fokker_planck_1d", operator, domain, 0.0, exact, equation, words, data=exact, initial=exact)
    return collocate(posed, how)
