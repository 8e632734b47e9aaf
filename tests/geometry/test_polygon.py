"""Polygons: orientation, names, corners, what is refused."""

import math

import pytest
import torch
from geometry_cases import STAR

from pinn_ntk.geometry import l_shape, polygon

ARROW = [(0.0, 0.0), (2.0, -1.0), (1.0, 0.0), (2.0, 1.0)]


def test_either_direction_is_the_same_domain_and_edges_keep_their_numbers():
    one, other = polygon(ARROW), polygon(ARROW[::-1])
    assert one.volume == other.volume == 1.0
    x = torch.rand(1000, 2, dtype=torch.float64) * 3 - 1
    assert torch.equal(one.contains(x), other.contains(x))
    for vertices in (ARROW, ARROW[::-1]):
        shape = polygon(vertices)
        assert [piece.name for piece in shape.pieces] == ["edge 1", "edge 2", "edge 3", "edge 4"]
        for k in range(4):
            middle = [(a + b) / 2 for a, b in zip(vertices[k], vertices[(k + 1) % 4], strict=True)]
            assert shape.pieces[k].contains(torch.tensor([middle], dtype=torch.float64)).all()


@pytest.mark.parametrize("vertices", [ARROW, ARROW[::-1]])
def test_the_sector_of_a_corner_is_inside_and_its_complement_outside(vertices):
    shape = polygon(vertices)
    (corner,) = shape.corners
    assert corner.vertex == (1.0, 0.0) and corner.angle == pytest.approx(3 * math.pi / 2)
    turns = torch.linspace(0.01, 0.99, 50, dtype=torch.float64)
    around = lambda t: torch.tensor([1.0, 0.0]) + 0.1 * torch.stack([t.cos(), t.sin()], 1)  # noqa: E731
    assert shape.inside(around(corner.start + corner.angle * turns)).all()
    assert not shape.contains(around(corner.start - (2 * math.pi - corner.angle) * turns)).any()
    sides = {piece.name: piece for piece in shape.pieces}
    for side, angle in zip(corner.sides, (corner.start, corner.start + corner.angle), strict=True):
        assert sides[side].contains(around(torch.tensor([angle], dtype=torch.float64))).all()


def test_the_l_shape_lacks_its_lower_right_quarter():
    shape = l_shape()
    assert shape.volume == 3.0
    assert shape.contains(torch.tensor([[0.5, -0.5], [0.5, 0.5], [-0.5, -0.5]])).tolist() == [False, True, True]
    (corner,) = shape.corners
    assert (corner.vertex, corner.start, corner.sides) == ((0.0, 0.0), 0.0, ("edge 3", "edge 2"))
    assert corner.angle == pytest.approx(1.5 * math.pi)
    assert l_shape((0, 0), (4, 2)).corners[0].vertex == (2.0, 1.0)


def test_a_vertex_has_no_normal():
    with pytest.raises(ValueError, match="edge or corner"):
        l_shape().normal(torch.tensor([[0.0, 0.0]], dtype=torch.float64))


def test_a_star_has_five_re_entrant_corners():
    assert len(STAR.corners) == 5
    assert all(math.pi < corner.angle < 2 * math.pi for corner in STAR.corners)
    assert str(STAR).startswith("polygon of 10 vertices in [-2")


@pytest.mark.parametrize(
    ("vertices", "words"),
    [
        ([(0, 0), (1, 0)], "three or more vertices"),
        ("abc", "vertices: got 'abc', expected a list"),
        ([(0, 0), (1, 0), (1, 1, 1)], "vertex 3: got 3 numbers, expected 2"),
        ([(0, 0), (1, 0), (float("inf"), 1)], "vertex 3: .*finite"),
        ([(0, 0), (1, 0), (1, 0), (0, 1)], r"vertices 2 and 3 both at \(1, 0\)"),
        ([(0, 0), (1, 0), (0, 1), (0, 0)], "vertices 4 and 1 both"),
        ([(0, 0), (1, 0), (2, 0), (0, 1)], r"vertex 2 at \(1, 0\) in one line"),
        ([(0, 0), (2, 0), (1, 0), (0, 1)], "edges 1 and 2, which run back over one another"),
        (
            [(0, 0), (1, 0), (1, 1), (0.5, 1), (0.5, 2), (0.5, 1), (0, 1)],
            r"edges 4 and 5, which run back over one another from vertex 5 at \(0.5, 2\)",
        ),
        ([(0, 0), (1, 1), (1, 0), (0, 1)], r"edges 1 and 3 that meet near \(0.5, 0.5\)"),
        ([(0, 0), (2, 0), (2, 2), (1, 0), (0, 2)], "edges 1 and 3 that meet"),
        ([(math.cos(k / 100), math.sin(k / 100)) for k in range(600)], "at most 500"),
    ],
)
def test_what_bounds_no_domain_is_refused(vertices, words):
    with pytest.raises(ValueError, match=words):
        polygon(vertices)


def test_an_empty_l_shape_is_refused():
    with pytest.raises(ValueError, match="expected low < high"):
        l_shape((1, 0), (0, 1))
