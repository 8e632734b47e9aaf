"""Domains of size one for the generator: where they lie, as `domain` of a problem in text."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any


@dataclass(frozen=True)
class Place:
    """A domain of space.

    Attributes:
        kind: in a word.
        domain: as `domain` of a problem in text.
        low: lower ends of a box about it.
        high: upper ends.
        box: whether it is one, so that each axis may have a unit of its own.
        center: a point inside, far from the boundary.
        reach: how far the boundary is from there, at least.
        holes: (center, radius) of its holes.
    """

    kind: str
    domain: Mapping[str, Any]
    low: tuple[float, ...]
    high: tuple[float, ...]
    center: tuple[float, ...]
    reach: float
    box: bool = False
    holes: tuple[tuple[tuple[float, ...], float], ...] = ()

    @property
    def dim(self) -> int:
        """Of space."""
        return len(self.low)

    @property
    def length(self) -> float:
        """The longest side of the box about it."""
        return max(b - a for a, b in zip(self.low, self.high, strict=True))


def some_box(rng: Random, dim: int) -> Place:
    """[0, 1]^d, or sides of .3 … 3."""
    sides = [1.0] * dim if rng.random() < 0.6 else [_round(0.3 * 10.0 ** rng.random()) for _ in range(dim)]
    return unit_box(sides)


def unit_box(sides: list[float]) -> Place:
    """[0, L_1] × … ."""
    low, high = [0.0] * len(sides), list(sides)
    center = tuple(side / 2 for side in sides)
    return Place(
        "box", {"kind": "box", "low": low, "high": high}, tuple(low), tuple(high), center, min(sides) / 2, box=True
    )


def some_place(rng: Random, dim: int) -> Place:
    """A box about half of the time; else a disc, an ellipse, a ring, an L, a polygon, a union, holes, or a ball."""
    if dim == 1 or rng.random() < 0.4:
        return some_box(rng, dim)
    if dim == 2:
        return rng.choice(PLANE)(rng)
    return rng.choice(SOLID)(rng, dim) if dim == 3 else ball(rng, dim)


def ball(rng: Random, dim: int) -> Place:
    """|X| < 1."""
    del rng
    domain = {"kind": "ball", "center": [0.0] * dim, "radius": 1.0}
    return Place("disc" if dim == 2 else "ball", domain, (-1.0,) * dim, (1.0,) * dim, (0.0,) * dim, 1.0)


def ellipse(rng: Random) -> Place:
    """An ellipse along the axes."""
    b = _round(rng.uniform(0.3, 0.9))
    return Place(
        "ellipse", {"kind": "ellipse", "center": [0.0, 0.0], "radii": [1.0, b]}, (-1.0, -b), (1.0, b), (0.0, 0.0), b
    )


def ring(rng: Random) -> Place:
    """An annulus, or a disc with a hole that is not concentric."""
    inner = _round(rng.uniform(0.15, 0.5))
    if rng.random() < 0.5:
        domain: dict[str, Any] = {"kind": "annulus", "center": [0.0, 0.0], "inner": inner, "outer": 1.0}
        return _holed("annulus", domain, ((0.0, 0.0), inner))
    at = (_round(rng.uniform(-0.3, 0.3)), _round(rng.uniform(-0.3, 0.3)))
    disc = {"kind": "ball", "center": [0.0, 0.0], "radius": 1.0}
    domain = {"kind": "difference", "of": [disc, {"kind": "ball", "center": list(at), "radius": inner}]}
    return _holed("eccentric ring", domain, (at, inner))


def corner(rng: Random) -> Place:
    """The L-shape."""
    del rng
    domain = {"kind": "l_shape", "low": [-1.0, -1.0], "high": [1.0, 1.0]}
    return Place("l_shape", domain, (-1.0, -1.0), (1.0, 1.0), (-0.5, -0.5), 0.5)


def many_sided(rng: Random) -> Place:
    """A polygon of five to eight corners, star-shaped about 0."""
    n = rng.randint(5, 8)
    radii = [rng.uniform(0.6, 1.0) for _ in range(n)]
    angles = [2 * math.pi * (i + rng.uniform(-0.2, 0.2)) / n for i in range(n)]
    vertices = [[_round(r * math.cos(a)), _round(r * math.sin(a))] for r, a in zip(radii, angles, strict=True)]
    low, high = (tuple(f(v[j] for v in vertices) for j in (0, 1)) for f in (min, max))
    return Place("polygon", {"kind": "polygon", "vertices": vertices}, low, high, (0.0, 0.0), 0.25)


def joined(rng: Random) -> Place:
    """A box and a disc that overlap."""
    r = _round(rng.uniform(0.3, 0.45))
    parts = [
        {"kind": "box", "low": [0.0, 0.0], "high": [1.0, 1.0]},
        {"kind": "ball", "center": [1.0, 0.5], "radius": r},
    ]
    return Place("union", {"kind": "union", "of": parts}, (0.0, 0.0), (1.0 + r, 1.0), (0.5, 0.5), 0.5)


def with_holes(rng: Random) -> Place:
    """A square with one to three round holes."""
    centers = [(0.25, 0.25), (0.75, 0.3), (0.45, 0.75)][: rng.randint(1, 3)]
    holes = tuple((at, _round(rng.uniform(0.05, 0.16))) for at in centers)
    parts = [{"kind": "box", "low": [0.0, 0.0], "high": [1.0, 1.0]}]
    parts += [{"kind": "ball", "center": list(at), "radius": r} for at, r in holes]
    domain = {"kind": "difference", "of": parts}
    return Place("holes", domain, (0.0, 0.0), (1.0, 1.0), (0.8, 0.8), 0.15, holes=holes)


def shell(rng: Random, dim: int) -> Place:
    """A ball minus a ball."""
    r = _round(rng.uniform(0.15, 0.4))
    at = (_round(rng.uniform(-0.2, 0.2)),) + (0.1,) * (dim - 1)
    outer = {"kind": "ball", "center": [0.0] * dim, "radius": 1.0}
    domain = {"kind": "difference", "of": [outer, {"kind": "ball", "center": list(at), "radius": r}]}
    center = (*[0.0] * (dim - 1), -0.75)
    return Place("shell", domain, (-1.0,) * dim, (1.0,) * dim, center, 0.2, holes=((at, r),))


PLANE = (lambda rng: ball(rng, 2), ellipse, ring, corner, many_sided, joined, with_holes)
SOLID = (ball, shell)


def _holed(kind: str, domain: Mapping[str, Any], hole: tuple[tuple[float, ...], float]) -> Place:
    return Place(kind, domain, (-1.0, -1.0), (1.0, 1.0), (0.0, 0.9), 0.1, holes=(hole,))


def _round(value: float) -> float:
    return float(f"{value:.4g}")
