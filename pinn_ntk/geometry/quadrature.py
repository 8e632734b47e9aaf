"""Quadrature: ∫_Ω f dx ≈ Σ_i w_i f(x_i), by Gauss–Legendre on boxes, balls, triangles and slices of plane domains with
holes, else over Sobol points.

A Sobol rule counts the candidates that lie inside instead of trusting a measured volume, so that independent
scramblings tell its whole error.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from pinn_ntk.geometry.annulus import Annulus
from pinn_ntk.geometry.ball import Ball
from pinn_ntk.geometry.box import Box
from pinn_ntk.geometry.combined import Combined, Kept
from pinn_ntk.geometry.domain import Domain, Piece
from pinn_ntk.geometry.over_time import OverTime
from pinn_ntk.geometry.polygon import Polygon
from pinn_ntk.geometry.sampling import LAST_SEED, sobol, stream
from pinn_ntk.geometry.shape import reach, spread
from pinn_ntk.geometry.slices import overlooked, panels_of, sliced
from pinn_ntk.geometry.triangulation import triangulate

Rule = tuple[Tensor, Tensor]
"""Points x (n, d) and weights w (n,)."""
Normal = Callable[[Tensor], Tensor]
_MOST = 3  # coordinates of a product rule
_STREAM = 17  # of Sobol points that no other sampler has


@dataclass(frozen=True)
class Place:
    """Where an integral is taken: a domain, or a piece of its boundary.

    Attributes:
        dim: its own dimension.
        gauss: m → the rule with about m nodes along each dimension; None where none is known.
        sobol: (n, seed) → a rule on about n scrambled Sobol points.
        normal: points → outward unit normals of a piece; None of a domain.
        rough: the share of ∫|f| that Gauss's rules may have wrong however fine they are.
    """

    dim: int
    gauss: Callable[[int], Rule] | None
    sobol: Callable[[int, int], Rule]
    normal: Normal | None = None
    rough: float = 0.0

    def at_time(self, t: float) -> "Place":
        """The same place at one time, the last coordinate being t."""

        def lifted(rule: Rule) -> Rule:
            x, w = rule
            return torch.cat([x, torch.full_like(x[:, :1], t)], 1), w

        gauss, normal = self.gauss, self.normal
        return Place(
            self.dim,
            None if gauss is None else lambda m: lifted(gauss(m)),
            lambda n, seed: lifted(self.sobol(n, seed)),
            None if normal is None else lambda x: torch.cat([normal(x[:, :-1]), torch.zeros_like(x[:, :1])], 1),
            self.rough,
        )


def volume_place(domain: Domain) -> Place:
    """Ω as a place of integration."""
    space = domain.space if isinstance(domain, OverTime) else domain
    panels = panels_of(space)
    rough = 0.0 if panels is None else overlooked(space, panels)
    return Place(domain.dim, _volume_gauss(domain), lambda n, seed: _volume_sobol(domain, n, seed), rough=rough)


def piece_place(domain: Domain, index: int) -> Place:
    """The piece of ∂Ω of that index as a place of integration."""
    piece = domain.pieces[index]
    return Place(
        domain.dim - 1, _piece_gauss(domain, index), lambda n, seed: _piece_sobol(domain, piece, n, seed), piece.normal
    )


@cache
def gauss(m: int) -> Rule:
    """Gauss–Legendre on (0, 1), m nodes as (m, 1)."""
    nodes, weights = np.polynomial.legendre.leggauss(m)
    return torch.from_numpy(0.5 * (nodes + 1.0))[:, None], torch.from_numpy(0.5 * weights)


def _product(first: Rule, second: Rule) -> Rule:
    """The rule on pairs of points."""
    (x, v), (y, w) = first, second
    pairs = torch.cat([x.repeat_interleave(len(y), 0), y.repeat(len(x), 1)], 1)
    return pairs, (v[:, None] * w).flatten()


def _interval(low: float, high: float, m: int) -> Rule:
    x, w = gauss(m)
    return low + (high - low) * x, (high - low) * w


def _box(low: tuple[float, ...], high: tuple[float, ...], m: int) -> Rule:
    rule = _interval(low[0], high[0], m)
    for lo, hi in zip(low[1:], high[1:], strict=True):
        rule = _product(rule, _interval(lo, hi, m))
    return rule


def _volume_gauss(domain: Domain) -> Callable[[int], Rule] | None:
    if domain.dim > _MOST:
        return None
    match domain:
        case Box() | Ball(center=(_,)):
            return lambda m: _box(domain.low, domain.high, m)
        case Ball():
            return lambda m: _ball(domain.center, 0.0, domain.radius, m)
        case Annulus():
            return lambda m: _ball(domain.center, domain.inner, domain.outer, m)
        case Polygon():
            return lambda m: _polygon(domain, m)
        case OverTime():
            space = _volume_gauss(domain.space)
            return None if space is None else lambda m: _product(space(m), _interval(domain.start, domain.end, m))
    panels = panels_of(domain)
    return None if panels is None else lambda m: sliced(domain, panels, m)


def _piece_gauss(domain: Domain, index: int) -> Callable[[int], Rule] | None:
    if domain.dim > _MOST + 1:
        return None
    piece = domain.pieces[index]
    match domain:
        case Box() | Ball(center=(_,)):
            return lambda m: _face(domain.low, domain.high, *divmod(index, 2), m)
        case Ball():
            return lambda m: _sphere(domain.center, domain.radius, m)
        case Annulus():
            return lambda m: _sphere(domain.center, (domain.inner, domain.outer)[index], m)
        case Polygon():
            edges = {f"edge {number}": edge for number, edge in zip(domain.numbers, domain.edges, strict=True)}
            return lambda m: _segment(*edges[piece.name], m)
        case Combined() if isinstance(piece, Kept) and piece.share == 1.0:
            part = domain.parts[piece.part]
            return _piece_gauss(part, [p.name for p in part.pieces].index(piece.whole.name))
        case OverTime():
            return _piece_over_time(domain, index)
    return None


def _piece_over_time(domain: OverTime, index: int) -> Callable[[int], Rule] | None:
    """Of a wall the product with time; of a lid the rule of Ω at that time."""
    walls = len(domain.space.pieces)
    if index < walls:
        wall = _piece_gauss(domain.space, index)
        return None if wall is None else lambda m: _product(wall(m), _interval(domain.start, domain.end, m))
    space, time = _volume_gauss(domain.space), (domain.start, domain.end)[index - walls]
    lid = torch.full((1, 1), time, dtype=torch.float64, device="cpu"), torch.ones(1, dtype=torch.float64, device="cpu")
    return None if space is None else lambda m: _product(space(m), lid)


def _face(low: tuple[float, ...], high: tuple[float, ...], axis: int, side: int, m: int) -> Rule:
    """x_axis at one of its ends; in one dimension a single point of weight 1."""
    end = (low, high)[side][axis]
    rest = [j for j in range(len(low)) if j != axis]
    y, w = (
        _box(tuple(low[j] for j in rest), tuple(high[j] for j in rest), m)
        if rest
        else (torch.zeros(1, 0, dtype=torch.float64, device="cpu"), torch.ones(1, dtype=torch.float64, device="cpu"))
    )
    x = torch.full((len(y), len(low)), end, dtype=torch.float64, device="cpu")
    x[:, rest] = y
    return x, w


def _sphere(center: tuple[float, ...], radius: float, m: int) -> Rule:
    """Equal weights in the angle, which converge as Gauss does for periodic functions; Gauss in the height."""
    count = 2 * m
    angle = 2.0 * math.pi * (torch.arange(count, device="cpu").double() + 0.5) / count
    w = torch.full((count,), 2.0 * math.pi * radius / count, dtype=torch.float64, device="cpu")
    circle = torch.stack([angle.cos(), angle.sin()], 1)
    middle = torch.tensor(center, dtype=torch.float64, device="cpu")
    if len(center) == 2:
        return middle + radius * circle, w
    height, v = _interval(-1.0, 1.0, m)
    pairs, weights = _product((height, v), (circle, w * radius))
    across = (1.0 - pairs[:, :1].square()).sqrt()
    return middle + radius * torch.cat([across * pairs[:, 1:], pairs[:, :1]], 1), weights


def _ball(center: tuple[float, ...], inner: float, outer: float, m: int) -> Rule:
    """Gauss in the radius, r^(d−1) dr dω."""
    (r, v), (y, w) = _interval(inner, outer, m), _sphere((0.0,) * len(center), 1.0, m)
    middle = torch.tensor(center, dtype=torch.float64, device="cpu")
    x = middle + (r[:, None] * y).flatten(0, 1)
    return x, ((v * r[:, 0] ** (len(center) - 1))[:, None] * w).flatten()


def _segment(p: tuple[float, float], q: tuple[float, float], m: int) -> Rule:
    s, w = gauss(m)
    start, end = (torch.tensor(v, dtype=torch.float64, device="cpu") for v in (p, q))
    return start + s * (end - start), math.dist(p, q) * w


def _polygon(domain: Polygon, m: int) -> Rule:
    """Triangle by triangle, x = p + s(q − p) + st(r − q) with the weight 2|T|s."""
    s, w = _product(gauss(m), gauss(m))
    corners, triangles = (torch.from_numpy(v) for v in triangulate(domain.vertices))
    rules = []
    for triangle in triangles.mT:
        p, q, r = corners.mT[triangle]
        double = abs(float((q - p)[0] * (r - p)[1] - (q - p)[1] * (r - p)[0]))
        rules.append((p + s[:, :1] * (q - p) + s[:, :1] * s[:, 1:] * (r - q), double * w * s[:, 0]))
    return torch.cat([x for x, _ in rules]), torch.cat([w for _, w in rules])


def _volume_sobol(domain: Domain, n: int, seed: int) -> Rule:
    """Candidates that lie inside; their weight is |Ω|/n where |Ω| has a formula, else their own share."""
    unit = sobol(n, domain.dim, stream(seed % (LAST_SEED + 1), _STREAM))
    x = spread(domain, unit)
    x = x[domain.inside(x)]
    weight = reach(domain) / n if _counted(domain) else domain.volume / max(1, len(x))
    return x, torch.full_like(x[:, 0], weight)


def _counted(domain: Domain) -> bool:
    """Whether |Ω| itself was found by counting points."""
    space = domain.space if isinstance(domain, OverTime) else domain
    return isinstance(space, Combined) and space.volume == space.filled * space.reach


def _piece_sobol(domain: Domain, piece: Piece, n: int, seed: int) -> Rule:
    """Points by measure; of a piece that is cut, those of the whole one that remain."""
    if isinstance(piece, Kept) and isinstance(domain, Combined):
        x = piece.whole.sample(n, seed)
        total, x = len(x), x[domain.on_result(piece.part, piece.whole, x)]
        return x, torch.full_like(x[:, 0], piece.whole.measure / total)
    x = piece.sample(n, seed)
    return x, torch.full_like(x[:, 0], piece.measure / len(x))
