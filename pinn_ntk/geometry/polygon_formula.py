"""A simple polygon as a formula of its edges' half-planes, each used once,
with `and` at convex vertices and `or` at re-entrant ones.

A chain of edges, its first and last prolonged to rays, is split at a vertex that is extreme in a direction in which
neither ray goes; the prolonged edges at that vertex leave the chain's convex hull, so that both halves are chains of
the same kind.

References:
    D. Dobkin, L. Guibas, J. Hershberger, J. Snoeyink, An efficient algorithm for finding the CSG representation of a
    simple polygon, Computer Graphics 22 (1988) 31–40 (Peterson's formula).
"""

import math
from dataclasses import dataclass
from functools import lru_cache

from torch import Tensor

from pinn_ntk.geometry.r_functions import conjunction, disjunction
from pinn_ntk.geometry.segments import Point, cross


@dataclass(frozen=True)
class Split:
    """Two formulas and what joins them; a formula is a `Split` or the number of an edge.

    Attributes:
        both: whether a point must be in both.
        before: the formula of the edges before the vertex.
        after: that of the edges after it.
    """

    both: bool
    before: "Split | int"
    after: "Split | int"


@lru_cache(maxsize=256)
def polygon_formula(vertices: tuple[Point, ...]) -> Split | int:
    """The formula of a simple polygon.

    Args:
        vertices: counter-clockwise, no three neighbours on a line.
    """
    n = len(vertices)
    first, last = min(range(n), key=vertices.__getitem__), max(range(n), key=vertices.__getitem__)
    there, back = (last - first) % n, (first - last) % n
    return Split(True, _chain(vertices, first, there), _chain(vertices, last, back))


def evaluate(formula: Split | int, vertices: tuple[Point, ...], x: Tensor) -> Tensor:
    """The R-function of the formula, the distances to the edges' lines put in: positive inside, zero on the edges,
    of slope one there.

    Args:
        formula: of `polygon_formula`.
        vertices: counter-clockwise.
        x: points (…, 2).
    """
    if isinstance(formula, int):
        p, q = vertices[formula], vertices[(formula + 1) % len(vertices)]
        length = math.dist(p, q)
        return (x[..., 1] - p[1]) * ((q[0] - p[0]) / length) - (x[..., 0] - p[0]) * ((q[1] - p[1]) / length)
    before, after = evaluate(formula.before, vertices, x), evaluate(formula.after, vertices, x)
    return conjunction(before, after) if formula.both else disjunction(before, after)


def _chain(vertices: tuple[Point, ...], first: int, edges: int) -> Split | int:
    """The formula of so many edges from the first one on."""
    n = len(vertices)
    if edges == 1:
        return first
    start, end = _direction(vertices, first), _direction(vertices, (first + edges - 1) % n)
    between = [(first + k) % n for k in range(1, edges)]
    outward = start[0] - end[0], start[1] - end[1]
    if math.hypot(*outward) < 1e-9:  # opposite rays: across them, to the side where the chain goes further beyond both
        across = start[1], -start[0]
        heights = [across[0] * vertices[k][0] + across[1] * vertices[k][1] for k in between]
        above, below = max(heights) - max(heights[0], heights[-1]), min(heights[0], heights[-1]) - min(heights)
        outward = across if above >= below else (-across[0], -across[1])
    vertex = max(between, key=lambda k: (outward[0] * vertices[k][0] + outward[1] * vertices[k][1], vertices[k]))
    before = (vertex - first) % n
    convex = cross(vertices[vertex - 1], vertices[vertex], vertices[(vertex + 1) % n]) > 0
    return Split(convex, _chain(vertices, first, before), _chain(vertices, vertex, edges - before))


def _direction(vertices: tuple[Point, ...], edge: int) -> Point:
    p, q = vertices[edge], vertices[(edge + 1) % len(vertices)]
    length = math.dist(p, q)
    return (q[0] - p[0]) / length, (q[1] - p[1]) / length
