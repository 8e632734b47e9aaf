"""Smooth distance functions: zero on the boundary, positive inside, of slope one, twice differentiable;
Peterson's formula.
"""

import math
from dataclasses import dataclass

import pytest
import torch
from geometry_cases import DOMAINS, SQUARE, TWO_ROOMS
from torch.func import grad

from pinn_ntk.geometry import (
    Split,
    ball,
    box,
    conjunction,
    difference,
    disjunction,
    distance,
    polygon,
    polygon_formula,
    signed_distance,
    union,
)

TOUCHING = {"two_rooms", "rooms_with_holes"}
SMOOTH = [name for name in DOMAINS if name not in TOUCHING]


def walls(domain, n):
    return domain.boundary(n, 1, [piece.name for piece in domain.pieces if not piece.name.startswith("t=")])


def slope(phi, x):
    return grad(lambda y: phi(y).sum())(x)


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("normalised", [True, False])
def test_zero_on_the_boundary_and_positive_inside(name, normalised):
    domain = DOMAINS[name]
    phi = distance(domain, normalised)
    assert phi(walls(domain, 300)).abs().max() < 1e-14
    assert (phi(domain.interior(1000, 7)) > 0).all()
    assert phi(domain.interior(1000, 7)).max() < 2.5


@pytest.mark.parametrize("name", SMOOTH)
def test_the_slope_on_the_boundary_is_one_inward(name):
    domain = DOMAINS[name]
    x = walls(domain, 200)
    assert torch.allclose(slope(distance(domain), x), -domain.normal(x), atol=1e-6)


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("normalised", [True, False])
def test_second_derivatives_are_finite_by_reverse_over_reverse(name, normalised):
    """Against a central difference of the gradient, at points that are not next to the boundary."""
    domain = DOMAINS[name]
    phi, x = distance(domain, normalised), domain.interior(64, 1)
    x = torch.cat(
        [x, torch.tensor([[(lo + hi) / 2 for lo, hi in zip(domain.low, domain.high, strict=True)]], dtype=x.dtype)]
    )
    x = x[domain.inside(x)]
    second = grad(lambda y: slope(phi, y)[:, 0].sum())(x)[:, 0]
    assert second.isfinite().all()
    middle = phi(x) > 0.2 * phi(x).max()
    step = torch.zeros(domain.dim, dtype=x.dtype)
    step[0] = 1e-5
    difference_quotient = (slope(phi, x + step)[:, 0] - slope(phi, x - step)[:, 0]) / 2e-5
    assert torch.allclose(second[middle], difference_quotient[middle], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", [name for name in SMOOTH if "time" not in name])
def test_the_sign_tells_inside_from_outside(name):
    domain = DOMAINS[name]
    low, high = torch.tensor(domain.low, dtype=torch.float64), torch.tensor(domain.high, dtype=torch.float64)
    x = low + (high - low) * (1.4 * torch.rand(2000, domain.dim, dtype=torch.float64) - 0.2)
    assert torch.equal(signed_distance(domain, x) > 0, domain.inside(x))


def test_time_does_not_matter():
    phi = distance(DOMAINS["disc_over_time"])
    x = torch.tensor([[0.3, 0.4, 1.0], [0.3, 0.4, 1.4]], dtype=torch.float64)
    assert phi(x).tolist() == pytest.approx([0.375, 0.375])
    assert (slope(phi, x)[:, 2] == 0).all()


def test_any_leading_dimensions_and_vmap():
    phi, x = distance(DOMAINS["l_shape"]), DOMAINS["l_shape"].interior(12)
    assert torch.equal(phi(x.reshape(3, 4, 2)), phi(x).reshape(3, 4))
    assert torch.allclose(torch.func.vmap(phi)(x), phi(x))
    assert torch.allclose(torch.func.vmap(grad(phi))(x), slope(phi, x))


def test_products_are_smooth_at_corners_and_r_functions_are_not():
    x = 1e-6 * torch.tensor([[1.0, 1.0], [1.0, 2.0]], dtype=torch.float64)
    bend = {
        n: grad(lambda y, n=n: slope(distance(SQUARE, n), y)[:, 0].sum())(x)[:, 0].abs().max() for n in (True, False)
    }
    assert bend[False] < 10 < 1e4 < bend[True]


def test_where_both_arguments_vanish_derivatives_are_finite():
    for join in (conjunction, disjunction):
        x = torch.zeros(1, 2, dtype=torch.float64)
        f = lambda y, join=join: join(y[:, 0], y[:, 1]).sum()  # noqa: E731
        assert grad(f)(x).isfinite().all()
        assert grad(lambda y, f=f: grad(f)(y).sum())(x).isfinite().all()


def test_r_functions_have_the_sign_of_logic():
    a, b = torch.randn(2, 1000, dtype=torch.float64)
    assert torch.equal(conjunction(a, b) > 0, (a > 0) & (b > 0))
    assert torch.equal(disjunction(a, b) > 0, (a > 0) | (b > 0))


def edges_of(formula):
    return [formula] if isinstance(formula, int) else edges_of(formula.before) + edges_of(formula.after)


def spiral(turns, n):
    """A corridor that winds inwards."""
    angles = [2 * math.pi * turns * k / n for k in range(n)]
    radii = [[width + 0.15 * angle for angle in angles] for width in (0.8, 0.3)]
    sides = [[(r * math.cos(t), r * math.sin(t)) for r, t in zip(side, angles, strict=True)] for side in radii]
    return polygon(sides[0] + sides[1][::-1])


SHAPES = {
    "spiral": spiral(2.5, 40),
    "comb": polygon(
        [(0, 0), (7, 0), *((x, y) for k in range(7, 0, -2) for x, y in ((k, 3), (k - 0.5, 0.5), (k - 1, 3)))]
    ),
    "round": polygon([(math.cos(2 * math.pi * k / 100), math.sin(2 * math.pi * k / 100)) for k in range(100)]),
    "u": polygon([(0, 0), (3, 0), (3, 3), (2, 3), (2, 1), (1, 1), (1, 3), (0, 3)]),
}


@pytest.mark.parametrize("name", SHAPES)
def test_the_formula_of_a_polygon_uses_each_edge_once_and_is_right_everywhere(name):
    shape = SHAPES[name]
    formula = polygon_formula(shape.vertices)
    assert isinstance(formula, Split) and sorted(edges_of(formula)) == list(range(len(shape.vertices)))
    low, high = torch.tensor(shape.low), torch.tensor(shape.high)
    x = (low + (high - low) * (1.6 * torch.rand(4000, 2) - 0.3)).double()
    assert torch.equal(signed_distance(shape, x) > 0, shape.inside(x))
    edge = shape.boundary(400)
    assert torch.allclose(slope(distance(shape), edge), -shape.normal(edge), atol=1e-6)


def test_a_report_reads():
    assert distance(ball([0.0, 0.0], 1.0)).text == "ϕ = (r² − |x − c|²)/(2r) of the disc of radius 1 about (0, 0)"
    assert (
        distance(SQUARE, normalised=False).text
        == "ϕ = product over the coordinates of (x − low)(high − x)/(high − low) of [0, 1] × [0, 1]"
    )
    assert distance(difference(SQUARE, ball([0.5, 0.5], 0.1))).text.startswith(
        "ϕ = R-conjunction of (R-conjunction over the coordinates"
    )


@dataclass(frozen=True)
class Strange:
    """A domain of another make."""

    of: object

    def __getattr__(self, name):
        return getattr(self.of, name)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: distance(TWO_ROOMS), "parts of a union must overlap, not touch along a face"),
        (lambda: distance(TWO_ROOMS, normalised=False), "must overlap"),
        (lambda: distance(difference(TWO_ROOMS, ball([0.5, 0.5], 0.1)), normalised=False), "must overlap"),
        (lambda: distance(Strange(SQUARE)), "a Strange, expected boxes, balls"),
        (lambda: distance(SQUARE)(torch.zeros(3, 3)), r"got points \(3, 3\), expected \(n, 2\)"),
    ],
)
def test_mistakes_are_named(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_parts_may_touch_where_nothing_is_left():
    """Two boxes that share a face may be taken away."""
    domain = difference(box([-1.0, -1.0], [3.0, 2.0]), union(SQUARE, box([1.0, 0.0], [2.0, 1.0])))
    assert (distance(domain)(domain.interior(500)) > 0).all()
