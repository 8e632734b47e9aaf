"""Where the holes of a combined domain are."""

from collections.abc import Collection, Sequence

import torch

from pinn_ntk.geometry.ball import Ball
from pinn_ntk.geometry.box import Box
from pinn_ntk.geometry.domain import Domain, Hole
from pinn_ntk.geometry.ellipse import Ellipse
from pinn_ntk.geometry.sphere import sphere_points

_LOOKS, _CANDIDATES, _SAFE = (
    128,
    512,
    0.9,
)  # points about a hole; centres that are tried, and how much of a measured radius is believed


def holes_of(kind: str, parts: Sequence[Domain], removed: Collection[int]) -> tuple[Hole, ...]:
    """The holes of a union, difference or intersection, d ≥ 2.

    Args:
        kind: union, difference or intersection.
        parts: of which.
        removed: places of the parts that are taken away and whose whole boundary is left as boundary of the result.

    Returns:
        those parts, unless they have holes themselves, and holes of the parts that the other parts leave as they are.
    """
    if parts[0].dim == 1:
        return ()
    own = parts[:1] if kind == "difference" else parts
    found = [hole for k, part in enumerate(own) for hole in part.holes if _survives(hole, k, kind, parts)]
    return (*found, *(_within(parts[k]) for k in sorted(removed) if not parts[k].holes))


def _survives(hole: Hole, k: int, kind: str, parts: Sequence[Domain]) -> bool:
    """Whether the other parts neither fill the hole nor open it: they all contain it, or none comes near it."""
    center = torch.tensor([hole.center], dtype=torch.float64, device="cpu")
    x = torch.cat([center, center + hole.radius * (1 + 1e-6) * sphere_points(_LOOKS, center.shape[1], 0)])
    others = [part for j, part in enumerate(parts) if j != k]
    if kind == "intersection":
        return all(bool(part.inside(x).all()) for part in others)
    return not any(bool(part.contains(x).any()) for part in others)


def _within(part: Domain) -> Hole:
    """A ball in the part: its largest where that has a formula, else the best of many about points inside."""
    match part:
        case Ball(center, radius):
            return Hole(center, radius)
        case Ellipse(center, radii, _):
            return Hole(center, min(radii))
        case Box(low, high):
            return Hole(tuple(0.5 * (lo + hi) for lo, hi in zip(low, high, strict=True)), 0.5 * min(part.lengths))
    x = part.test_points(_CANDIDATES)
    distance = torch.cdist(x, part.boundary(8 * _CANDIDATES)).amin(1)
    return Hole(tuple(x[int(distance.argmax())].tolist()), _SAFE * float(distance.max()))
