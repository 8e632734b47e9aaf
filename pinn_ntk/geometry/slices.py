"""A plane domain with holes, slice by slice: Ω = {(x, y): y in some intervals that depend on x}.

The ends of the intervals are found by bisection of `inside` between points that are spread over a slice, and lie about
the heights at which a boundary is vertical: there intervals are born, too short for the others. Panels in x are halved
until the area and the moment ∫y dy dx of each agree with those of its halves, so that corners, tangents and jumps lie
in panels too short to matter. Where boundaries of parts cross, intervals are born at places that no part knows of: such
domains are not sliced.
"""

import math
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from pinn_ntk.geometry.annulus import Annulus
from pinn_ntk.geometry.ball import Ball
from pinn_ntk.geometry.box import Box
from pinn_ntk.geometry.combined import Combined
from pinn_ntk.geometry.domain import Domain
from pinn_ntk.geometry.ellipse import Ellipse
from pinn_ntk.geometry.polygon import Polygon
from pinn_ntk.geometry.shape import reach

_FIRST, _DEEPEST = 16, 44  # panels, and halvings of one
_NODES = 8  # of a panel
_SCAN = 256  # points of a slice
_CLOSER, _CLOSEST = 0.75, 120  # ratio and number of the distances from a vertex, of points about it
_HALVINGS = 52
_SHARE = 1e-13  # of the bounding box's area, at which a panel is fine enough
_AGREE = 2e-2  # of the area, by which slices and points counted may differ: else something thin was overlooked

Intervals = tuple[Tensor, Tensor, Tensor]
"""Slice, lower and upper end of each interval, (k,) each."""


def can_be_sliced(domain: Domain) -> bool:
    """Whether a domain is plane and made of shapes whose boundaries do not cross."""
    if isinstance(domain, Combined):
        return all(map(can_be_sliced, domain.parts)) and domain.intact
    return domain.dim == 2 and isinstance(domain, (Box, Ball, Annulus, Ellipse, Polygon))


def _births(domain: Domain) -> list[float]:
    """The heights at which a boundary is vertical; about those of a polygon's vertices many."""
    match domain:
        case Combined():
            return [y for part in domain.parts for y in _births(part)]
        case Ball() | Annulus():
            return [domain.center[1]]
        case Ellipse(center=(_, y), radii=(a, b), angle=phi):
            theta = math.atan2(-b * math.sin(phi), a * math.cos(phi))
            rise = a * math.sin(phi) * math.cos(theta) + b * math.cos(phi) * math.sin(theta)
            return [y - rise, y + rise]
        case Polygon():
            size = domain.high[1] - domain.low[1]
            steps = [sign * size * _CLOSER**k for sign in (-1.0, 1.0) for k in range(_CLOSEST)]
            return [y + step for y in {v[1] for v in domain.vertices} for step in steps]
    return []


def _heights(domain: Domain) -> Tensor:
    """Where slices are looked at, ascending, the ends of the bounding box first and last."""
    low, high = domain.low[1], domain.high[1]
    share = (torch.arange(_SCAN, dtype=torch.float64, device="cpu") + 0.5) / _SCAN
    births = share.new_tensor([y for y in _births(domain) if low < y < high])
    heights: Tensor = torch.cat([low + (high - low) * share, births, share.new_tensor([low, high])]).unique()
    return heights


def intervals(domain: Domain, x: Tensor) -> Intervals:
    """The intervals of Ω above the abscissae x (n,)."""
    y = _heights(domain)
    scan = len(y) - 2
    grid = torch.stack([x[:, None].expand(-1, scan), y[None, 1:-1].expand(len(x), -1)], 2).reshape(-1, 2)
    inside = torch.zeros(len(x), scan + 2, dtype=torch.bool, device="cpu")
    inside[:, 1:-1] = domain.inside(grid).reshape(len(x), scan)
    slices, at = (inside[:, 1:] ^ inside[:, :-1]).nonzero(as_tuple=True)
    below, above, entering = y[at], y[at + 1], inside[slices, at + 1]
    for _ in range(_HALVINGS):
        middle = 0.5 * (below + above)
        further = domain.inside(torch.stack([x[slices], middle], 1)) ^ entering  # the end lies above
        below, above = torch.where(further, middle, below), torch.where(further, above, middle)
    ends = 0.5 * (below + above)
    return slices[::2], ends[::2], ends[1::2]


def _abscissae(panels: Tensor) -> tuple[Tensor, Tensor]:
    """Gauss nodes of panels (p, 2), panel after panel, and their weights."""
    nodes, weights = (torch.from_numpy(v) for v in np.polynomial.legendre.leggauss(_NODES))
    half = 0.5 * (panels[:, 1:] - panels[:, :1])
    return (panels[:, :1] + half * (nodes + 1.0)).flatten(), (half * weights).flatten()


def _moments(domain: Domain, panels: Tensor) -> Tensor:
    """Area and ∫y of each panel, (p, 2), y from the bounding box's lower end in units of its height."""
    x, w = _abscissae(panels)
    slices, lower, upper = intervals(domain, x)
    height = domain.high[1] - domain.low[1]
    a, b = (lower - domain.low[1]) / height, (upper - domain.low[1]) / height
    both = torch.zeros(len(x), 2, dtype=torch.float64, device="cpu")
    both.index_add_(0, slices, height * torch.stack([b - a, 0.5 * (b * b - a * a)], 1))
    return (w[:, None] * both).reshape(len(panels), _NODES, 2).sum(1)


def panels_of(domain: Domain) -> Tensor | None:
    """Panels in x, (p, 2), of a domain with holes or an ellipse; None where it cannot be sliced."""
    return _panels(domain) if isinstance(domain, (Combined, Ellipse)) and can_be_sliced(domain) else None


@lru_cache(8)
def _panels(domain: Combined | Ellipse) -> Tensor | None:
    """Panels in x, (p, 2), fine enough for the shape of a plane domain; None where slices overlook a part of it."""
    ends = torch.linspace(domain.low[0], domain.high[0], _FIRST + 1, dtype=torch.float64, device="cpu")
    open_panels, done, area = torch.stack([ends[:-1], ends[1:]], 1), list[Tensor](), 0.0
    box = (domain.high[0] - domain.low[0]) * (domain.high[1] - domain.low[1])
    whole = _moments(domain, open_panels)
    for depth in range(_DEEPEST):
        middle = open_panels.mean(1)
        halves = torch.stack([open_panels[:, 0], middle, middle, open_panels[:, 1]], 1).reshape(-1, 2)
        parts = _moments(domain, halves)
        gap = (parts.reshape(-1, 2, 2).sum(1) - whole).abs().amax(1)
        fine = (gap <= _SHARE * box) if depth < _DEEPEST - 1 else torch.ones_like(gap, dtype=torch.bool)
        done.append(open_panels[fine])
        area += float(whole[fine, 0].sum())
        coarse = (~fine).repeat_interleave(2)
        open_panels, whole = halves[coarse], parts[coarse]
        if not len(open_panels):
            break
    return torch.cat(done) if abs(area - domain.volume) <= _AGREE * min(domain.volume, reach(domain)) else None


def overlooked(domain: Domain, panels: Tensor) -> float:
    """The share of |Ω| that the panels may have wrong."""
    box = (domain.high[0] - domain.low[0]) * (domain.high[1] - domain.low[1])
    return len(panels) * _SHARE * box / domain.volume


def sliced(domain: Domain, panels: Tensor, m: int) -> tuple[Tensor, Tensor]:
    """The rule on those panels with about m nodes in every interval; (points (n, 2), weights (n,))."""
    x, w = _abscissae(panels)
    slices, lower, upper = intervals(domain, x)
    nodes, weights = (torch.from_numpy(v) for v in np.polynomial.legendre.leggauss(max(2, m // 2)))
    half = 0.5 * (upper - lower)[:, None]
    y = lower[:, None] + half * (nodes + 1.0)
    points = torch.stack([x[slices][:, None].expand_as(y), y], 2).reshape(-1, 2)
    return points, (w[slices][:, None] * half * weights).flatten()
