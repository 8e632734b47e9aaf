"""Balls, ellipses, rings: measures by formula, points spread by arc length or surface, mistakes."""

import math

import pytest
import torch
from scipy.special import elliprg

from pinn_ntk.geometry import (
    Hole,
    angles_by_length,
    annulus,
    ball,
    ball_volume,
    ellipse,
    ellipse_length,
    ellipsoid_surface,
    polar,
    sphere_measure,
    sphere_points,
)


def test_sphere_measures_are_the_known_ones():
    assert [sphere_measure(d) for d in (1, 2, 3, 4)] == pytest.approx(
        [2, 2 * math.pi, 4 * math.pi, 2 * math.pi**2], rel=1e-14
    )
    assert [ball_volume(d) for d in (1, 2, 3, 4)] == pytest.approx(
        [2, math.pi, 4 * math.pi / 3, math.pi**2 / 2], rel=1e-14
    )


@pytest.mark.parametrize("dim", [2, 3, 5])
def test_sphere_points_have_the_moments_of_the_uniform_measure(dim):
    """E ω_j² = 1/d and E ω_j⁴ = 3/(d(d + 2))."""
    x = sphere_points(4096, dim, 3)
    assert x.shape == (4096, dim)
    assert torch.allclose(x.norm(dim=1), torch.ones(4096, dtype=x.dtype))
    assert torch.allclose(x.square().mean(0), torch.full((dim,), 1 / dim, dtype=x.dtype), rtol=0.02)
    assert torch.allclose(x.pow(4).mean(0), torch.full((dim,), 3 / dim / (dim + 2), dtype=x.dtype), rtol=0.04)


def test_polar_coordinates_are_uniform_and_independent_of_the_direction():
    share, direction = polar(torch.rand(20_000, 4, dtype=torch.float64))
    assert float((share.sort().values - torch.linspace(0, 1, 20_000)).abs().max()) < 0.02
    assert abs(float((share[:, None] * direction.square()).mean()) - 0.125) < 0.002


def test_names_of_the_pieces():
    assert [piece.name for piece in ball(0.5, 0.5).pieces] == ["x=0", "x=1"]
    assert [piece.name for piece in ball([0, 0], 1.0).pieces] == ["circle"]
    assert [piece.name for piece in ball([0, 0, 0], 1.0).pieces] == ["sphere"]
    assert [piece.name for piece in ellipse([0, 0], [1, 2]).pieces] == ["ellipse"]
    assert [piece.name for piece in ellipse([0, 0, 0], [1, 2, 1]).pieces] == ["ellipsoid"]
    assert [piece.name for piece in annulus([0, 0, 0], 1.0, 2.0).pieces] == ["inner", "outer"]


def test_a_ring_has_a_hole():
    assert annulus([1.0, 2.0], 0.5, 1.0).holes == (Hole((1.0, 2.0), 0.5),)
    assert ball([0.0, 0.0], 1.0).holes == ball([0.0, 0.0], 1.0).corners == ()


@pytest.mark.parametrize("radii", [(3.0, 1.0), (0.2, 1.0), (1.0, 1.0), (1e3, 1.0)])
def test_arcs_between_angles_have_the_wanted_lengths(radii):
    """The polygon through 200,000 points at equal shares has equal sides, and the ellipse's length."""
    n = 200_000
    t = angles_by_length(radii, torch.arange(n + 1, dtype=torch.float64) / n)
    x = torch.stack([radii[0] * t.cos(), radii[1] * t.sin()], 1)
    sides = (x[1:] - x[:-1]).norm(dim=1)
    assert float(sides.sum()) == pytest.approx(ellipse_length(radii), rel=1e-6)
    assert sides.median() == pytest.approx(ellipse_length(radii) / n, rel=1e-6)
    assert float((sides * n / ellipse_length(radii) - 1).abs().quantile(0.999)) < 0.05


def test_surfaces_of_ellipsoids():
    assert ellipsoid_surface([1.0, 2.0, 3.0]) == pytest.approx(4 * math.pi * elliprg(4.0, 9.0, 36.0), rel=1e-12)
    assert ellipsoid_surface([1e4, 1.0]) == pytest.approx(ellipse_length([1e4, 1.0]), rel=1e-10)
    assert ellipsoid_surface([2.0] * 6) == pytest.approx(sphere_measure(6) * 2.0**5, rel=1e-12)


def test_points_of_an_ellipsoid_are_spread_by_surface():
    """∮ ν_j² dS of a long spheroid against the integral over the sphere with its surface factor."""
    shape, w = ellipse([0.0, 0.0, 0.0], [5.0, 1.0, 1.0]), sphere_points(2**15, 3, 1)
    factor = (w / torch.tensor([5.0, 1.0, 1.0])).norm(dim=1)
    expected = ((w / torch.tensor([5.0, 1.0, 1.0])).square() / factor[:, None]).mean(0) / factor.mean()
    assert torch.allclose(shape.normal(shape.boundary(2**13)).square().mean(0), expected, rtol=0.02, atol=1e-3)


def test_a_turned_ellipse_is_the_ellipse_turned():
    flat, turned = ellipse([0.0, 0.0], [2.0, 1.0]), ellipse([0.0, 0.0], [2.0, 1.0], math.pi / 2)
    x = flat.boundary(50, seed=1)
    assert turned.contains(torch.stack([-x[:, 1], x[:, 0]], 1)).all()
    assert turned.low == pytest.approx((-1.0, -2.0)) and turned.high == pytest.approx((1.0, 2.0))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ball([0, 0], 0.0), "radius of the ball: got 0.0, expected a positive number"),
        (lambda: ball([0, float("nan")], 1.0), "center: entry 2: got nan, expected a finite number"),
        (lambda: ball("here", 1.0), "expected a finite number or a list"),
        (lambda: ball([], 1.0), "finite numbers, one per coordinate"),
        (lambda: ball([1e12, 0.0], 1e-6), "domain is empty"),
        (lambda: ellipse([0, 0], [1, 2, 3]), "radii of the ellipse: got 3 numbers, expected 2"),
        (lambda: ellipse([0, 0], [1, -2]), "expected positive ones"),
        (lambda: ellipse([0, 0], [1, 1e9]), "at most 10000 times the shortest"),
        (lambda: ellipse([0, 0, 0], [1, 2, 3], 0.5), "rotations are for the plane only"),
        (lambda: ellipse(0, 1), "take a ball or a box"),
        (lambda: annulus([0, 0], 1.0, 1.0), "expected inner < outer"),
        (lambda: annulus([0, 0], 2.0, 1.0), "expected inner < outer"),
        (lambda: annulus([0, 0], 0.0, 1.0), "inner radius: got 0.0"),
        (lambda: annulus(0.0, 1.0, 2.0), "union of two boxes"),
    ],
)
def test_mistakes_are_named(make, words):
    with pytest.raises(ValueError, match=words):
        make()
