"""All corners of a plane domain between straight sides, convex ones too: u is singular at most of them,
if only mildly.
"""

import math

from pinn_ntk.geometry.box import Box
from pinn_ntk.geometry.combined import Combined
from pinn_ntk.geometry.corners import corners_of
from pinn_ntk.geometry.domain import Corner, Domain
from pinn_ntk.geometry.over_time import OverTime
from pinn_ntk.geometry.polygon import Polygon


def wedges(domain: Domain | None) -> tuple[Corner, ...]:
    """Every corner of a box in the plane, a polygon, or what is composed of them;
    of other domains those that it names itself.

    Args:
        domain: Ω, or Ω over time, of which the corners of Ω are told.
    """
    if isinstance(domain, OverTime):
        return wedges(domain.space)
    if isinstance(domain, Box):
        return _of_box(domain) if domain.dim == 2 else ()
    if isinstance(domain, Polygon):
        return _of_polygon(domain)
    if isinstance(domain, Combined):
        return corners_of(domain, convex=True) if domain.dim == 2 else ()
    return () if domain is None else domain.corners


def _of_box(box: Box) -> tuple[Corner, ...]:
    """The four right angles, counter-clockwise from the lower left."""
    left, right, below, above = (piece.name for piece in box.pieces)
    (x0, y0), (x1, y1) = box.low, box.high
    quarter = 0.5 * math.pi
    found = (
        ((x0, y0), (below, left)),
        ((x1, y0), (right, below)),
        ((x1, y1), (above, right)),
        ((x0, y1), (left, above)),
    )
    return tuple(Corner(vertex, k * quarter, quarter, sides) for k, (vertex, sides) in enumerate(found))


def _of_polygon(shape: Polygon) -> tuple[Corner, ...]:
    found = []
    for k, (vertex, end) in enumerate(shape.edges):
        before = shape.vertices[k - 1]
        start = math.atan2(end[1] - vertex[1], end[0] - vertex[0])
        angle = (math.atan2(before[1] - vertex[1], before[0] - vertex[0]) - start) % (2 * math.pi)
        found.append(Corner(vertex, start, angle, (f"edge {shape.numbers[k]}", f"edge {shape.numbers[k - 1]}")))
    return tuple(found)
