"""Domains other than boxes: what follows once it is known whether a point is inside and what the pieces are."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from pinn_ntk.arguments import choose, count
from pinn_ntk.geometry.box import Box
from pinn_ntk.geometry.coordinates import takes_points
from pinn_ntk.geometry.domain import Corner, Domain, Hole, Piece
from pinn_ntk.geometry.filling import fill, fill_lattice
from pinn_ntk.geometry.pieces import named_pieces, normals, on_pieces
from pinn_ntk.geometry.sampling import LAST_SEED, LATTICES, SAMPLINGS, sobol, unseen_stream
from pinn_ntk.geometry.segments import Side
from pinn_ntk.hints import points

_ULPS = 16.0  # of the largest coordinate: how far a computed boundary point may lie from ∂Ω


class Shape(ABC):
    """Ω ⊂ ℝᵈ given by its closure, its interior and the pieces of its boundary."""

    def __init_subclass__(cls) -> None:
        for name in {"contains", "inside", "normal"} & set(vars(cls)):
            setattr(cls, name, takes_points(vars(cls)[name]))

    @property
    @abstractmethod
    def low(self) -> tuple[float, ...]:
        """Lower ends of the bounding box."""

    @property
    @abstractmethod
    def high(self) -> tuple[float, ...]:
        """Upper ends of the bounding box."""

    @property
    @abstractmethod
    def volume(self) -> float:
        """|Ω|."""

    @property
    @abstractmethod
    def pieces(self) -> tuple[Piece, ...]:
        """The smooth pieces of ∂Ω."""

    @abstractmethod
    def contains(self, x: Tensor) -> Tensor:
        """Whether points lie in the closure of Ω up to rounding, (n,) booleans."""

    @abstractmethod
    def inside(self, x: Tensor) -> Tensor:
        """Whether points lie in Ω, further from ∂Ω than rounding, (n,) booleans."""

    @property
    def dim(self) -> int:
        """d, the number of coordinates."""
        return len(self.low)

    @property
    def holes(self) -> tuple[Hole, ...]:
        """None."""
        return ()

    @property
    def corners(self) -> tuple[Corner, ...]:
        """None that is re-entrant."""
        return ()

    @property
    def sides(self) -> tuple[Side, ...]:
        """The straight sides of a plane domain, by their pieces' names; here none."""
        return ()

    @property
    def noun(self) -> str:
        """What one of many is called."""
        return "domain"

    @property
    def reach(self) -> float:
        """The volume of the region over which `spread` spreads."""
        return Box(self.low, self.high).volume

    @property
    def magnitude(self) -> float:
        """The largest coordinate that enters a decision about a point; rounding is measured by it."""
        return max(map(abs, self.low + self.high))

    def spread(self, unit: Tensor) -> Tensor:
        """Points of the unit cube → candidates that are uniform over a region that holds Ω, here the bounding box."""
        return Box(self.low, self.high).from_unit(unit)

    def interior(self, n: int, seed: int = 0, method: str = "sobol") -> Tensor:
        """{x_i} ⊂ int Ω, i = 1…n: candidates that lie inside.

        Args:
            n: how many.
            seed: the same seed gives the same points; of Sobol and Halton points fewer are the first ones of more.
            method: sobol, halton, uniform, latin, or the lattices grid and chebyshev over the bounding box; n must be a
                number of points that a lattice leaves inside.

        Returns:
            (n, d) points, float64.

        Raises:
            ValueError: n < 1 or too many to hold, a seed out of range, an unknown method, an n that no lattice leaves
                inside, or too few candidates inside; with the acceptance rate.
        """
        most = Box(self.low, self.high).most
        count("points", n, most=most)
        count("seed", seed, 0, LAST_SEED)
        sample = choose("method of sampling", method, SAMPLINGS)
        what = f"points of {self}"
        if method in LATTICES:
            lattice = Box(self.low, self.high).from_unit
            return fill_lattice(lambda m: lattice(sample(m, self.dim, seed)), self.inside, n, self.dim, most, what)
        return fill(lambda m: self.spread(sample(m, self.dim, seed)), self.inside, n, most, what)

    def test_points(self, n: int) -> Tensor:
        """{x_i} ⊂ int Ω, i = 1…n, always the same Sobol points, under a scrambling that no seed gives to the points of
        `interior`.

        Raises:
            ValueError: n < 1 or too many to hold, or too few candidates inside.
        """
        most = Box(self.low, self.high).most
        count("test_points", n, most=most)
        return fill(
            lambda m: self.spread(sobol(m, self.dim, unseen_stream())), self.inside, n, most, f"test points of {self}"
        )

    def boundary(self, n: int, seed: int = 0, pieces: Sequence[str] | None = None) -> Tensor:
        """{x_i} ⊂ ∂Ω, i = 1…n, or on the pieces of those names, shared out by measure, at least one on each,
        piece after piece.

        Raises:
            ValueError: fewer points than pieces, or no such piece.
        """
        return on_pieces(named_pieces(self.pieces, pieces), n, seed)

    @takes_points
    def normal(self, x: Tensor) -> Tensor:
        """ν(x), the outward unit normals at boundary points, (n, d).

        Raises:
            ValueError: a point that is not on the boundary, or on an edge or corner, where there is no normal.
        """
        self.check(x)
        return normals(self.pieces, x, str(self))

    def slack(self, x: Tensor) -> float:
        """How far a point in x's dtype may lie from ∂Ω and count as one of it."""
        return _ULPS * torch.finfo(x.dtype).eps * self.magnitude

    def check(self, x: Tensor) -> None:
        """Whether x are points of ℝᵈ.

        Raises:
            ValueError: another shape than (n, d).
        """
        points(f"points of {self}", x, self.dim)


def spread(domain: Domain, unit: Tensor) -> Tensor:
    """Candidates of a domain, uniform over a region of volume `reach(domain)` that holds it."""
    return domain.spread(unit) if isinstance(domain, Shape) else Box(domain.low, domain.high).from_unit(unit)


def reach(domain: Domain) -> float:
    """The volume of the region over which `spread` spreads."""
    return (
        domain.reach
        if isinstance(domain, Shape)
        else math.prod(h - lo for lo, h in zip(domain.low, domain.high, strict=True))
    )


def magnitude(domain: Domain) -> float:
    """The largest coordinate that enters a decision about a point."""
    return domain.magnitude if isinstance(domain, Shape) else max(map(abs, (*domain.low, *domain.high)))


def noun(domain: Domain) -> str:
    """What one of many such domains is called."""
    return domain.noun if isinstance(domain, Shape) else "box" if isinstance(domain, Box) else "domain"
