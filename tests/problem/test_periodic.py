"""Periodic conditions: two paired blocks, satisfied by periodic functions to rounding, and enough to solve with."""

import math

import pytest
import torch

from pinn_ntk.geometry.ball import ball
from pinn_ntk.geometry.box import box
from pinn_ntk.geometry.over_time import over_time
from pinn_ntk.networks.two_layer import TwoLayer
from pinn_ntk.operators.library import identity, laplacian
from pinn_ntk.problem.periodic import periodic
from pinn_ntk.problem.residual import Block, Problem, drawn
from pinn_ntk.problem.validation import check_problem
from pinn_ntk.training.descent import gradient_descent
from pinn_ntk.training.gauss_newton import levenberg_marquardt

DOMAINS = {
    "interval": (box(-1.0, 1.0), 0),
    "box": (box([0.0, -0.3], [1.0, 1.7]), 1),
    "box over time": (over_time(box([0.0, 0.0], [1.0, 2.0]), 0.0, 1.0), 1),
}


@pytest.mark.parametrize("name", DOMAINS)
def test_periodic_functions_satisfy_them_to_rounding(name):
    domain, axis = DOMAINS[name]
    length = domain.high[axis] - domain.low[axis]

    def u(x, k=1.0):
        rest = torch.ones_like(x[:, 0]) if domain.dim == 1 else torch.exp(x.sum(1) - x[:, axis])
        return torch.sin(2 * math.pi * k * x[:, axis] / length + 0.3) * rest

    for condition in periodic(domain, axis):
        block = drawn(condition, 20)
        assert float((block.rows().apply(u) - block.target).abs().max()) <= 1e-13
        assert float(block.rows().apply(lambda x: u(x, 1.25)).abs().max()) > 0.1
        assert bool((block.x[:, axis] == domain.low[axis]).all())
        assert bool((block.partner.at[:, axis] == domain.high[axis]).all())
        assert bool(domain.contains(block.partner.at).all())


def test_they_have_names_and_words():
    value, slope = periodic(box([0.0, 0.0], [1.0, 2.0]), 0)
    assert [c.name for c in (value, slope)] == ["periodic_x", "periodic_x_slope"]
    assert (value.kind, value.order, slope.order) == ("periodic", 0, 1)
    assert value.words == "u the same on x=0 and x=1"
    assert slope.words == "∂u/∂x the same on x=0 and x=1"
    named = periodic(box([0.0] * 3, [1.0] * 3), 1, "around", time=True, weight=4.0)
    assert [(c.name, c.weight) for c in named] == [("around", 4.0), ("around_slope", 4.0)]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: periodic(ball([0.0, 0.0], 1.0), 0), "expected a box or a box over time"),
        (lambda: periodic(box(0.0, 1.0), 1), "axis: got 1, expected a whole number from 0 to 0"),
        (lambda: periodic(box(0.0, 1.0), True), "axis: got True"),
        (lambda: periodic(box(0.0, 1.0), 0, weight=0.0), "weight of periodic"),
    ],
)
def test_mistakes_are_named(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def wave(x):
    return torch.sin(2 * math.pi * x[:, 0])


def periodic_problem() -> Problem:
    """−u'' + u = f with a periodic solution and no boundary values."""
    domain = box(0.0, 1.0)
    operator = -laplacian(1) + identity(1)
    inside = Block(operator, domain.interior(24), lambda x: (4 * math.pi**2 + 1.0) * wave(x))
    return Problem([inside, *[drawn(c, 1) for c in periodic(domain, 0)]], exact=wave, domain=domain, test_points=domain.test_points(200))


def test_a_periodic_problem_is_consistent():
    assert check_problem(periodic_problem()) == []


def test_descent_goes_down():
    losses = [state.loss for state in gradient_descent(TwoLayer(1, 400, "tanh"), periodic_problem(), steps=200, step_size=0.1)]
    assert all(b <= a for a, b in zip(losses, losses[1:], strict=False))
    assert losses[-1] < 0.1 * losses[0]


def test_levenberg_marquardt_finds_the_solution():
    problem = periodic_problem()
    *_, state = levenberg_marquardt(TwoLayer(1, 20, "tanh"), problem, steps=200)
    x = problem.test_points
    error = (state.network(x).detach() - wave(x)).norm() / wave(x).norm()
    assert float(error) < 1e-3
