"""Points where two parts of ∂Ω meet: edges and corners of boxes, vertices, and the rim of Ω at the ends of time."""

from itertools import combinations, islice, product

import torch
from torch import Tensor

from pinn_ntk.geometry.box import Box
from pinn_ntk.geometry.domain import Domain
from pinn_ntk.geometry.over_time import OverTime
from pinn_ntk.geometry.polygon import Polygon
from pinn_ntk.geometry.segments import Side, crossing
from pinn_ntk.geometry.shape import Shape
from pinn_ntk.problem.posed import Region

_ALONG = 8  # points along an edge
_PAIRS = 512  # of faces that are looked at
_NEAR = 1e-6  # of a side: how far along it one looks
_CORNERS = 6  # coordinates up to which all corners of a box are taken


def meeting_points(first: Region, second: Region, domain: Domain) -> Tensor:
    """Points on the closures of both, (m, d); none where they do not meet,
    or where nothing is known of how curved pieces do.
    """
    cuboid = _as_box(domain)
    if cuboid is not None:
        return _edges_of_box(first, second, domain, cuboid)
    x = _candidates(domain)
    return x[_on(first, domain, x) & _on(second, domain, x)]


def _as_box(domain: Domain) -> Box | None:
    """A box, or a box over time, whose faces come in the same order."""
    product_of_boxes = isinstance(domain, OverTime) and isinstance(domain.space, Box)
    return domain if isinstance(domain, Box) else Box(domain.low, domain.high) if product_of_boxes else None


def _edges_of_box(first: Region, second: Region, domain: Domain, cuboid: Box) -> Tensor:
    place = {piece.name: k for k, piece in enumerate(domain.pieces)}
    pairs = [
        (divmod(place[a], 2), divmod(place[b], 2)) for a, b in islice(product(first.pieces, second.pieces), _PAIRS)
    ]
    crossed = [(one, other) for one, other in pairs if one[0] != other[0]]
    if not crossed:
        return torch.zeros(0, cuboid.dim, dtype=torch.float64, device="cpu")
    corners = [cuboid.lattice(2)] if cuboid.dim <= _CORNERS else []
    inside = torch.cat([cuboid.interior(_ALONG), *corners])
    found = inside.repeat(len(crossed), 1, 1)
    for x, faces in zip(found, crossed, strict=True):
        for axis, high in faces:
            x[:, axis] = (cuboid.high if high else cuboid.low)[axis]
    return found.flatten(0, 1)


def _candidates(domain: Domain) -> Tensor:
    """Vertices of straight sides; with time those at its ends and midst, and points of ∂Ω at its ends."""
    if not isinstance(domain, OverTime):
        return _vertices(domain)
    start, end = domain.start, domain.end
    rim = domain.space.boundary(_ALONG * len(domain.space.pieces))
    vertices = _vertices(domain.space)
    parts = [(rim, start), (rim, end), *((vertices, t) for t in (start, 0.5 * (start + end), end))]
    return torch.cat([torch.cat([x, torch.full_like(x[:, :1], t)], 1) for x, t in parts])


def _sides(domain: Domain) -> tuple[Side, ...]:
    """The straight sides of a plane domain, or of the plane domain over time."""
    space = domain.space if isinstance(domain, OverTime) else domain
    return space.sides if isinstance(space, Shape) else ()


def _vertices(domain: Domain) -> Tensor:
    sides = _sides(domain)
    points = [end for side in sides for end in (side.start, side.end)]
    if not isinstance(domain, Polygon):  # whose sides are known to meet at vertices alone
        points += [p for a, b in combinations(sides, 2) if (p := crossing(a.start, a.end, b.start, b.end))]
    return torch.tensor(sorted(set(points)), dtype=torch.float64, device="cpu").reshape(-1, domain.dim)


def _on(region: Region, domain: Domain, x: Tensor) -> Tensor:
    """Whether points are on the closure of the region; a side that ends in a point is found a little along it."""
    found = x.new_zeros(len(x), dtype=torch.bool)
    along = {side.name: [b - a for a, b in zip(side.start, side.end, strict=True)] for side in _sides(domain)}
    for piece in domain.pieces:
        if piece.name in region.pieces:
            found |= piece.contains(x)
            step = torch.zeros(domain.dim, dtype=torch.float64, device="cpu")
            step[:2] = _NEAR * step.new_tensor(along[piece.name]) if piece.name in along else 0.0
            if bool(step.any()):
                found |= piece.contains(x + step) | piece.contains(x - step)
    return found
