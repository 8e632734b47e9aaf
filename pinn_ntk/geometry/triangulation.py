"""A simple polygon cut into triangles: ears are clipped, then edges flipped until the triangulation is Delaunay between
the sides.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pinn_ntk.geometry.segments import Point

Array = np.ndarray[Any, np.dtype[Any]]
Triangle = tuple[int, int, int]
_FLIPS = 50  # per edge; Lawson's flips end by themselves, rounding among nearly cocircular vertices might not


def triangulate(vertices: Sequence[Point]) -> tuple[Array, Array]:
    """Points (2, n) and triangles (3, n − 2) of a simple counter-clockwise polygon."""
    p = np.array(vertices, dtype=np.float64)
    triangles = _delaunay(p, _clip_ears(p))
    return p.T.copy(), np.array(triangles, dtype=np.int32).T.copy()


def _cross(p: Array, i: int, j: int, k: int) -> float:
    """Twice the signed area of p_i p_j p_k."""
    a, b = p[j] - p[i], p[k] - p[i]
    return float(a[0] * b[1] - a[1] * b[0])


def _clip_ears(p: Array) -> list[Triangle]:
    """Ears one by one, each time the one with the largest smallest angle."""
    left, triangles = list(range(len(p))), []
    while len(left) > 3:
        ears = [k for k in range(len(left)) if _is_ear(p, left, k)]
        if not ears:
            raise ValueError(f"polygon: got {len(left)} vertices without an ear, expected a simple polygon")
        best = max(ears, key=lambda k: _quality(p, left[k - 1], left[k], left[(k + 1) % len(left)]))
        triangles.append((left[best - 1], left[best], left[(best + 1) % len(left)]))
        del left[best]
    return [*triangles, (left[0], left[1], left[2])]


def _is_ear(p: Array, left: Sequence[int], k: int) -> bool:
    """Whether the triangle at the k-th vertex is turned inwards and holds no other vertex."""
    i, j, m = left[k - 1], left[k], left[(k + 1) % len(left)]
    if _cross(p, i, j, m) <= 0.0:
        return False
    others = p[[v for v in left if v not in (i, j, m)]]
    inside = np.ones(len(others), dtype=bool)
    for a, b in ((i, j), (j, m), (m, i)):
        side, away = p[b] - p[a], others - p[a]
        inside &= side[0] * away[:, 1] - side[1] * away[:, 0] >= 0.0
    return not bool(inside.any())


def _quality(p: Array, i: int, j: int, k: int) -> float:
    """The area over the square of the longest side, largest for an equilateral triangle."""
    sides = (p[i] - p[j], p[j] - p[k], p[k] - p[i])
    return _cross(p, i, j, k) / max(float(side @ side) for side in sides)


def _delaunay(p: Array, triangles: list[Triangle]) -> list[Triangle]:
    """Edges between two triangles are flipped while the opposite angles exceed π."""
    for _ in range(_FLIPS * len(triangles)):
        owners: dict[frozenset[int], list[int]] = {}
        for number, (i, j, k) in enumerate(triangles):
            for edge in ((i, j), (j, k), (k, i)):
                owners.setdefault(frozenset(edge), []).append(number)
        flipped = next(
            (pair for edge, pair in owners.items() if len(pair) == 2 and _should_flip(p, triangles, edge, pair)), None
        )
        if flipped is None:
            break
        a, b = triangles[flipped[0]], triangles[flipped[1]]
        (apex,), (foot,) = set(a) - set(b), set(b) - set(a)
        at = a.index(apex)
        first, second = a[(at + 1) % 3], a[(at + 2) % 3]
        triangles[flipped[0]], triangles[flipped[1]] = (apex, first, foot), (apex, foot, second)
    return triangles


def _should_flip(p: Array, triangles: Sequence[Triangle], edge: frozenset[int], pair: Sequence[int]) -> bool:
    """Whether the two angles across the edge add up to more than π (then the four points are in convex position)."""
    start, end = sorted(edge)
    total = 0.0
    for number in pair:
        (apex,) = set(triangles[number]) - edge
        u, v = p[start] - p[apex], p[end] - p[apex]
        total += float(np.arctan2(abs(u[0] * v[1] - u[1] * v[0]), u @ v))
    return total > np.pi + 1e-9
