"""Planes through a domain: where its pictures are taken, which of their nodes lie inside,
and the domain's outline in each of them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pinn_ntk.problem.residual import Function, Problem
from pinn_ntk.reporting.grid import Mask, Values, axis_names, bounds, contains

FRAMES = 6
_GRID, _COARSEST = 101, 33
_WORK = 3e8  # neurons × points of one picture: a few seconds at most, whatever the width
_LINE = 65  # points along each axis to see where u varies most
_FINER = 4  # nodes of the outline's grid for one of the picture's: a corner is cut off by as little
_HALVINGS = 40
_SEEN = 3e-4  # of the larger side: what is nearer to a straight line is one
AT_ONCE = 1 << 22  # neurons × points held in memory
FEWEST = 256  # points: very wide networks have two layers, and go through their neurons in chunks themselves


@dataclass(frozen=True)
class Plane:
    """A square grid on two coordinates, the others held.

    Attributes:
        axes: which two.
        names: theirs.
        low: lower ends, (2,).
        high: upper ends.
        held: the others in words, '' in two dimensions.
        points: (side², d) nodes, the second axis running fastest.
        inside: (side, side) whether a node lies in the domain.
        outline: closed curves (k, 2), the domain on the left of each; none where no domain is known.
        alike: whether the axes have one unit, as two of space have.
    """

    axes: tuple[int, int]
    names: tuple[str, str]
    low: tuple[float, float]
    high: tuple[float, float]
    held: str
    points: Tensor
    inside: Mask
    outline: tuple[Values, ...]
    alike: bool

    @property
    def side(self) -> int:
        """Nodes along each axis."""
        return len(self.inside)

    @property
    def whole(self) -> bool:
        """Whether the plane lies in the domain altogether."""
        return bool(self.inside.all())


def center_of(problem: Problem) -> tuple[float, ...]:
    """The middle of the bounding box, or the point of the domain nearest to it where that lies outside."""
    low, high = (torch.tensor(end, dtype=torch.float64, device="cpu") for end in bounds(problem))
    middle = (low + high) / 2
    if problem.domain is None or bool(problem.domain.contains(middle[None])[0]):
        return tuple(middle.tolist())
    x = problem.domain.interior(1024)
    return tuple(x[int((((x - middle) / (high - low)) ** 2).sum(1).argmin())].tolist())


def planes_of(problem: Problem, u: Function, width: int) -> tuple[Plane, ...]:
    """The planes on which a solution is shown; none in one dimension.

    The plane itself for d = 2 (time counts); the three through the centre in space; frames in time where there are two
    space coordinates or more; and where there are more than can be shown, the two coordinates of space along which u
    varies most.

    Args:
        problem: with its domain.
        u: the solution.
        width: N, which limits the nodes.
    """
    d, space, center = problem.dim, problem.dim - int(problem.time), center_of(problem)
    if d == 1:
        return ()
    if d == 2:
        return (plane(problem, (0, 1), center, _side(width, 1)),)
    if space == 3 and not problem.time:
        return tuple(plane(problem, axes, center, _side(width, 3)) for axes in ((0, 1), (0, 2), (1, 2)))
    axes = (0, 1) if space == 2 else telling(problem, u, center)
    if not problem.time:
        return (plane(problem, axes, center, _side(width, 1)),)
    (start, *_), (end, *_) = (side[::-1] for side in bounds(problem))
    moments = np.linspace(start, end, FRAMES)
    return tuple(plane(problem, axes, (*center[:-1], float(t)), _side(width, FRAMES)) for t in moments)


def _side(width: int, planes: int) -> int:
    return min(_GRID, max(_COARSEST, math.isqrt(int(_WORK / planes / width))))


def telling(problem: Problem, u: Function, center: Sequence[float]) -> tuple[int, int]:
    """The two space coordinates along which u varies most on lines through the centre."""
    spreads = []
    for j in range(problem.dim - int(problem.time)):
        x = torch.tensor(center, dtype=torch.float64, device="cpu").repeat(_LINE, 1)
        x[:, j] = torch.linspace(bounds(problem)[0][j], bounds(problem)[1][j], _LINE, dtype=torch.float64, device="cpu")
        line = values_at(u, x[torch.from_numpy(contains(problem, x))].to(problem.x), 1)
        spreads.append(float(np.nan_to_num(line).std()) if len(line) else 0.0)
    first, second = sorted(np.argsort(spreads, kind="stable")[::-1][:2].tolist())
    return first, second


def plane(problem: Problem, axes: tuple[int, int], center: Sequence[float], side: int) -> Plane:
    """The plane through a point.

    Args:
        problem: with its domain.
        axes: the coordinates that vary.
        center: (d,), what the others are held at.
        side: nodes along each axis.
    """
    names, (low, high) = axis_names(problem), bounds(problem)
    (x0, y0), (x1, y1) = (tuple(end[j] for j in axes) for end in (low, high))
    points = _nodes(np.linspace(x0, x1, side), np.linspace(y0, y1, side), axes, center)
    held = ", ".join(f"{name} = {center[j]:.3g}" for j, name in enumerate(names) if j not in axes)
    outline = () if problem.domain is None else _outline(problem, axes, center, (x0, x1), (y0, y1), side)
    alike = not (problem.time and problem.dim - 1 in axes)
    inside = contains(problem, points).reshape(side, side)
    return Plane(
        axes, (names[axes[0]], names[axes[1]]), (x0, y0), (x1, y1), held, points.to(problem.x), inside, outline, alike
    )


def _nodes(x: Values, y: Values, axes: tuple[int, int], center: Sequence[float]) -> Tensor:
    """The tensor grid of those two coordinates, the second running fastest."""
    return _placed(np.stack([part.ravel() for part in np.meshgrid(x, y, indexing="ij")], 1), axes, center)


def _placed(xy: Values, axes: tuple[int, int], center: Sequence[float]) -> Tensor:
    points = torch.tensor(center, dtype=torch.float64, device="cpu").repeat(len(xy), 1)
    points[:, list(axes)] = torch.from_numpy(xy)
    return points


def _outline(
    problem: Problem,
    axes: tuple[int, int],
    center: Sequence[float],
    x: tuple[float, float],
    y: tuple[float, float],
    side: int,
) -> tuple[Values, ...]:
    """Curves through the edges between nodes inside and outside, each met where the domain ends by halving that
    edge.
    """
    from contourpy import contour_generator

    many = _FINER * (side - 1) + 1
    steps = np.array([(end[1] - end[0]) / (many - 1) for end in (x, y)])
    corner = np.array([x[0], y[0]]) - steps  # one ring of nodes around the bounding box, all outside
    ticks = [
        np.concatenate([[end[0] - h], np.linspace(*end, many), [end[1] + h]])
        for end, h in zip((x, y), steps, strict=True)
    ]
    inside = contains(problem, _nodes(ticks[0], ticks[1], axes, center)).reshape(many + 2, many + 2)
    curves = []
    for line in contour_generator(z=inside.T.astype(np.float64)).lines(0.5):
        index = np.asarray(line)
        ends = [np.floor(index).astype(np.int64), np.ceil(index).astype(np.int64)]
        first = inside[ends[0][:, 0], ends[0][:, 1]][:, None]
        a, b = (corner + steps * np.where(first, ends[i], ends[1 - i]) for i in (0, 1))  # a inside, b outside
        for _ in range(_HALVINGS):
            middle = (a + b) / 2
            within = contains(problem, _placed(middle, axes, center))[:, None]
            a, b = np.where(within, middle, a), np.where(within, b, middle)
        curves.append(_simplified(a))
    return tuple(curves)


def _simplified(curve: Values) -> Values:
    """The curve without the points that lie between others on a straight line as far as can be seen."""
    from matplotlib.path import Path

    unit = _SEEN * float(np.ptp(curve, axis=0).max())
    path = Path((curve - curve[0]) / unit)
    path.should_simplify, path.simplify_threshold = True, 1.0
    kept = path.cleaned(simplify=True)
    found: Values = curve[0] + unit * np.asarray(kept.vertices)[np.asarray(kept.codes) != Path.STOP]
    return found


def values_on(function: Function, where: Plane, width: int) -> Values:
    """The function at the nodes in the domain as (side, side), NaN outside, where it is not asked."""
    full = np.full(where.inside.shape, np.nan)
    if where.inside.any():
        full[where.inside] = values_at(
            function, where.points[torch.from_numpy(where.inside.ravel()).to(where.points.device)], width
        )
    return full


def values_at(function: Function, points: Tensor, width: int) -> Values:
    """The function at points, a few at a time for a wide network."""
    with torch.no_grad():
        parts = [function(part).detach().cpu().double() for part in points.split(max(FEWEST, AT_ONCE // width))]
    values: Values = torch.cat(parts).numpy()
    return values
