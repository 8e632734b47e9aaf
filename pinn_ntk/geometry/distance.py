"""Smooth approximate distance functions ϕ: what makes u = g + ϕh meet u = g on ∂Ω.

References:
    N. Sukumar, A. Srivastava, Exact imposition of boundary conditions with distance functions in physics-informed deep
    neural networks, Computer Methods in Applied Mechanics and Engineering 389 (2022) 114333.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor

from pinn_ntk.geometry.annulus import Annulus
from pinn_ntk.geometry.ball import Ball
from pinn_ntk.geometry.box import Box
from pinn_ntk.geometry.combined import Combined
from pinn_ntk.geometry.coordinates import norm
from pinn_ntk.geometry.domain import Domain
from pinn_ntk.geometry.ellipse import Ellipse
from pinn_ntk.geometry.over_time import OverTime
from pinn_ntk.geometry.polygon import Polygon
from pinn_ntk.geometry.polygon_formula import evaluate, polygon_formula
from pinn_ntk.geometry.r_functions import conjunction, disjunction
from pinn_ntk.geometry.shape import magnitude

_LOOKS = 512  # points at which positivity is tried
_VANISHES = {
    True: 1e-12,
    False: 1e-100,
}  # what is zero, relative to the largest coordinate, of a normalised ϕ and of a product


@dataclass(frozen=True)
class Distance:
    """ϕ, positive in Ω and zero on ∂Ω; made by `distance`, which checks it.

    Attributes:
        domain: Ω in space.
        dim: columns of the points; one more than the domain's over time, the last one being no matter.
        normalised: whether |∇ϕ| = 1 on ∂Ω.
        text: in words.
    """

    domain: Domain
    dim: int
    normalised: bool
    text: str

    def __call__(self, x: Tensor) -> Tensor:
        """ϕ(x) by autograd's own operations.

        Args:
            x: points (n, d), or any (…, d).

        Returns:
            values (n,), or (…).

        Raises:
            ValueError: another number of columns.
        """
        if x.ndim == 0 or x.shape[-1] != self.dim:
            raise ValueError(
                f"distance to the boundary of {self.domain}: got points {tuple(x.shape)}, expected (n, {self.dim})"
            )
        y = x[..., : self.domain.dim]
        return signed_distance(self.domain, y) if self.normalised else smooth_product(self.domain, y)


def distance(domain: Domain, normalised: bool = True) -> Distance:
    """ϕ with ϕ > 0 in Ω and ϕ = 0 on ∂Ω, that of space for a domain over time, twice differentiable in Ω.

    Args:
        domain: made of boxes, balls, ellipses, annuli and polygons by union, difference, intersection, over_time.
        normalised: |∇ϕ| = 1 on every piece, by R-functions, which are not smooth at the corners; False: products
            instead of R-conjunctions where the outermost parts of Ω meet, smooth also at convex corners, with another
            slope on the boundary.

    Raises:
        ValueError: a domain of another kind, or a union whose parts only touch along a face, where ϕ would vanish.
    """
    space = domain.space if isinstance(domain, OverTime) else domain
    phi = Distance(space, domain.dim, normalised, f"ϕ = {_text(space, normalised)}")
    x = space.test_points(_LOOKS)
    if isinstance(space, Combined):
        seams = torch.cat([part.boundary(max(_LOOKS, len(part.pieces))) for part in _leaves(space)])
        x = torch.cat([x, seams[space.inside(seams)]])
    values = phi(torch.cat([x, x[:, :1]], 1) if isinstance(domain, OverTime) else x)
    if not bool((values > _VANISHES[normalised] * magnitude(space)).all()):
        i = int(values.argmin())
        raise ValueError(
            f"distance: got ϕ = {float(values[i]):.3g} at {x[i].tolist()} inside {space}, expected ϕ > 0; parts "
            "of a union must "
            "overlap, not touch along a face: enlarge one of them or write the union as one polygon"
        )
    return phi


def signed_distance(domain: Domain, x: Tensor) -> Tensor:
    """ϕ(x) with |∇ϕ| = 1 on ∂Ω, positive inside and negative outside, (…, d) → (…)."""
    match domain:
        case Box():
            return reduce(conjunction, _intervals(domain, x))
        case Ball(center, radius):
            return (radius**2 - (x - x.new_tensor(center)).square().sum(-1)) / (2 * radius)
        case Annulus(center, a, b):
            rho = norm(x - x.new_tensor(center))
            return (b - rho) * (rho - a) / (b - a)
        case Ellipse():
            y, r, shortest = domain.to_axes(x), x.new_tensor(domain.radii), min(domain.radii)
            level = 0.5 * shortest * (1 - (y / r).square().sum(-1))
            slope = (shortest * y / r.square()).square().sum(-1)
            return level / (slope + (level / shortest).square()).sqrt()
        case Polygon():
            return evaluate(polygon_formula(domain.vertices), domain.vertices, x)
        case Combined():
            parts = [
                (-1.0 if domain.kind == "difference" and k else 1.0) * signed_distance(part, x)
                for k, part in enumerate(domain.parts)
            ]
            return reduce(disjunction if domain.kind == "union" else conjunction, parts)
    raise ValueError(
        f"distance: got {domain}, a {type(domain).__name__}, expected boxes, balls, ellipses, annuli, polygons "
        "or what they make"
    )


def smooth_product(domain: Domain, x: Tensor) -> Tensor:
    """ϕ(x), a product over the sides or parts that Ω lies between, smooth where they meet;
    about as large as the distance inside.
    """
    match domain:
        case Box():
            shortest = min(domain.lengths)
            factors = [4 * phi / length for phi, length in zip(_intervals(domain, x), domain.lengths, strict=True)]
            return 0.25 * shortest * reduce(torch.mul, factors)
        case Combined(kind, parts) if kind != "union":
            size = 0.5 * min(hi - lo for lo, hi in zip(domain.low, domain.high, strict=True))
            kept = [smooth_product(part, x) for part in (parts if kind == "intersection" else parts[:1])]
            taken = [-signed_distance(part, x) for part in parts[1:]] if kind == "difference" else []
            return size * reduce(torch.mul, [_bounded(phi / size) for phi in (*kept, *taken)])
    return signed_distance(domain, x)


def _intervals(domain: Box, x: Tensor) -> list[Tensor]:
    """(x_j − low_j)(high_j − x_j)/length_j for every coordinate."""
    ends = zip(domain.low, domain.high, strict=True)
    return [(x[..., j] - lo) * ((hi - x[..., j]) / (hi - lo)) for j, (lo, hi) in enumerate(ends)]


def _bounded(t: Tensor) -> Tensor:
    """t(1 + t²)^(−½): t where it is small, so that no factor of a product is large far from its own boundary."""
    return t / (1 + t * t).sqrt()


def _leaves(domain: Domain) -> Iterator[Domain]:
    for part in domain.parts if isinstance(domain, Combined) else (domain,):
        yield from _leaves(part) if isinstance(part, Combined) else (part,)


def _text(domain: Domain, normalised: bool = True) -> str:
    """The formula in words."""
    match domain:
        case Box():
            interval = "(x − low)(high − x)/(high − low)"
            each = interval if domain.dim == 1 else f"{interval} of {domain}"
            return (
                each
                if domain.dim == 1
                else f"{'R-conjunction' if normalised else 'product'} over the coordinates of {each}"
            )
        case Ball():
            return f"(r² − |x − c|²)/(2r) of the {domain}"
        case Annulus():
            return f"(b − |x − c|)(|x − c| − a)/(b − a) of the {domain}"
        case Ellipse():
            return f"normalised quadratic of the {domain}"
        case Polygon():
            return f"R-function of the {len(domain.vertices)} edges of the {domain}"
        case Combined():
            name = "R-disjunction" if domain.kind == "union" else "R-conjunction" if normalised else "product"
            taken = [domain.kind == "difference" and k > 0 for k in range(len(domain.parts))]
            parts = [
                ("−" if minus else "") + f"({_text(part, normalised or minus)})"
                for part, minus in zip(domain.parts, taken, strict=True)
            ]
            return f"{name} of {', '.join(parts)}"
    return str(domain)
