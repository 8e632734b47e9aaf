"""Ready stationary problems, each with its exact solution, and the table of all ready problems."""

import math
from collections.abc import Callable, Sequence
from typing import Annotated

import torch
from torch import Tensor

from pinn_ntk.geometry.box import Box, box
from pinn_ntk.operators.library import advection_diffusion, helmholtz, laplacian
from pinn_ntk.operators.library import elliptic as elliptic_operator
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
from pinn_ntk.problem.evolution import black_scholes, fokker_planck_1d, heat_1d, sines, wave_1d
from pinn_ntk.problem.hyperbolic import klein_gordon_1d, transport_1d
from pinn_ntk.problem.points import given_points
from pinn_ntk.problem.regression import regression
from pinn_ntk.problem.residual import Problem
from pinn_ntk.rules import checked, positive, real, several

_ZERO = ("u = 0 on ∂Ω",)


def unit_box(dim: int) -> Box:
    """[0, 1]^d."""
    return box([0.0] * dim, [1.0] * dim)


@checked
def poisson_1d(
    *,
    points: Points = 64,
    boundary: Boundary = "hard",
    boundary_points: BoundaryPoints = 2,
    weights: Weights = None,
    seed: PointSeed = 0,
    test_points: TestPoints = 4096,
    sampling: Sampling = "sobol",
) -> Problem:
    """−u'' = π² sin πx on (0, 1), u = 0 at both ends; u = sin πx.

    Args:
        points: collocation points inside.
        boundary: 'hard' (u = ϕh) or 'soft' (a block named boundary).
        boundary_points: collocation points on ∂Ω when soft; an interval has two.
        weights: λ_b by block name.
        seed: of the points.
        test_points: how many points errors are measured at.
        sampling: sobol, halton, uniform or grid (see `Box.interior`).

    Raises:
        ValueError: an argument out of range, or a weight for a block that does not exist.
    """
    how = Collocation(points, boundary, boundary_points, weights, seed, test_points, sampling)
    return _poisson(1, "−u'' = π² sin πx", how)


@checked
def poisson_2d(
    *,
    points: Points = 100,
    boundary: Boundary = "hard",
    boundary_points: BoundaryPoints = 64,
    weights: Weights = None,
    seed: PointSeed = 0,
    test_points: TestPoints = 4096,
    sampling: Sampling = "sobol",
) -> Problem:
    """−Δu = 2π² sin πx sin πy on (0, 1)², u = 0 on the boundary; u = sin πx sin πy. Arguments as in `poisson_1d`."""
    how = Collocation(points, boundary, boundary_points, weights, seed, test_points, sampling)
    return _poisson(2, "−Δu = 2π² sin πx sin πy", how)


@checked
def poisson_3d(
    *,
    points: Points = 512,
    boundary: Boundary = "hard",
    boundary_points: BoundaryPoints = 192,
    weights: Weights = None,
    seed: PointSeed = 0,
    test_points: TestPoints = 4096,
    sampling: Sampling = "sobol",
) -> Problem:
    """−Δu = 3π² sin πx sin πy sin πz on (0, 1)³, u = 0 on the boundary; u = sin πx sin πy sin πz.
    Arguments as in `poisson_1d`.
    """
    how = Collocation(points, boundary, boundary_points, weights, seed, test_points, sampling)
    return _poisson(3, "−Δu = 3π² sin πx sin πy sin πz", how)


def _poisson(dim: int, equation: str, how: Collocation) -> Problem:
    def exact(x: Tensor) -> Tensor:
        return sines(x, [1] * dim)

    def source(x: Tensor) -> Tensor:
        return dim * math.pi**2 * sines(x, [1] * dim)

    return collocate(ready(f"poisson_{dim}d", -laplacian(dim), unit_box(dim), source, exact, equation, _ZERO), how)


@checked
def helmholtz_2d(
    *,
    wavenumber: Annotated[float, real("k, no resonance of the square")] = 4.0,
    points: Points = 256,
    boundary: Boundary = "hard",
    boundary_points: BoundaryPoints = 64,
    weights: Weights = None,
    seed: PointSeed = 0,
    test_points: TestPoints = 4096,
    sampling: Sampling = "sobol",
) -> Problem:
    """Δu + k²u = (k² − 5π²) sin πx sin 2πy on (0, 1)², u = 0 on the boundary; u = sin πx sin 2πy.

    Args:
        wavenumber: k, not a resonance k² = π²(l² + m²) of the square, where the solution would not be unique.
        points: as in `poisson_1d`, like all that follow.
        boundary: hard or soft.
        boundary_points: on ∂Ω when soft.
        weights: λ_b by block name.
        seed: of the points.
        test_points: for errors.
        sampling: of the interior.

    Raises:
        ValueError: a resonance, or as in `poisson_1d`.
    """
    k2 = float(wavenumber) ** 2
    how = Collocation(points, boundary, boundary_points, weights, seed, test_points, sampling)
    if _resonant(k2 / math.pi**2):
        raise ValueError(
            f"wavenumber: got {wavenumber}, expected k² ≠ π²(l² + m²): the square resonates there and u is not unique"
        )

    def exact(x: Tensor) -> Tensor:
        return sines(x, [1, 2])

    def source(x: Tensor) -> Tensor:
        return (k2 - 5 * math.pi**2) * sines(x, [1, 2])

    equation = f"Δu + k²u = (k² − 5π²) sin πx sin 2πy, k = {wavenumber:g}"
    operator = helmholtz(2, wavenumber)
    return collocate(ready("helmholtz_2d", operator, unit_box(2), source, exact, equation, _ZERO), how)


def _resonant(ratio: float) -> bool:
    """Whether k²/π² = l² + m² for whole l, m ≥ 1, up to rounding."""
    partners = ((m, round(math.sqrt(max(ratio - m * m, 1.0)))) for m in range(1, math.isqrt(int(ratio)) + 1))
    return any(math.isclose(m * m + k * k, ratio, rel_tol=1e-9) for m, k in partners)


@checked
def advection_diffusion_2d(
    *,
    diffusivity: Annotated[float, positive("κ, how fast u spreads")] = 0.5,
    velocity: Annotated[Sequence[float], several("v = (v₁, v₂)", real(""))] = (1.0, 0.5),
    points: Points = 256,
    boundary: Boundary = "hard",
    boundary_points: BoundaryPoints = 64,
    weights: Weights = None,
    seed: PointSeed = 0,
    test_points: TestPoints = 4096,
    sampling: Sampling = "sobol",
) -> Problem:
    """−κΔu + v·∇u = f on (0, 1)² with u = e^{v·(x − (1,1))/κ} + sin πx sin πy: a layer at the outflow,
    which the boundary data carry.

    f = 2π²κ sin πx sin πy + π(v₁ cos πx sin πy + v₂ sin πx cos πy), since the layer solves the homogeneous equation.

    Args:
        diffusivity: κ > 0.
        velocity: v = (v₁, v₂).
        points: as in `poisson_1d`, like all that follow.
        boundary: hard or soft.
        boundary_points: on ∂Ω when soft.
        weights: λ_b by block name.
        seed: of the points.
        test_points: for errors.
        sampling: of the interior.

    Raises:
        ValueError: κ ≤ 0, v not two numbers, or as in `poisson_1d`.
    """
    kappa, pi = float(diffusivity), math.pi
    if len(velocity) != 2:
        raise ValueError(f"velocity: got {velocity!r}, expected two numbers (v₁, v₂)")
    v1, v2 = (float(v) for v in velocity)
    how = Collocation(points, boundary, boundary_points, weights, seed, test_points, sampling)

    def exact(x: Tensor) -> Tensor:
        return torch.exp((v1 * (x[:, 0] - 1) + v2 * (x[:, 1] - 1)) / kappa) + sines(x, [1, 1])

    def source(x: Tensor) -> Tensor:
        s, c = torch.sin(pi * x), torch.cos(pi * x)
        return 2 * pi**2 * kappa * s[:, 0] * s[:, 1] + pi * (v1 * c[:, 0] * s[:, 1] + v2 * s[:, 0] * c[:, 1])

    operator = advection_diffusion(2, kappa, torch.tensor([v1, v2], dtype=torch.float64, device="cpu"))
    equation = f"−κΔu + v·∇u = f, κ = {kappa:g}, v = ({v1:g}, {v2:g})"
    words = ("u = e^{v·(x − (1,1))/κ} on ∂Ω",)
    return collocate(
        ready("advection_diffusion_2d", operator, unit_box(2), source, exact, equation, words, data=exact), how
    )


@checked
def elliptic(
    *,
    points: Points = 256,
    boundary: Boundary = "hard",
    boundary_points: BoundaryPoints = 64,
    weights: Weights = None,
    seed: PointSeed = 0,
    test_points: TestPoints = 4096,
    sampling: Sampling = "sobol",
) -> Problem:
    """A:∇²u + b·∇u + cu = f on (0, 1)² with every coefficient variable; f from u = e^{x−y} sin πx sin πy,
    which vanishes on the boundary.

    A = [[1 + x², xy/2], [xy/2, 1 + y²]] (positive definite), b = (y, −x), c = −(1 + xy) ≤ 0. Arguments as in
    `poisson_1d`.
    """

    def exact(x: Tensor) -> Tensor:
        return torch.exp(x[:, 0] - x[:, 1]) * sines(x, [1, 1])

    def source(x: Tensor) -> Tensor:
        return operator.apply(exact, x)

    def diffusion(x: Tensor) -> Tensor:
        return (
            torch.eye(2, dtype=x.dtype, device=x.device)
            + torch.diag_embed(0.5 * x**2)
            + 0.5 * x[:, :, None] * x[:, None, :]
        )

    def drift(x: Tensor) -> Tensor:
        return torch.stack([x[:, 1], -x[:, 0]], 1)

    def reaction(x: Tensor) -> Tensor:
        return -(1 + x[:, 0] * x[:, 1])

    operator = elliptic_operator(2, diffusion, drift, reaction)
    how = Collocation(points, boundary, boundary_points, weights, seed, test_points, sampling)
    equation = "A:∇²u + b·∇u + cu = f, A = [[1 + x², xy/2], [xy/2, 1 + y²]], b = (y, −x), c = −(1 + xy)"
    return collocate(ready("elliptic", operator, unit_box(2), source, exact, equation, _ZERO), how)


PROBLEMS: dict[str, Callable[..., Problem]] = {
    "regression": regression,
    "points": given_points,
    "poisson_1d": poisson_1d,
    "poisson_2d": poisson_2d,
    "poisson_3d": poisson_3d,
    "helmholtz_2d": helmholtz_2d,
    "advection_diffusion_2d": advection_diffusion_2d,
    "elliptic": elliptic,
    "heat_1d": heat_1d,
    "wave_1d": wave_1d,
    "transport_1d": transport_1d,
    "klein_gordon_1d": klein_gordon_1d,
    "fokker_planck_1d": fokker_planck_1d,
    "black_scholes": black_scholes,
}
