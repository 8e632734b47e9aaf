"""Simple polygons, and the L-shape among them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from pinn_ntk.geometry.box import box
from pinn_ntk.geometry.coordinates import Numbers, coordinates, listed
from pinn_ntk.geometry.domain import Corner, Piece
from pinn_ntk.geometry.sampling import sobol, stream
from pinn_ntk.geometry.segments import Point, Side, check_simple, segment_distance
from pinn_ntk.geometry.shape import Shape
from pinn_ntk.rules import checked

_LISTED = 8  # vertices that a report writes out


@dataclass(frozen=True)
class Polygon(Shape):
    """Ω is what a closed chain of edges encloses; made by `polygon`, which checks it.

    Attributes:
        vertices: counter-clockwise.
        numbers: of the edges, in that order, as the person counts them.
    """

    vertices: tuple[Point, ...]
    numbers: tuple[int, ...]

    @property
    def low(self) -> tuple[float, ...]:
        """Lower ends of the vertices."""
        return tuple(min(v[j] for v in self.vertices) for j in (0, 1))

    @property
    def high(self) -> tuple[float, ...]:
        """Upper ends of the vertices."""
        return tuple(max(v[j] for v in self.vertices) for j in (0, 1))

    @property
    def volume(self) -> float:
        """|Ω| = ½ Σ (p_k × p_(k+1)), about the first vertex."""
        return signed_area(self.vertices)

    @property
    def edges(self) -> tuple[tuple[Point, Point], ...]:
        """(p_k, p_(k+1)), counter-clockwise."""
        return tuple(zip(self.vertices, self.vertices[1:] + self.vertices[:1], strict=True))

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """The edges by name: `edge 1` joins the first two vertices as given, and so on; in this order."""
        pieces = [
            Piece(
                f"edge {number}",
                math.dist(*edge),
                partial(self._sample, k),
                partial(self._outward, k),
                partial(self._on, k),
            )
            for k, (edge, number) in enumerate(zip(self.edges, self.numbers, strict=True))
        ]
        return tuple(pieces[k] for k in sorted(range(len(pieces)), key=self.numbers.__getitem__))

    @property
    def corners(self) -> tuple[Corner, ...]:
        """The vertices of an inner angle above π."""
        found = []
        for k, (vertex, end) in enumerate(self.edges):
            before = self.vertices[k - 1]
            start = math.atan2(end[1] - vertex[1], end[0] - vertex[0])
            angle = (math.atan2(before[1] - vertex[1], before[0] - vertex[0]) - start) % (2 * math.pi)
            if angle > math.pi:
                found.append(Corner(vertex, start, angle, (f"edge {self.numbers[k]}", f"edge {self.numbers[k - 1]}")))
        return tuple(found)

    @property
    def noun(self) -> str:
        """Polygon."""
        return "polygon"

    @property
    def sides(self) -> tuple[Side, ...]:
        """The edges by name."""
        return tuple(Side(p, q, f"edge {number}") for (p, q), number in zip(self.edges, self.numbers, strict=True))

    def contains(self, x: Tensor) -> Tensor:
        """Whether points are enclosed, or on an edge up to rounding."""
        enclosed, distance = self._place(x)
        return enclosed | (distance <= self.slack(x))

    def inside(self, x: Tensor) -> Tensor:
        """Whether points are enclosed and on no edge up to rounding."""
        enclosed, distance = self._place(x)
        return enclosed & (distance > self.slack(x))

    def __str__(self) -> str:
        if len(self.vertices) <= _LISTED:
            return f"polygon {', '.join(map(listed, self.vertices))}"
        return (
            f"polygon of {len(self.vertices)} vertices in [{self.low[0]:g}, {self.high[0]:g}] × "
            f"[{self.low[1]:g}, {self.high[1]:g}]"
        )

    def _place(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Whether a ray to the right crosses an odd number of edges, and the distance to the nearest edge."""
        self.check(x)
        enclosed = x.new_zeros(len(x), dtype=torch.bool)
        distance = x.new_full((len(x),), math.inf)
        for p, q in self.edges:
            if p[1] != q[1]:
                crossed = p[0] + (x[:, 1] - p[1]) * ((q[0] - p[0]) / (q[1] - p[1]))
                enclosed ^= ((x[:, 1] < p[1]) != (x[:, 1] < q[1])) & (x[:, 0] < crossed)
            distance = torch.minimum(distance, segment_distance(x, p, q))
        return enclosed, distance

    def _on(self, k: int, x: Tensor) -> Tensor:
        self.check(x)
        return segment_distance(x, *self.edges[k]) <= self.slack(x)

    def _sample(self, k: int, n: int, seed: int) -> Tensor:
        p, q = (torch.tensor(end, dtype=torch.float64, device="cpu") for end in self.edges[k])
        return p + sobol(n, 1, stream(seed, self.numbers[k])) * (q - p)

    def _outward(self, k: int, x: Tensor) -> Tensor:
        p, q = self.edges[k]
        length = math.dist(p, q)
        return x.new_tensor([(q[1] - p[1]) / length, (p[0] - q[0]) / length]).expand(len(x), 2)


def signed_area(vertices: tuple[Point, ...]) -> float:
    """½ Σ (p_k − p₁) × (p_(k+1) − p₁), positive for a counter-clockwise chain."""
    (x0, y0), rest = vertices[0], zip(vertices[1:], vertices[2:], strict=False)
    return 0.5 * math.fsum((p[0] - x0) * (q[1] - y0) - (q[0] - x0) * (p[1] - y0) for p, q in rest)


@checked
def polygon(vertices: Sequence[Any] | Tensor) -> Polygon:
    """The simple polygon of those vertices, in either direction; its boundary pieces are `edge 1`,
    from the first vertex to the second, ….

    Args:
        vertices: three or more points (x, y), the first not repeated at the end.

    Raises:
        ValueError: numbers that are not finite, fewer than three vertices, one that is given twice or lies on a
            straight side, or sides that meet elsewhere than at their common vertex.

    Examples:
        >>> from pinn_ntk import polygon
        >>> triangle = polygon([(0, 0), (3, 0), (0, 4)])
        >>> triangle.volume, [piece.measure for piece in triangle.pieces]
        (6.0, [3.0, 5.0, 4.0])
    """
    rows = vertices.tolist() if isinstance(vertices, Tensor) else vertices
    if not isinstance(rows, (list, tuple)) or len(rows) < 3:
        raise ValueError(f"polygon: got {rows!r}, expected a list of three or more vertices (x, y)")
    points: tuple[Point, ...] = tuple(
        (v[0], v[1]) for v in (coordinates(f"vertex {k}", row, 2) for k, row in enumerate(rows, start=1))
    )
    box(*([end(v[j] for v in points) for j in (0, 1)] for end in (min, max)))
    check_simple(points)
    n = len(points)
    if signed_area(points) > 0:
        return Polygon(points, tuple(range(1, n + 1)))
    return Polygon(points[::-1], tuple(n - 1 - k if k < n - 1 else n for k in range(n)))


@checked
def l_shape(low: Numbers = (-1.0, -1.0), high: Numbers = (1.0, 1.0)) -> Polygon:
    """The rectangle [low, high] without its lower right quarter; the re-entrant corner is at the centre,
    Ω being 0 < θ < 3π/2 about it.

    The pieces: `edge 1` is the lower side, `edge 2` and `edge 3` meet at the re-entrant corner (upright, level),
    `edge 4` is the right side, `edge 5` the upper, `edge 6` the left.

    Args:
        low: the lower left corner.
        high: the upper right corner.

    Raises:
        ValueError: low ≥ high in a coordinate, or numbers that are not finite.

    Examples:
        >>> import math
        >>> from pinn_ntk import l_shape
        >>> domain = l_shape()
        >>> domain.volume, [round(corner.angle / math.pi, 4) for corner in domain.corners]
        (3.0, [1.5])
    """
    (x0, y0), (x1, y1) = coordinates("low of the L-shape", low, 2), coordinates("high of the L-shape", high, 2)
    if not (x0 < x1 and y0 < y1):
        raise ValueError(
            f"l_shape: got low = {listed((x0, y0))} and high = {listed((x1, y1))}, expected low < high: the "
            "domain is empty otherwise"
        )
    x, y = 0.5 * (x0 + x1), 0.5 * (y0 + y1)
    return polygon([(x0, y0), (x, y0), (x, y), (x1, y), (x1, y1), (x0, y1)])
