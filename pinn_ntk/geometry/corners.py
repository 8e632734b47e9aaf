"""Corners between straight sides of a plane domain, re-entrant ones and all,
found by looking around every point where sides meet.
"""

import math
from itertools import combinations

import torch

from pinn_ntk.geometry.box import Box
from pinn_ntk.geometry.domain import Corner, Domain
from pinn_ntk.geometry.segments import Point, Side, crossing, point_distance
from pinn_ntk.geometry.shape import Shape

_TOGETHER, _NEAR = 1e-9, 1e-6  # of the largest coordinate: what coincides, and how far from a corner one looks
_STRAIGHT = 1e-6  # radians by which an angle must differ from π


def sides_of(domain: Domain) -> tuple[Side, ...]:
    """The straight sides of a plane domain, named as its pieces; none of others."""
    if domain.dim != 2:
        return ()
    if isinstance(domain, Box):
        (x0, y0), (x1, y1) = domain.low, domain.high
        ends = ((x0, y0), (x0, y1)), ((x1, y0), (x1, y1)), ((x0, y0), (x1, y0)), ((x0, y1), (x1, y1))
        return tuple(Side(p, q, piece.name) for (p, q), piece in zip(ends, domain.pieces, strict=True))
    return domain.sides if isinstance(domain, Shape) else ()


def corners_of(domain: Shape, convex: bool = False) -> tuple[Corner, ...]:
    """The points where straight sides meet at an inner angle above π, each once; those on curved pieces are left out.

    Args:
        domain: in the plane.
        convex: whether those at an angle below π are told, too.
    """
    sides, together = domain.sides, _TOGETHER * domain.magnitude
    straight = {side.name for side in sides}
    curved = [piece for piece in domain.pieces if piece.name not in straight]
    meetings: list[Point] = [end for side in sides for end in (side.start, side.end)]
    meetings += [p for a, b in combinations(sides, 2) if (p := crossing(a.start, a.end, b.start, b.end))]
    found: list[Corner] = []
    for vertex in meetings:
        x = torch.tensor([vertex], dtype=torch.float64, device="cpu")
        known = any(math.dist(vertex, corner.vertex) <= together for corner in found)
        if known or any(bool(piece.contains(x).any()) for piece in curved):
            continue
        corner = _corner_at(vertex, domain, sides)
        found += [corner] if corner and (convex or corner.angle > math.pi) else []
    return tuple(found)


def _corner_at(vertex: Point, domain: Shape, sides: tuple[Side, ...]) -> Corner | None:
    """The sector of Ω about the vertex, if it is one sector and not a half-plane."""
    angles = _directions(vertex, sides, _TOGETHER * domain.magnitude)
    if len(angles) < 2:
        return None
    gaps = [(after - angle) % (2 * math.pi) for angle, after in zip(angles, angles[1:] + angles[:1], strict=True)]
    middles = [angle + 0.5 * gap for angle, gap in zip(angles, gaps, strict=True)]
    within = domain.inside(_about(vertex, middles, domain)).tolist()
    starts = [k for k in range(len(angles)) if within[k] and not within[k - 1]]
    if len(starts) != 1:
        return None
    start, angle, k = angles[starts[0]], 0.0, starts[0]
    while within[k]:
        angle, k = angle + gaps[k], (k + 1) % len(angles)
    if abs(angle - math.pi) <= _STRAIGHT:
        return None
    names = [_name_at(vertex, end, domain, sides) for end in (start, start + angle)]
    return None if None in names else Corner(vertex, start, angle, (str(names[0]), str(names[1])))


def _directions(vertex: Point, sides: tuple[Side, ...], together: float) -> list[float]:
    """The angles, ascending and each once, at which sides leave the vertex."""
    angles = sorted(
        math.atan2(end[1] - vertex[1], end[0] - vertex[0])
        for side in sides
        if point_distance(vertex, side.start, side.end) <= together
        for end in (side.start, side.end)
        if math.dist(end, vertex) > together
    )
    distinct = [angle for k, angle in enumerate(angles) if k == 0 or angle - angles[k - 1] > _STRAIGHT]
    return distinct[:-1] if len(distinct) > 1 and distinct[0] + 2 * math.pi - distinct[-1] <= _STRAIGHT else distinct


def _about(vertex: Point, angles: list[float], domain: Shape) -> torch.Tensor:
    r = _NEAR * domain.magnitude
    return torch.tensor(
        [[vertex[0] + r * math.cos(a), vertex[1] + r * math.sin(a)] for a in angles], dtype=torch.float64, device="cpu"
    )


def _name_at(vertex: Point, angle: float, domain: Shape, sides: tuple[Side, ...]) -> str | None:
    """The name of the boundary piece that leaves the vertex at that angle."""
    x = _about(vertex, [angle], domain)
    straight = {side.name for side in sides}
    return next(
        (piece.name for piece in domain.pieces if piece.name in straight and bool(piece.contains(x).all())), None
    )
