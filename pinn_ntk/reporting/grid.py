"""Grids over a domain: what lies outside of it is known and never evaluated."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pinn_ntk.expressions.reader import variable_names
from pinn_ntk.problem.residual import Problem

Values = np.ndarray[Any, np.dtype[np.float64]]
Mask = np.ndarray[Any, np.dtype[np.bool_]]

SIDES = {1: 401, 2: 101, 3: 41}
"""Nodes along each axis of the grid that a run writes, by d."""
MAX_NODES = 10**7
_WORK = 3e7  # neurons × nodes of that grid: a second at most, whatever the width
_COARSEST = 9
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def axis_names(problem: Problem) -> tuple[str, ...]:
    """x, y, z (x₁ … beyond three of space), and t for a time axis, as a figure writes them."""
    return tuple(name.translate(_SUBSCRIPTS) for name in variable_names(problem.dim, problem.time))


def bounds(problem: Problem) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The bounding box of the domain, or of the points where no domain is known; no side of it is empty."""
    x = problem.x.detach()
    low = problem.domain.low if problem.domain else tuple(x.amin(0).tolist())
    high = problem.domain.high if problem.domain else tuple(x.amax(0).tolist())
    return low, tuple(hi if hi > lo else lo + 1.0 for lo, hi in zip(low, high, strict=True))


def contains(problem: Problem, x: Tensor) -> Mask:
    """Which points lie in the domain; all of them where none is known."""
    inside: Mask = (
        np.ones(len(x), dtype=np.bool_) if problem.domain is None else problem.domain.contains(x).cpu().numpy()
    )
    return inside


@dataclass(frozen=True)
class Grid:
    """Nodes of a tensor grid over the bounding box.

    Attributes:
        names: of the coordinates.
        axes: the nodes along each.
        inside: (m₁, …, m_d), which of them lie in the domain.
    """

    names: tuple[str, ...]
    axes: tuple[Values, ...]
    inside: Mask

    @cached_property
    def points(self) -> Values:
        """The nodes in the domain, (n, d)."""
        return np.stack([part[self.inside] for part in np.meshgrid(*self.axes, indexing="ij")], 1)

    @property
    def within(self) -> Mask:
        """Which of `points` lie on no face of the bounding box, (n,)."""
        ends = [(self.points[:, j] > a[0]) & (self.points[:, j] < a[-1]) for j, a in enumerate(self.axes)]
        found: Mask = np.logical_and.reduce(ends)
        return found

    def spread(self, values: Values) -> Values:
        """Values at `points` as an array over all nodes, NaN outside."""
        full = np.full(self.inside.shape, np.nan)
        full[self.inside] = values
        return full


def grid_of(problem: Problem, side: int) -> Grid:
    """The grid with that many nodes along each axis.

    Raises:
        ValueError: fewer than 2 or more nodes than can be held.
    """
    if side < 2 or side**problem.dim > MAX_NODES:
        raise ValueError(
            f"grid: got {side} nodes along each of {problem.dim} axes, expected at least 2 and at most "
            f"{math.floor(MAX_NODES ** (1 / problem.dim) + 1e-9)}; a list of points has no such limit"
        )
    axes = tuple(np.linspace(lo, hi, side) for lo, hi in zip(*bounds(problem), strict=True))
    nodes = torch.from_numpy(np.stack([part.ravel() for part in np.meshgrid(*axes, indexing="ij")], 1))
    inside = contains(problem, nodes).reshape((side,) * problem.dim)
    return Grid(variable_names(problem.dim, problem.time), axes, inside)


def usual_side(dim: int, width: int) -> int | None:
    """Nodes along each axis of the grid that a run writes, fewer for a wide network; None beyond three dimensions."""
    if dim not in SIDES:
        return None
    return min(SIDES[dim], max(_COARSEST, int((_WORK / max(1, width)) ** (1 / dim))))
