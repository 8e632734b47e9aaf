"""Triangulations cover the polygon: their areas add up, their sides are its sides,
and their angles are those of Delaunay.
"""

import numpy as np
import pytest

from pinn_ntk.geometry import l_shape, polygon, signed_area, triangulate

STAR = [(np.cos(k * np.pi / 9) * (1 + k % 2), np.sin(k * np.pi / 9) * (1 + k % 2)) for k in range(18)]
SHAPES = {
    "l": l_shape().vertices,
    "star": polygon(STAR).vertices,
    "comb": polygon(
        [(0, 0), (7, 0), (7, 3), (6, 3), (6, 1), (4, 1), (4, 3), (3, 3), (3, 1), (1, 1), (1, 3), (0, 3)]
    ).vertices,
    "circle": polygon([(np.cos(t), np.sin(t)) for t in np.linspace(0, 2 * np.pi, 60, endpoint=False)]).vertices,
}


def turned(p, t):
    a, b = p[:, t[1]] - p[:, t[0]], p[:, t[2]] - p[:, t[0]]
    return a[0] * b[1] - a[1] * b[0]


@pytest.mark.parametrize("name", SHAPES)
def test_triangles_cover_the_polygon(name):
    p, t = triangulate(SHAPES[name])
    assert t.shape == (3, p.shape[1] - 2)
    assert np.all(turned(p, t) > 0.0)
    assert 0.5 * turned(p, t).sum() == pytest.approx(signed_area(SHAPES[name]))


@pytest.mark.parametrize("name", SHAPES)
def test_edges_are_sides_or_shared_and_opposite_angles_stay_below_pi(name):
    p, t = triangulate(SHAPES[name])
    angles: dict[frozenset, list[float]] = {}
    for triangle in t.T:
        for k in range(3):
            apex, i, j = (int(triangle[(k + m) % 3]) for m in range(3))
            u, v = p[:, i] - p[:, apex], p[:, j] - p[:, apex]
            angles.setdefault(frozenset((i, j)), []).append(np.arctan2(abs(u[0] * v[1] - u[1] * v[0]), u @ v))
    n = p.shape[1]
    sides = {frozenset((k, (k + 1) % n)) for k in range(n)}
    assert {edge for edge, found in angles.items() if len(found) == 1} == sides
    assert all(sum(found) <= np.pi + 1e-8 for edge, found in angles.items() if edge not in sides)
