"""More ready problems on (x, t) that carry waves: transport (first order) and Klein–Gordon (dispersive),
each with its exact solution.
"""

import math
from typing import Annotated

import torch
from torch import Tensor

from pinn_ntk.geometry.box import box
from pinn_ntk.operators.library import identity, wave
from pinn_ntk.operators.second_order import SecondOrderOperator
from pinn_ntk.problem.assembly import (
    Boundary,
    BoundaryPoints,
    Collocation,
    Equation,
    Points,
    PointSeed,
    Sampling,
    TestPoints,
    Weights,
    collocate,
    ready,
)
from pinn_ntk.problem.conditions import conditions_of, dirichlet, initial_value
from pinn_ntk.problem.evolution import sines
from pinn_ntk.problem.residual import Ansatz, Problem
from pinn_ntk.rules import checked, positive, real


@checked
def transport_1d(
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
    """u_t + vu_x = 0 on (0, 1) × (0, T), u = sin 2πx at t = 0 and u = −sin 2πvt at the inflow x = 0;
    u = sin 2π(x − vt).

    Nothing is prescribed at the outflow x = 1. Hard conditions: u = g + ϕh with ϕ = xt/T and g = sin 2πx − sin 2πvt.

    Args:
        speed: v > 0, so that x = 0 is the inflow.
        final_time: T > 0.
        points: collocation points inside.
        boundary: 'hard' or 'soft' (blocks named boundary and initial).
        boundary_points: collocation points of each condition when soft.
        weights: λ_b by block name.
        seed: of the points.
        test_points: how many points errors are measured at.
        sampling: sobol, halton, uniform or grid (see `Box.interior`).

    Raises:
        ValueError: an argument out of range, or a weight for a block that does not exist.
    """
    v, end = float(speed), float(final_time)
    how = Collocation(points, boundary, boundary_points, weights, seed, test_points, sampling)
    domain, operator = (
        box([0.0, 0.0], [1.0, end]),
        SecondOrderOperator(2, b=torch.tensor([v, 1.0], dtype=torch.float64, device="cpu"), name="u_t + vu_x"),
    )

    def exact(x: Tensor) -> Tensor:
        return torch.sin(2 * math.pi * (x[:, 0] - v * x[:, 1]))

    def extension(x: Tensor) -> Tensor:
        return torch.sin(2 * math.pi * x[:, 0]) - torch.sin(2 * math.pi * v * x[:, 1])

    def vanishing(x: Tensor) -> Tensor:
        return x[:, 0] * x[:, 1] / end

    words = ("u = −sin 2πvt at x = 0", "u = sin 2πx at t = 0")
    given = conditions_of([dirichlet(exact, "x=0"), initial_value(exact)], domain, True, exact)
    posed = Equation("transport_1d", operator, domain, 0.0, exact, given, True, f"u_t + vu_x = 0, v = {v:g}", words)
    text = f"u = g + ϕh, ϕ = xt{'' if end == 1 else f'/{end:g}'}, g = sin 2πx − sin 2πvt"
    return collocate(posed, how, Ansatz(vanishing, extension, text))


@checked
def klein_gordon_1d(
    *,
    speed: Annotated[float, positive("v")] = 1.0,
    mass: Annotated[float, real("m")] = 3.0,
    final_time: Annotated[float, positive("T, the end of time")] = 1.0,
    points: Points = 256,
    boundary: Boundary = "hard",
    boundary_points: BoundaryPoints = 64,
    weights: Weights = None,
    seed: PointSeed = 0,
    test_points: TestPoints = 4096,
    sampling: Sampling = "sobol",
) -> Problem:
    """u_tt − v²u_xx + m²u = 0 on (0, 1) × (0, T), u = 0 at both ends, u = sin πx and u_t = sin 2πx at t = 0.

    The solution is u = sin πx cos ω₁t + sin 2πx sin ω₂t/ω₂ with the dispersion relation ω_k² = k²π²v² + m².

    Args:
        speed: v > 0.
        mass: m.
        final_time: T > 0.
        points: as in `transport_1d`, like all that follow.
        boundary: hard or soft (blocks named boundary, initial and velocity).
        boundary_points: of each condition when soft.
        weights: λ_b by block name.
        seed: of the points.
        test_points: for errors.
        sampling: of the interior.

    Raises:
        ValueError: as in `transport_1d`.
    """
    v, end = float(speed), float(final_time)
    m2 = float(mass) ** 2
    how = Collocation(points, boundary, boundary_points, weights, seed, test_points, sampling)
    first, second = (math.sqrt((k * math.pi * v) ** 2 + m2) for k in (1, 2))

    def exact(x: Tensor) -> Tensor:
        t = x[:, 1]
        return sines(x, [1]) * torch.cos(first * t) + sines(x, [2]) * torch.sin(second * t) / second

    def start(x: Tensor) -> Tensor:
        return sines(x, [1])

    def velocity(x: Tensor) -> Tensor:
        return sines(x, [2])

    operator = wave(1, v) + m2 * identity(2)
    operator.name = "u_tt − v²u_xx + m²u"
    equation = f"{operator.name} = 0, v = {v:g}, m = {mass:g}"
    words = ("u = 0 at x = 0 and x = 1", "u = sin πx at t = 0", "u_t = sin 2πx at t = 0")
    domain = box([0.0, 0.0], [1.0, end])
    posed = ready("klein_gordon_1d", operator, domain, 0.0, exact, equation, words, initial=start, velocity=velocity)
    return collocate(posed, how)
