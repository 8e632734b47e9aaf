"""Domains over time: a box over time is the box of one more coordinate; pieces,
holes and corners are those of space.
"""

import pytest
import torch
from geometry_cases import CUT_L, PERFORATED

from pinn_ntk.geometry import ball, box, over_time

TUBE, BRICK = over_time(box([0.0, -1.0], [1.0, 2.0]), 0.5, 2.5), box([0.0, -1.0, 0.5], [1.0, 2.0, 2.5])


def test_a_box_over_time_is_the_box_of_one_more_coordinate():
    assert (TUBE.low, TUBE.high, TUBE.dim, TUBE.volume) == (BRICK.low, BRICK.high, BRICK.dim, BRICK.volume)
    for method in ("sobol", "halton", "uniform", "latin"):
        assert torch.equal(TUBE.interior(50, 3, method), BRICK.interior(50, 3, method))
    for method in ("grid", "chebyshev"):
        assert torch.allclose(TUBE.interior(27, 3, method), BRICK.interior(27, 3, method))
    assert torch.equal(TUBE.test_points(50), BRICK.test_points(50))
    assert [piece.measure for piece in TUBE.pieces] == [piece.measure for piece in BRICK.pieces]
    x = BRICK.boundary(200, 1)
    assert torch.equal(TUBE.normal(x), BRICK.normal(x))
    y = torch.rand(500, 3, dtype=torch.float64) * 4 - 1
    assert torch.equal(TUBE.contains(y), BRICK.contains(y))


def test_pieces_keep_their_names_and_time_has_two():
    assert [piece.name for piece in TUBE.pieces] == ["x=0", "x=1", "y=-1", "y=2", "t=0.5", "t=2.5"]
    assert [piece.name for piece in over_time(ball([0, 0], 1.0), 0, 1).pieces] == ["circle", "t=0", "t=1"]
    assert [piece.name for piece in over_time(box(0.0, 1.0), 0, 1).pieces] == ["x=0", "x=1", "t=0", "t=1"]


def test_holes_and_corners_are_those_of_space():
    assert over_time(PERFORATED, 0, 1).holes == PERFORATED.holes
    assert over_time(CUT_L, 0, 1).corners == CUT_L.corners


def test_walls_are_spread_in_space_and_time_alike():
    """The share of the points in each of 4 × 4 cells of angle and time is a sixteenth."""
    x = over_time(ball([0.0, 0.0], 1.0), 0.0, 1.0).boundary(1024, 2, ["circle"])
    turn = (torch.atan2(x[:, 1], x[:, 0]) / (2 * torch.pi) % 1 * 4).floor()
    cells = torch.bincount((4 * turn + (4 * x[:, 2]).floor()).long(), minlength=16)
    assert ((cells - 64).abs() <= 4).all()


def test_the_walls_of_an_interval_are_lines_in_time():
    x = over_time(box(0.0, 1.0), 0.0, 2.0).boundary(64, 0, ["x=1"])
    assert len(x) == 64 and (x[:, 0] == 1.0).all()
    assert ((x[:, 1] / 2 * 64).floor().sort().values == torch.arange(64)).all()


def test_start_and_end_do_not_mirror_each_other():
    tube = over_time(ball([0.0, 0.0], 1.0), 0.0, 1.0)
    assert not torch.allclose(tube.boundary(20, 1, ["t=0"])[:, :2], tube.boundary(20, 1, ["t=1"])[:, :2])


def test_an_edge_in_space_and_time_has_no_normal():
    with pytest.raises(ValueError, match="edge or corner"):
        over_time(ball([0.0, 0.0], 1.0), 0.0, 1.0).normal(torch.tensor([[1.0, 0.0, 0.0]], dtype=torch.float64))


def test_a_report_reads():
    assert str(over_time(PERFORATED, 0, 0.5)) == "[-0.5, 0.5] × [-0.5, 0.5] minus 4 discs, t ∈ [0, 0.5]"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: over_time(TUBE, 0, 1), "expected a domain in space"),
        (lambda: over_time("disc", 0, 1), "expected a domain in space"),
        (lambda: over_time(box(0, 1), 1, 1), "expected start < end"),
        (lambda: over_time(box(0, 1), 0, float("inf")), "end: got inf"),
    ],
)
def test_mistakes_are_named(make, words):
    with pytest.raises(ValueError, match=words):
        make()
