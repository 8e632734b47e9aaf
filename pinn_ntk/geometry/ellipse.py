"""Ellipses and ellipsoids, their boundary points spread by arc length or surface."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pinn_ntk.arguments import number
from pinn_ntk.geometry.box import box
from pinn_ntk.geometry.coordinates import Numbers, coordinates, listed, norm
from pinn_ntk.geometry.domain import Piece
from pinn_ntk.geometry.filling import fill
from pinn_ntk.geometry.sampling import sobol, stream
from pinn_ntk.geometry.shape import Shape
from pinn_ntk.geometry.sphere import ball_volume, directions, polar, sphere_measure
from pinn_ntk.rules import checked

_CELLS, _NEWTON_STEPS = 4096, 4  # of the table of arc lengths, and from its cells to rounding
_MOST_CANDIDATES = 10**7
_FLATTEST = 1e4  # longest over shortest radius: rounding of points grows with it


@dataclass(frozen=True)
class Ellipse(Shape):
    """Ω = {Σ_j (y_j/r_j)² < 1}, y = Rᵀ(x − c); made by `ellipse`, which checks it.

    Attributes:
        center: c.
        radii: r, along the axes.
        angle: of the rotation R in the plane, in radians, counter-clockwise.
    """

    center: tuple[float, ...]
    radii: tuple[float, ...]
    angle: float = 0.0

    @property
    def low(self) -> tuple[float, ...]:
        """c_j − (Σ_k R_jk² r_k²)^½."""
        return tuple(c - h for c, h in zip(self.center, self._half(), strict=True))

    @property
    def high(self) -> tuple[float, ...]:
        """c_j + (Σ_k R_jk² r_k²)^½."""
        return tuple(c + h for c, h in zip(self.center, self._half(), strict=True))

    @property
    def volume(self) -> float:
        """|Ω| = |B¹| Π_j r_j."""
        return ball_volume(self.dim) * math.prod(self.radii)

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """The whole boundary, `ellipse` in the plane and `ellipsoid` beyond."""
        measure = ellipse_length(self.radii) if self.dim == 2 else ellipsoid_surface(self.radii)
        return (Piece("ellipse" if self.dim == 2 else "ellipsoid", measure, self._sample, self._outward, self._on),)

    @property
    def reach(self) -> float:
        """|Ω| itself."""
        return self.volume

    def spread(self, unit: Tensor) -> Tensor:
        """Uniform over the ellipse itself."""
        if self.dim == 2:
            angle, r = 2 * math.pi * unit[:, 1], unit[:, 0].sqrt()
            round_points = torch.stack([r * angle.cos(), r * angle.sin()], 1)
        else:
            share, direction = polar(unit)
            round_points = share.pow(1 / self.dim)[:, None] * direction
        return self._from_axes(round_points * unit.new_tensor(self.radii))

    @property
    def noun(self) -> str:
        """Ellipse or ellipsoid."""
        return "ellipse" if self.dim == 2 else "ellipsoid"

    def contains(self, x: Tensor) -> Tensor:
        """Whether Σ (y_j/r_j)² ≤ 1 up to rounding."""
        return self._depth(x) >= -self.slack(x)

    def inside(self, x: Tensor) -> Tensor:
        """Whether Σ (y_j/r_j)² < 1 beyond rounding."""
        return self._depth(x) > self.slack(x)

    def to_axes(self, x: Tensor) -> Tensor:
        """y = Rᵀ(x − c), (…, d)."""
        return (x - x.new_tensor(self.center)) @ self._rotation().to(x)

    def __str__(self) -> str:
        turned = f", turned by {self.angle:g}" if self.angle else ""
        kind = "ellipse" if self.dim == 2 else "ellipsoid"
        return f"{kind} of radii {listed(self.radii)} about {listed(self.center)}{turned}"

    def _rotation(self) -> Tensor:
        if len(self.radii) != 2 or self.angle == 0.0:
            return torch.eye(len(self.radii), dtype=torch.float64, device="cpu")
        c, s = math.cos(self.angle), math.sin(self.angle)
        return torch.tensor([[c, -s], [s, c]], dtype=torch.float64, device="cpu")

    def _half(self) -> Sequence[float]:
        half: list[float] = (
            (self._rotation() * torch.tensor(self.radii, dtype=torch.float64, device="cpu")).norm(dim=1).tolist()
        )
        return half

    def _from_axes(self, y: Tensor) -> Tensor:
        return y.new_tensor(self.center) + y @ self._rotation().T.to(y)

    def _depth(self, x: Tensor) -> Tensor:
        """The distance to ∂Ω to first order, positive inside: (1 − ρ)/|∇ρ|, ρ = |y/r|."""
        self.check(x)
        y, r = self.to_axes(x), x.new_tensor(self.radii)
        rho, slope = norm(y / r), norm(y / r.square())
        return torch.where(slope > 0, (1 - rho) * rho / slope.clamp_min(torch.finfo(x.dtype).tiny), r.min())

    def _on(self, x: Tensor) -> Tensor:
        return self._depth(x).abs() <= self.slack(x)

    def _sample(self, n: int, seed: int) -> Tensor:
        r = torch.tensor(self.radii, dtype=torch.float64, device="cpu")
        if self.dim == 2:
            t = angles_by_length(self.radii, sobol(n, 1, stream(seed, 1))[:, 0])
            return self._from_axes(torch.stack([t.cos(), t.sin()], 1) * r)

        def draw(m: int) -> Tensor:
            unit = sobol(m, self.dim if self.dim == 3 else self.dim + 1, stream(seed, 1))
            direction = directions(unit[:, 1:])
            return torch.cat([direction, unit[:, :1]], 1)

        def keep(candidates: Tensor) -> Tensor:  # by the surface that a piece of the sphere becomes
            return candidates[:, -1] * (1 / r).max() <= norm(candidates[:, :-1] / r)

        return self._from_axes(fill(draw, keep, n, _MOST_CANDIDATES, f"points on the boundary of {self}")[:, :-1] * r)

    def _outward(self, x: Tensor) -> Tensor:
        slope = self.to_axes(x) / x.new_tensor(self.radii).square()
        return (slope / norm(slope)[..., None]) @ self._rotation().T.to(x)


def ellipse_length(radii: Sequence[float]) -> float:
    """4 a E(1 − b²/a²), a ≥ b."""
    from scipy.special import ellipe

    a, b = max(radii), min(radii)
    return float(4 * a * ellipe((a - b) * (a + b) / a**2))


def angles_by_length(radii: Sequence[float], share: Tensor) -> Tensor:
    """t_i such that the arc of (r₁ cos t, r₂ sin t) from 0 to t_i is a given share of the ellipse:
    the inverse of E(φ|m), φ = t − π/2.

    Args:
        radii: the two radii.
        share: (n,) numbers in (0, 1).

    Returns:
        (n,) angles.
    """
    from scipy.special import ellipeinc

    turned = radii[0] < radii[1]
    a, b = max(radii), min(radii)
    m = (a - b) * (a + b) / a**2
    nodes = np.linspace(-np.pi, np.pi, _CELLS + 1)
    lengths = ellipeinc(nodes, m)
    wanted = lengths[0] + (lengths[-1] - lengths[0]) * share.numpy()
    cell = np.clip(np.searchsorted(lengths, wanted) - 1, 0, _CELLS - 1)
    phi = np.interp(wanted, lengths, nodes)
    for _ in range(_NEWTON_STEPS):
        slope = np.sqrt(1 - m * np.sin(phi) ** 2)
        phi = np.clip(phi - (ellipeinc(phi, m) - wanted) / np.maximum(slope, b / a), nodes[cell], nodes[cell + 1])
    # φ = 0 is an end of the short axis: t = φ + π/2 where the long axis is the first
    return torch.from_numpy(phi + (0.0 if turned else np.pi / 2))


def ellipsoid_surface(radii: Sequence[float]) -> float:
    """|∂Ω| = |S^(d−1)| Π r_j · E|ω/r|, ω uniform on the sphere, by one integral.

    For normal deviates g, E|g/r| = E|g| E|ω/r| and E √Q = π^(−½) ∫₀^∞ (1 − Π_j (1 + 2 s²/r_j²)^(−½)) s⁻² ds, Q =
    |g/r|².

    Args:
        radii: r, d of them.
    """
    from scipy.integrate import quad

    shortest, dim = min(radii), len(radii)
    weights = np.array([(shortest / r) ** 2 for r in radii])

    def integrand(s: float) -> float:
        return (
            float(-np.expm1(-0.5 * np.log1p(2 * weights * s * s).sum()) / (s * s)) if s > 1e-8 else float(weights.sum())
        )

    halves = [
        float(quad(integrand, *ends, epsabs=0.0, epsrel=1e-12, limit=200)[0]) for ends in ((0.0, 1.0), (1.0, np.inf))
    ]
    root = sum(halves) / math.sqrt(math.pi)
    mean_norm = math.sqrt(2) * math.exp(math.lgamma((dim + 1) / 2) - math.lgamma(dim / 2))
    return sphere_measure(dim) * math.prod(radii) / shortest * root / mean_norm


@checked
def ellipse(center: Numbers, radii: Numbers, angle: float = 0.0) -> Ellipse:
    """Ω = {Σ_j (y_j/r_j)² < 1}, y = Rᵀ(x − c), in ℝᵈ, d ≥ 2; its boundary piece is `ellipse` in the plane,
    `ellipsoid` beyond.

    Args:
        center: c.
        radii: r_j > 0, one per coordinate.
        angle: of the rotation R in the plane, in radians, counter-clockwise.

    Raises:
        ValueError: numbers that are not finite, another number of radii than coordinates, a radius ≤ 0, radii too
            different, a rotation beyond the plane, or one coordinate.

    Examples:
        >>> import math
        >>> from pinn_ntk import ellipse
        >>> round(ellipse([0, 0], [3, 2], angle=0.5).volume / math.pi, 4)
        6.0
    """
    c = coordinates("center of the ellipse", center)
    r = coordinates("radii of the ellipse", radii, len(c))
    turn = number("angle of the ellipse", angle)
    if len(c) == 1:
        raise ValueError(
            f"ellipse: got the center {listed(c)} of one coordinate, expected two or more; on the line take a "
            "ball or a box"
        )
    if min(r) <= 0 or max(r) > _FLATTEST * min(r):
        raise ValueError(
            f"ellipse: got radii {listed(r)}, expected positive ones, the longest at most {_FLATTEST:g} times "
            "the shortest"
        )
    if turn and len(c) != 2:
        raise ValueError(
            f"ellipse: got angle = {turn:g} in {len(c)} dimensions, expected 0: rotations are for the plane only"
        )
    box([v - s for v, s in zip(c, r, strict=True)], [v + s for v, s in zip(c, r, strict=True)])
    return Ellipse(c, r, turn)
