"""Straight sides in the plane: distances, crossings, and whether a closed chain of them is simple."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from pinn_ntk.geometry.coordinates import listed, norm

Point = tuple[float, float]


class Side(NamedTuple):
    """A straight side of a plane domain."""

    start: Point
    end: Point
    name: str


_MOST_VERTICES = 500
_TOGETHER = 1e-9  # of the size: what is nearer coincides


def segment_distance(x: Tensor, p: Point, q: Point) -> Tensor:
    """|x − [p, q]|, (n,)."""
    y, along = x - x.new_tensor(p), x.new_tensor([q[0] - p[0], q[1] - p[1]])
    share = ((y @ along) / along.square().sum()).clamp(0.0, 1.0)
    return norm(y - share[:, None] * along)


def cross(o: Point, p: Point, q: Point) -> float:
    """(p − o) × (q − o), positive where o, p, q turn left."""
    return (p[0] - o[0]) * (q[1] - o[1]) - (p[1] - o[1]) * (q[0] - o[0])


def crossing(p: Point, q: Point, r: Point, s: Point) -> Point | None:
    """Where [p, q] and [r, s] cross, if they are not parallel and do."""
    turn = (q[0] - p[0]) * (s[1] - r[1]) - (q[1] - p[1]) * (s[0] - r[0])
    if abs(turn) <= _TOGETHER * math.dist(p, q) * math.dist(r, s):
        return None
    along = ((r[0] - p[0]) * (s[1] - r[1]) - (r[1] - p[1]) * (s[0] - r[0])) / turn
    across = ((r[0] - p[0]) * (q[1] - p[1]) - (r[1] - p[1]) * (q[0] - p[0])) / turn
    if not (-_TOGETHER <= along <= 1 + _TOGETHER and -_TOGETHER <= across <= 1 + _TOGETHER):
        return None
    return p[0] + along * (q[0] - p[0]), p[1] + along * (q[1] - p[1])


def point_distance(x: Point, p: Point, q: Point) -> float:
    """|x − [p, q]| of one point."""
    along = (q[0] - p[0], q[1] - p[1])
    share = ((x[0] - p[0]) * along[0] + (x[1] - p[1]) * along[1]) / (along[0] ** 2 + along[1] ** 2)
    share = min(max(share, 0.0), 1.0)
    return math.dist(x, (p[0] + share * along[0], p[1] + share * along[1]))


def check_simple(points: Sequence[Point]) -> None:
    """Whether a closed chain of vertices bounds a domain.

    Raises:
        ValueError: too many vertices, one that is given twice or lies on a straight side, or sides that meet elsewhere.
    """
    n = len(points)
    if n > _MOST_VERTICES:
        raise ValueError(
            f"polygon: got {n} vertices, expected at most {_MOST_VERTICES}; leave out those that matter least"
        )
    near = _TOGETHER * max(math.dist(points[0], p) for p in points)
    for k, p in enumerate(points):
        after = points[(k + 1) % n]
        if not math.dist(p, after) > near:
            raise ValueError(
                f"polygon: got vertices {k + 1} and {(k + 1) % n + 1} both at {listed(p)}, expected different "
                "ones; leave one out"
            )
    for k, p in enumerate(points):
        before, after = points[k - 1], points[(k + 1) % n]
        if min(point_distance(after, before, p), point_distance(before, p, after)) <= near:
            raise ValueError(
                f"polygon: got edges {k or n} and {k + 1}, which run back over one another from vertex {k + 1} at "
                f"{listed(p)}, expected edges that meet at their common vertex only; leave it out"
            )
        if point_distance(p, before, after) <= near:
            raise ValueError(
                f"polygon: got vertex {k + 1} at {listed(p)} in one line with its neighbours, expected a corner "
                "at each; leave it out"
            )
    for i in range(n):
        for j in range(i + 2, n - (i == 0)):
            p, q, r, s = points[i], points[i + 1], points[j], points[(j + 1) % n]
            if (
                crossing(p, q, r, s)
                or min(point_distance(r, p, q), point_distance(s, p, q), point_distance(p, r, s)) <= near
            ):
                raise ValueError(
                    f"polygon: got edges {i + 1} and {j + 1} that meet near "
                    f"{listed(crossing(p, q, r, s) or r)}, expected edges that meet "
                    "at their common vertices only; check the order of the vertices"
                )
