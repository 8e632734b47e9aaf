"""Unions, differences, intersections: names, measures, holes, corners, touching parts, what is refused."""

import math

import pytest
import torch
from geometry_cases import CUT_L, DOMAINS, PERFORATED, SQUARE, TWO_ROOMS

from pinn_ntk.geometry import annulus, ball, box, difference, ellipse, intersection, l_shape, over_time, polygon, union


def names(domain):
    return [piece.name for piece in domain.pieces]


def measures(domain):
    return {piece.name: piece.measure for piece in domain.pieces}


def test_names_are_plain_where_they_are_one_part_s_alone():
    assert names(difference(SQUARE, ball([0.5, 0.5], 0.2))) == ["x=0", "x=1", "y=0", "y=1", "circle"]
    assert names(PERFORATED)[4:] == ["2: circle", "3: circle", "4: circle", "5: circle"]
    assert names(CUT_L) == ["x=-1", "x=1", "y=-1", "y=1", "x=0", "y=0"]
    assert names(TWO_ROOMS) == ["x=0", "1: y=0", "1: y=1", "x=2", "2: y=0", "2: y=1"]


def test_names_stay_unique_when_a_part_has_a_numbered_name_already():
    inner = difference(box([-0.5, 0.0], [0.0, 1.0]), ball([-0.3, 0.3], 0.1), ball([-0.3, 0.7], 0.1))
    domain = union(difference(SQUARE, ball([0.5, 0.5], 0.1)), inner, ball([3.0, 0.0], 1.0), ball([6.0, 0.0], 1.0))
    assert names(domain)[:4] == ["1: x=1", "1: y=0", "1: y=1", "1: circle"]
    assert names(domain)[-4:] == ["2: 2: circle", "2: 3: circle", "3: circle", "4: circle"]


def test_what_is_left_of_a_piece_is_measured():
    assert measures(CUT_L) == {
        "x=-1": 2.0,
        "x=1": pytest.approx(1.0),
        "y=-1": pytest.approx(1.0),
        "y=1": 2.0,
        "x=0": 1.0,
        "y=0": 1.0,
    }
    lens = measures(DOMAINS["lens"])
    assert lens == {
        "1: circle": pytest.approx(2 * math.pi / 3, rel=1e-3),
        "2: circle": pytest.approx(2 * math.pi / 3, rel=1e-3),
    }
    assert measures(DOMAINS["half_ball"]) == {
        "sphere": pytest.approx(2 * math.pi, rel=1e-3),
        "z=0": pytest.approx(math.pi, rel=1e-3),
    }


def test_normals_of_what_is_taken_away_point_into_it():
    x = PERFORATED.boundary(20, pieces=["2: circle"])
    center = torch.tensor(PERFORATED.parts[1].center, dtype=torch.float64)
    assert torch.allclose(PERFORATED.normal(x), (center - x) / 0.1)


def test_a_shared_face_is_no_boundary_and_lies_inside():
    on_face = torch.tensor([[1.0, 0.5], [1.0, 0.1]], dtype=torch.float64)
    assert TWO_ROOMS.inside(on_face).all()
    with pytest.raises(ValueError, match="not on the boundary"):
        TWO_ROOMS.normal(on_face)
    assert not difference(box([-1.0, -1.0], [3.0, 2.0]), TWO_ROOMS).contains(on_face).any()
    assert TWO_ROOMS.normal(torch.tensor([[1.0, 0.0]], dtype=torch.float64)).tolist() == [[0.0, -1.0]]


def test_a_face_that_two_parts_share_on_one_side_is_counted_once():
    domain = union(SQUARE, box([0.0, 0.0], [2.0, 1.0]))
    assert sum(piece.measure for piece in domain.pieces) == pytest.approx(6.0, rel=1e-3)
    assert domain.volume == pytest.approx(2.0)


def test_what_is_left_of_parts_that_only_touch_is_not_contained():
    half = difference(SQUARE, box([0.5, 0.0], [1.0, 1.0]))
    leftover = torch.tensor([[0.8, 0.0], [1.0, 0.5], [0.5, 0.5], [0.5, 0.0]], dtype=torch.float64)
    assert half.contains(leftover).tolist() == [False, False, True, True]


def test_combinations_of_one_kind_are_taken_apart():
    a, b, c = SQUARE, ball([1.0, 0.5], 0.2), ball([0.0, 0.5], 0.2)
    assert union(union(a, b), c) == union(a, b, c)
    assert difference(a, union(b, c)) == difference(difference(a, b), c) == difference(a, b, c)
    assert intersection(a, intersection(b, b)) == intersection(a, b, b)


@pytest.mark.parametrize("seed", range(4))
def test_set_algebra_holds_at_points(seed):
    """De Morgan and distributivity, and the kept parts of nested combinations."""
    a, b, c = SQUARE, ball([0.6, 0.4], 0.4), polygon([(0.2, -0.2), (1.2, 0.5), (0.3, 0.9)])
    x = torch.rand(500, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 1.6 - 0.3
    ia, ib, ic = (s.contains(x) for s in (a, b, c))
    assert torch.equal(union(a, intersection(b, c)).contains(x), ia | (ib & ic))
    assert torch.equal(difference(a, intersection(b, c)).contains(x), ia & ~(ib & ic))
    assert torch.equal(difference(union(a, b), c).contains(x), (ia | ib) & ~ic)


def test_nested_combinations_obey_the_divergence_theorem():
    domain = difference(
        union(SQUARE, ball([1.0, 1.0], 0.5)), intersection(ball([0.5, 0.5], 0.3), box([0.5, 0.0], [1.0, 1.0]))
    )
    x = domain.boundary(500)
    normal = domain.normal(x)
    assert domain.inside(x - 1e-8 * normal).all() and not domain.contains(x + 1e-8 * normal).any()
    drawn = [(piece, piece.sample(2048, 0)) for piece in domain.pieces]
    flux = sum(piece.measure * float((y * piece.normal(y)).sum(1).mean()) for piece, y in drawn)
    assert flux == pytest.approx(2 * domain.volume, rel=2e-3)
    assert domain.volume == pytest.approx(1 + 3 * math.pi / 16 - 0.045 * math.pi, rel=1e-3)


def test_holes_are_what_is_taken_from_the_middle():
    assert [(hole.center, hole.radius) for hole in PERFORATED.holes] == [
        (part.center, 0.1) for part in PERFORATED.parts[1:]
    ]
    domain = difference(
        box([0.0, 0.0], [8.0, 2.0]),
        ellipse([1.0, 1.0], [0.5, 0.2], 1.0),
        box([2.0, 0.5], [3.0, 0.9]),
        polygon([(4.0, 0.5), (5.0, 0.5), (4.0, 1.5)]),
        ball([8.0, 1.0], 0.5),
    )
    ellipse_hole, box_hole, triangle = domain.holes
    assert (ellipse_hole.radius, box_hole.center, box_hole.radius) == (0.2, (2.5, 0.7), pytest.approx(0.2))
    assert 0.2 < triangle.radius < 1 - math.sqrt(0.5)  # the incircle's
    assert domain.parts[3].inside(torch.tensor([triangle.center], dtype=torch.float64)).all()


def test_holes_that_are_opened_or_filled_are_none():
    ring = annulus([0.0, 0.0], 0.5, 1.0)
    assert difference(ring, ball([0.75, 0.0], 0.1)).holes[0].radius == 0.5
    assert union(ring, box([3.0, 0.0], [4.0, 1.0])).holes == ring.holes
    assert union(ring, ball([0.0, 0.0], 0.6)).holes == ()
    assert DOMAINS["c_shape"].holes == ()
    assert intersection(ring, box([-2.0, -2.0], [2.0, 2.0])).holes == ring.holes
    assert intersection(ring, box([0.0, -2.0], [2.0, 2.0])).holes == ()


def test_the_corner_of_an_l_cut_from_a_box():
    (corner,) = CUT_L.corners
    assert corner.vertex == (0.0, 0.0) and corner.start == 0.0 and corner.sides == ("y=0", "x=0")
    assert corner.angle == pytest.approx(l_shape().corners[0].angle)


def test_corners_where_parts_cross_survive_or_are_cut_away():
    cross = DOMAINS["cross"]
    assert sorted((round(c.vertex[0], 12), round(c.vertex[1], 12)) for c in cross.corners) == [
        (-0.2, -0.2),
        (-0.2, 0.2),
        (0.2, -0.2),
        (0.2, 0.2),
    ]
    assert all(corner.angle == pytest.approx(1.5 * math.pi) for corner in cross.corners)
    assert TWO_ROOMS.corners == () and union(l_shape(), box([0.0, -1.0], [1.0, 0.0])).corners == ()
    assert difference(l_shape(), ball([0.0, 0.0], 0.1)).corners == ()
    kept = difference(l_shape(), ball([-0.5, 0.5], 0.1)).corners
    assert [(corner.vertex, corner.sides) for corner in kept] == [((0.0, 0.0), ("edge 3", "edge 2"))]
    hole = difference(box([-1.0, -1.0], [2.0, 2.0]), SQUARE)
    assert len(hole.corners) == 4 and all(corner.angle == pytest.approx(1.5 * math.pi) for corner in hole.corners)


def test_solids_have_no_sides_and_no_corners():
    solid = difference(box([0.0] * 3, [1.0] * 3), ball([0.5] * 3, 0.3))
    assert solid.sides == solid.corners == ()


def test_reports_read():
    assert str(PERFORATED) == "[-0.5, 0.5] × [-0.5, 0.5] minus 4 discs"
    assert str(difference(SQUARE, ball([0.5, 0.5], 0.1))) == "[0, 1] × [0, 1] minus disc of radius 0.1 about (0.5, 0.5)"
    assert str(union(SQUARE, ball([1.0, 1.0], 0.5))) == "[0, 1] × [0, 1] ∪ disc of radius 0.5 about (1, 1)"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: union(SQUARE), "union: got 1 domain, expected two or more"),
        (lambda: difference(SQUARE), "difference: got 1 domain"),
        (lambda: union(SQUARE, box(0.0, 1.0)), "got domains of 2 and 1 dimensions"),
        (lambda: union(SQUARE, "disc"), "domains: got 'disc', expected a domain"),
        (lambda: difference(SQUARE, ball([0.5, 0.5], 2.0)), "got an empty domain.*65,536 points"),
        (lambda: intersection(SQUARE, box([2.0, 2.0], [3.0, 3.0])), "got an empty domain"),
        (lambda: intersection(SQUARE, box([1.0, 0.0], [3.0, 3.0])), "got an empty domain"),
        (lambda: difference(over_time(SQUARE, 0, 1), over_time(SQUARE, 0, 1)), "combine domains in space first"),
        (lambda: PERFORATED.boundary(20, pieces=["2:circel"]), "did you mean 2: circle"),
    ],
)
def test_mistakes_are_named(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_a_domain_too_thin_to_fill_is_refused_with_the_acceptance_rate():
    sliver = difference(SQUARE, box([0.0, 0.0002], [1.0, 1.0]))
    assert len(sliver.interior(100)) == 100
    diagonal = polygon([(0.0, 0.0), (1.0, 1.0), (1.0, 1.0 + 1e-6)])
    with pytest.raises(ValueError, match=r"candidates inside, an acceptance rate of .*, expected 100; ask for fewer"):
        diagonal.interior(100)
