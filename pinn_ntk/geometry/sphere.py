"""The unit sphere and ball of ℝᵈ: measures, points spread by measure, polar coordinates of a cube's points."""

import math

import torch
from torch import Tensor

from pinn_ntk.geometry.coordinates import norm
from pinn_ntk.geometry.sampling import sobol


def ball_volume(dim: int) -> float:
    """|B¹| = π^(d/2)/Γ(d/2 + 1)."""
    return math.exp(0.5 * dim * math.log(math.pi) - math.lgamma(0.5 * dim + 1))


def sphere_measure(dim: int) -> float:
    """|S^(d−1)| = d |B¹|."""
    return dim * ball_volume(dim)


def directions(unit: Tensor) -> Tensor:
    """Points of the unit cube → unit vectors, uniform on the sphere where the points are uniform.

    Args:
        unit: (n, m) points of the open unit cube, m ≥ max(d − 1, 1) columns in d = 2, 3 and m ≥ d beyond; only those
            are read. An angle in the plane, height and longitude in space (Archimedes), normal deviates beyond. d = m +
            1 for m ≤ 2, else d = m.

    Returns:
        (n, d) unit vectors.
    """
    if unit.shape[1] == 1:
        angle = 2 * math.pi * unit[:, 0]
        return torch.stack([angle.cos(), angle.sin()], 1)
    if unit.shape[1] == 2:
        height, angle = 2 * unit[:, 0] - 1, 2 * math.pi * unit[:, 1]
        across = (1 - height.square()).sqrt()
        return torch.stack([across * angle.cos(), across * angle.sin(), height], 1)
    normal: Tensor = torch.special.ndtri(unit)
    return normal / norm(normal)[..., None]


def sphere_points(n: int, dim: int, seed: int) -> Tensor:
    """Sobol points spread over the unit sphere of ℝᵈ, d ≥ 2, (n, d)."""
    return directions(sobol(n, dim - 1 if dim <= 3 else dim, seed))


def polar(unit: Tensor) -> tuple[Tensor, Tensor]:
    """Points of the d-cube → (v, ω): v uniform on (0, 1) and ω on the sphere, so that v^(1/d) ω is uniform in the ball.

    Normal deviates g = Φ⁻¹(u) have ω = g/|g| and v = P(χ²_d ≤ |g|²), independent of each other.

    Args:
        unit: (n, d) points of the open unit cube.

    Returns:
        v (n,), ω (n, d).
    """
    normal: Tensor = torch.special.ndtri(unit)
    squared = normal.square().sum(1)
    half = normal.new_tensor(0.5 * unit.shape[1])
    return torch.special.gammainc(half, 0.5 * squared), normal / squared.sqrt()[:, None]
