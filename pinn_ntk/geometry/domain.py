"""What every domain answers: points inside, pieces of its boundary with normals and measures,
and what is singular about it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor


@dataclass(frozen=True)
class Piece:
    """A smooth part Γ of ∂Ω, without its edges and corners.

    Attributes:
        name: what a person types after `on:`, such as x=0, outer, edge 2.
        measure: |Γ|, (d − 1)-dimensional; 1 for a single point.
        sample: (n, seed) → (m, d) points of Γ spread by measure, never a corner's; m = n but where Γ is one point.
        normal: (n, d) points of Γ → (n, d) outward unit normals.
        contains: (n, d) points → (n,) booleans, whether they lie on the closure of Γ up to rounding.
    """

    name: str
    measure: float
    sample: Callable[[int, int], Tensor]
    normal: Callable[[Tensor], Tensor]
    contains: Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Hole:
    """A hole of Ω about a centre: functions singular there are smooth in Ω.

    Attributes:
        center: a point well inside the hole.
        radius: of a ball about it that lies in the hole.
    """

    center: tuple[float, ...]
    radius: float


@dataclass(frozen=True)
class Corner:
    """A re-entrant corner of a plane domain: Ω is locally the sector θ ∈ (start, start + angle) about the vertex,
    angle > π.

    Attributes:
        vertex: where.
        start: direction of one side, in radians; Ω lies counter-clockwise of it.
        angle: ω, the inner angle.
        sides: names of the two pieces that meet there, that of the direction `start` first.
    """

    vertex: tuple[float, float]
    start: float
    angle: float
    sides: tuple[str, str]


@runtime_checkable
class Domain(Protocol):
    """Ω ⊂ ℝᵈ, bounded and open. A domain in space and time has time as its last coordinate."""

    @property
    def dim(self) -> int:
        """d, the number of coordinates (time counts)."""

    @property
    def low(self) -> tuple[float, ...]:
        """Lower ends of the bounding box."""

    @property
    def high(self) -> tuple[float, ...]:
        """Upper ends of the bounding box."""

    @property
    def volume(self) -> float:
        """|Ω|; where it has no formula, measured once on many points."""

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """The smooth pieces of ∂Ω; of a domain in space and time also t=start and t=end."""

    @property
    def holes(self) -> tuple[Hole, ...]:
        """Its holes, in the space coordinates."""

    @property
    def corners(self) -> tuple[Corner, ...]:
        """Its re-entrant corners (plane domains, and those over time)."""

    def interior(self, n: int, seed: int = 0, method: str = "sobol") -> Tensor:
        """{x_i} ⊂ int Ω, i = 1…n, (n, d) float64, spread by volume."""

    def test_points(self, n: int) -> Tensor:
        """{x_i} ⊂ int Ω, always the same, under a scrambling that no seed of `interior` gives."""

    def boundary(self, n: int, seed: int = 0, pieces: Sequence[str] | None = None) -> Tensor:
        """{x_i} on the pieces of those names (None: all), shared out by measure, at least one on each,
        piece after piece.
        """

    def normal(self, x: Tensor) -> Tensor:
        """ν(x), the outward unit normals at boundary points, (n, d)."""

    def contains(self, x: Tensor) -> Tensor:
        """Whether points lie in the closure of Ω up to rounding, (n,) booleans."""

    def inside(self, x: Tensor) -> Tensor:
        """Whether points lie in Ω, further from ∂Ω than rounding, (n,) booleans."""
