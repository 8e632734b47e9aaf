"""Simplex meshes of boxes and polygons with about so many nodes of quadratic elements,
finer where solutions are singular at corners.

At a corner with u ~ r^α, α < 1, the elements' size at the distance r is H(r/R)^(1 − μ) with μ < α/2: the order of
smooth solutions is kept.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from pinn_ntk.geometry.box import Box
from pinn_ntk.geometry.polygon import Polygon
from pinn_ntk.geometry.triangulation import triangulate
from pinn_ntk.reference.task import Array, Task

_FINEST = 1e-6  # of the diameter: the smallest element at a corner
_LEVELS, _ROUNDS, _TRIES = 5, 60, 3


@dataclass(frozen=True)
class Singular:
    """u ~ r^α about a vertex."""

    vertex: tuple[float, float]
    alpha: float


def meshes_of(task: Task, degrees: int) -> tuple[Any, Any]:
    """Two meshes of Ω, the second made by halving the first, with about `degrees` nodes of quadratic elements."""
    if isinstance(task.space, Box):
        cells = _cells(task.space, degrees)
        return _box_mesh(task.space, cells), _box_mesh(task.space, [2 * m for m in cells])
    corners, shape = singular_corners(task), task.space
    size = math.sqrt(16.0 * shape.volume / degrees)
    for _ in range(_TRIES):  # on meshes of a sixteenth of the nodes
        trial = _polygon_mesh(shape, corners, 2 * size)
        size *= math.sqrt(16 * (trial.nvertices + trial.nfacets) / degrees)
    mesh = _polygon_mesh(shape, corners, size)
    return mesh, mesh.refined()


def _cells(shape: Box, degrees: int) -> list[int]:
    """How many cells per axis, as nearly cubes as fit, whose halves have the nodes asked for."""
    size = (shape.volume / degrees) ** (1 / shape.dim)
    return [max(1, round(0.25 * (length / size - 1))) for length in shape.lengths]


def _box_mesh(shape: Box, cells: list[int]) -> Any:
    """Equal cells cut into simplices."""
    from skfem import MeshLine, MeshTet, MeshTri

    axes = [np.linspace(lo, hi, m + 1) for lo, hi, m in zip(shape.low, shape.high, cells, strict=True)]
    if shape.dim == 1:
        return MeshLine(axes[0])
    return MeshTri.init_tensor(*axes) if shape.dim == 2 else MeshTet.init_tensor(*axes)


def singular_corners(task: Task) -> tuple[Singular, ...]:
    """The corners of a polygon where u ~ r^α with α < 1: α = π/ω at an inner angle ω,
    half of it where the kind of condition changes.
    """
    if not isinstance(task.space, Polygon):
        return ()
    fixed = {name for condition in task.essential for name in condition.region.pieces}
    vertices, names, found = task.space.vertices, [f"edge {number}" for number in task.space.numbers], []
    for k, vertex in enumerate(vertices):
        after, before = vertices[(k + 1) % len(vertices)], vertices[k - 1]
        start = math.atan2(after[1] - vertex[1], after[0] - vertex[0])
        angle = (math.atan2(before[1] - vertex[1], before[0] - vertex[0]) - start) % (2 * math.pi)
        alike = (names[k] in fixed) == (names[k - 1] in fixed)
        alpha = (1.0 if alike else 0.5) * math.pi / angle
        found += [Singular(vertex, alpha)] if alpha < 1.0 - 1e-9 else []
    return tuple(found)


def _polygon_mesh(shape: Polygon, corners: tuple[Singular, ...], size: float) -> Any:
    """Triangles halved until none is longer than the size asked for at its place."""
    from skfem import MeshTri

    mesh = MeshTri(*triangulate(shape.vertices))
    for k in reversed(range(_LEVELS)):  # corners first, while there are few triangles
        for _ in range(_ROUNDS):
            p = mesh.p[:, mesh.t]
            longest = np.sqrt(((p - p[:, [1, 2, 0]]) ** 2).sum(0)).max(0)
            marked = np.flatnonzero(longest > _size(p.mean(1), shape, corners, size, 2**k))
            if not len(marked):
                break
            mesh = mesh.refined(marked)
    return mesh


def _size(x: Array, shape: Polygon, corners: tuple[Singular, ...], size: float, times: int) -> Array:
    """How long edges may be at (2, m) points, so many times the size, but for the smallest at corners."""
    radius = 0.5 * math.dist(shape.low, shape.high)
    allowed = np.full(x.shape[1], times * size)
    for corner in corners:
        mu = 0.45 * corner.alpha
        r = np.sqrt(((x.T - np.array(corner.vertex)) ** 2).sum(1)) / radius
        smallest = max(_FINEST, (0.5 * size / radius) ** (1 / mu)) * radius
        allowed = np.minimum(allowed, np.maximum(smallest, times * size * r ** (1 - mu)))
    return allowed
