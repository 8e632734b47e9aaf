"""u = g + ϕh on domains that are no boxes: it satisfies the conditions for every h,
and refuses what it cannot build in.
"""

import math

import pytest
import torch

from pinn_ntk.geometry import annulus, ball, box, difference, ellipse, intersection, l_shape, over_time, polygon, union
from pinn_ntk.operators import hard_constraint, heat, laplacian, wave
from pinn_ntk.problem import (
    check_problem,
    dirichlet,
    dirichlet_shape,
    evolution_shape,
    initial_value,
    initial_velocity,
    neumann,
    pose,
)

SHAPES = {
    "ball": ball([0.3, -1.0, 2.0], 1.7),
    "disc": ball([0.5, 0.0], 2.0),
    "ellipse": ellipse([1.0, 0.0], [2.0, 0.5], 0.7),
    "ring": annulus([0.0, 1.0], 0.5, 1.5),
    "L": l_shape(),
    "triangle": polygon([[0, 0], [1, 0], [0.2, 1]]),
    "square with a hole": difference(box([0, 0], [1, 1]), ball([0.5, 0.5], 0.2)),
    "lens": intersection(ball([0, 0], 1), ball([1, 0], 1)),
    "two discs": union(ball([0, 0], 1), ball([1, 0], 1)),
}


def data(x):
    return torch.sin(1.3 * x.sum(1)) + torch.exp(0.2 * x[:, 0] * x[:, -1])


def some_h(x):
    weights = torch.linspace(-1.0, 2.0, x.shape[1] * 5, dtype=x.dtype).reshape(x.shape[1], 5)
    return torch.tanh(x @ weights).sum(1) + 3.0


def slope(function, x):
    return torch.func.grad(lambda p: function(p).sum())(x)[:, -1]


@pytest.mark.parametrize("name", SHAPES)
def test_every_h_satisfies_the_boundary_data(name):
    domain = SHAPES[name]
    ansatz, x = dirichlet_shape(domain, data), domain.boundary(60)
    assert torch.allclose(ansatz.solution(some_h)(x), data(x), rtol=0, atol=1e-12)
    assert (ansatz.phi(domain.interior(100)) > 0).all()
    assert "read in all of Ω" in ansatz.text
    assert dirichlet_shape(domain).text.endswith("g = 0")


@pytest.mark.parametrize("name", ["disc", "ellipse", "ring", "L"])
@pytest.mark.parametrize("second_order", [False, True])
def test_every_h_satisfies_boundary_and_initial_data(name, second_order):
    domain = over_time(SHAPES[name], 0.5, 2.0)

    def velocity(x):
        return slope(data, x)

    ansatz = evolution_shape(domain, data, data, velocity if second_order else None)
    u = ansatz.solution(some_h)
    walls, start = (domain.boundary(40, pieces=names) for names in ([p.name for p in domain.pieces[:-2]], ["t=0.5"]))
    assert torch.allclose(u(walls), data(walls), rtol=0, atol=1e-12)
    assert torch.allclose(u(start), data(start), rtol=0, atol=1e-12)
    assert torch.allclose(slope(u, start), slope(data, start), rtol=0, atol=1e-11) is second_order
    assert (ansatz.phi(domain.interior(50)) > 0).all()
    assert ("²" in ansatz.text.split("· ((t")[1][:20]) is second_order


@pytest.mark.parametrize("name", ["disc", "ellipse", "ring", "triangle"])
def test_the_transformed_equation_is_the_equation_of_u(name):
    domain = SHAPES[name]
    ansatz, x = dirichlet_shape(domain, data), domain.interior(12)
    constrained, shift = hard_constraint(laplacian(2), ansatz.phi, ansatz.g)
    expected = laplacian(2).apply(ansatz.solution(some_h), x)
    assert torch.allclose(constrained.apply(some_h, x) + shift(x), expected, rtol=1e-10, atol=1e-10)


def test_phi_of_round_domains_is_a_polynomial_that_is_one_in_the_middle():
    phi = dirichlet_shape(ball([1.0, 2.0], 3.0)).phi
    x = torch.tensor([[1.0, 2.0], [1.0, 3.5]], dtype=torch.float64)
    assert phi(x).tolist() == [1.0, 0.75]
    middle = torch.tensor([[0.0, 1.0 + math.sqrt((0.5**2 + 1.5**2) / 2)]], dtype=torch.float64)
    assert float(dirichlet_shape(SHAPES["ring"]).phi(middle)) == pytest.approx(1.0, abs=1e-14)


def test_a_hard_problem_is_the_soft_one_whatever_the_shape():
    """u = (1 − |x|²)e^x solves both; the data are its values in another formula."""
    disc, exact = ball([0, 0], 1), "(1 - x*x - y*y)*exp(x) + y"
    hard = pose(laplacian(2), disc, given=[dirichlet("y")], exact=exact, boundary="hard", points=40)
    soft = pose(laplacian(2), disc, given=[dirichlet("y")], exact=exact, points=40)
    assert check_problem(hard) == check_problem(soft) == []
    assert [b.name for b in hard.blocks] == ["interior"]
    assert [b.name for b in soft.blocks] == [c.name for c in hard.posed] == ["interior", "boundary"]


def test_hard_evolution_on_a_disc():
    disc = over_time(ball([0, 0], 1), 0, 1)
    first = pose(
        heat(2),
        disc,
        given=[dirichlet(0), initial_value()],
        exact="(1 - x*x - y*y)*exp(-t)*(2 + x)",
        boundary="hard",
        points=40,
    )
    assert check_problem(first) == []
    u = "(1 - x*x - y*y)*sin(3*t + x) + t*y"
    given = [dirichlet("t*y"), initial_value(), initial_velocity()]
    second = pose(wave(2), disc, given=given, exact=u, boundary="hard", points=40)
    assert check_problem(second) == []


def test_the_answer_itself_is_no_extension_of_its_boundary_values():
    disc = ball([0, 0], 1)
    with pytest.raises(ValueError, match="would be the answer itself"):
        pose(laplacian(2), disc, exact="x*y", boundary="hard")
    vanishing = pose(laplacian(2), disc, exact="(1 - x*x - y*y)*exp(x)", boundary="hard", points=30)
    assert vanishing.ansatz.g is None
    assert check_problem(vanishing) == []
    assert pose(laplacian(2), disc, exact="x*y", points=30).ansatz is None
    assert pose(laplacian(2), box([0, 0], [1, 1]), exact="x*y", points=30).ansatz.text.endswith("of the boundary data")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([dirichlet(0), neumann(0, name="flux")], "hard beside flux"),
        ([dirichlet(0, on="inner")], "the whole boundary"),
        ([dirichlet(0, on="inner"), dirichlet(1, on="outer")], "the whole boundary"),
        ([], r"conditions \(none\)"),
    ],
)
def test_what_cannot_be_built_in_is_refused(given, words):
    with pytest.raises(ValueError, match=words):
        pose(laplacian(2), SHAPES["ring"], 1.0, given, boundary="hard")


def test_a_box_over_time_is_a_box():
    exact = "exp(-t)*sin(x)"
    one = pose(heat(1), over_time(box(0, 1), 0, 2), exact=exact, boundary="hard", points=20)
    other = pose(heat(1), box([0, 0], [1, 2]), exact=exact, time=True, points=20)
    assert one.ansatz.text == other.ansatz.text
    assert check_problem(one) == check_problem(other) == []
