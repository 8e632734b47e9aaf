"""Periodic conditions: two paired blocks, satisfied by periodic functions to rounding, and enough to solve with."""

import math

import pytest
import torch

from pinn_ntk.geometry import ball, box, over_time
from pinn_ntk.networks import TwoLayer
from pinn_ntk.operators import heat, identity, laplacian
from pinn_ntk.problem import (
    Block,
    Problem,
    SpecError,
    check_problem,
    dirichlet,
    drawn,
    initial_value,
    periodic,
    periodic_conditions,
    pose,
    problem_from_text,
)
from pinn_ntk.training import gradient_descent, levenberg_marquardt

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

    for condition in periodic_conditions(domain, axis):
        block = drawn(condition, 20)
        assert float((block.rows().apply(u) - block.target).abs().max()) <= 1e-13
        assert float(block.rows().apply(lambda x: u(x, 1.25)).abs().max()) > 0.1
        assert bool((block.x[:, axis] == domain.low[axis]).all())
        assert bool((block.partner.at[:, axis] == domain.high[axis]).all())
        assert bool(domain.contains(block.partner.at).all())


def test_they_have_names_and_words():
    value, slope = periodic_conditions(box([0.0, 0.0], [1.0, 2.0]), 0)
    assert [c.name for c in (value, slope)] == ["periodic_x", "periodic_x_slope"]
    assert (value.kind, value.order, slope.order) == ("periodic", 0, 1)
    assert value.words == "u the same on x=0 and x=1"
    assert slope.words == "∂u/∂x the same on x=0 and x=1"
    named = periodic_conditions(box([0.0] * 3, [1.0] * 3), 1, "around", time=True, weight=4.0)
    assert [(c.name, c.weight) for c in named] == [("around", 4.0), ("around_slope", 4.0)]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: periodic_conditions(ball([0.0, 0.0], 1.0), 0), "expected a box or a box over time"),
        (lambda: periodic_conditions(box(0.0, 1.0), 1), "axis: got 1, expected x or 0"),
        (lambda: periodic_conditions(box(0.0, 1.0), True), "axis: got True"),
        (lambda: periodic_conditions(box(0.0, 1.0), 0, weight=0.0), "weight of periodic"),
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
    ends = [drawn(c, 1) for c in periodic_conditions(domain, 0)]
    return Problem([inside, *ends], exact=wave, domain=domain, test_points=domain.test_points(200))


def test_a_periodic_problem_is_consistent():
    assert check_problem(periodic_problem()) == []


def test_descent_goes_down():
    losses = [
        state.loss for state in gradient_descent(TwoLayer(1, 400, "tanh"), periodic_problem(), steps=200, step_size=0.1)
    ]
    assert all(b <= a for a, b in zip(losses, losses[1:], strict=False))
    assert losses[-1] < 0.1 * losses[0]


def test_levenberg_marquardt_finds_the_solution():
    problem = periodic_problem()
    *_, state = levenberg_marquardt(TwoLayer(1, 20, "tanh"), problem, steps=200)
    x = problem.test_points
    error = (state.network(x).detach() - wave(x)).norm() / wave(x).norm()
    assert float(error) < 1e-3


HEAT = {
    "dim": 2,
    "domain": {"high": ["2*pi", 1]},
    "time": True,
    "operator": {"kind": "heat"},
    "exact": "exp(-t)*sin(x)",
}


def test_in_text_an_axis_is_enough():
    listed = [{"type": "periodic", "axis": "x", "points": 7, "weight": 3}, {"type": "initial"}]
    problem = problem_from_text(HEAT | {"conditions": listed, "weights": {"initial": 2}})
    assert [(b.name, len(b), b.weight) for b in problem.blocks[1:]] == [
        ("periodic_x", 7, 3.0), ("periodic_x_slope", 7, 3.0), ("initial", 64, 2.0),
    ]  # fmt: skip
    assert problem.conditions[:2] == ("u the same on x=0 and x=6.28319", "∂u/∂x the same on x=0 and x=6.28319")
    assert problem.paired == ("periodic_x", "periodic_x_slope")
    assert check_problem(problem) == []


def test_python_says_the_same_as_text():
    circle = box([0.0, 0.0], [2 * math.pi, 1.0])
    python = pose(
        heat(1), circle, exact="exp(-t)*sin(x)", given=[periodic("x", points=7), initial_value()], boundary_points=9
    )
    listed = [{"type": "periodic", "axis": "x", "points": 7}, {"type": "initial"}]
    text = problem_from_text(
        HEAT
        | {"dim": None, "domain": {"high": "2*pi"}, "time_span": [0, 1], "conditions": listed, "boundary_points": 9}
    )
    for a, b in zip(python.blocks, text.blocks, strict=True):
        assert (a.name, len(a)) == (b.name, len(b))
        torch.testing.assert_close(a.target, b.target)
    assert [c.kind for c in python.posed] == ["interior", "periodic", "periodic", "initial"]
    assert check_problem(python) == check_problem(text) == []


def test_time_may_be_periodic():
    problem = problem_from_text(
        {"dim": 2, "time": True, "operator": [{"kind": "heat"}], "exact": "sin(2*pi*t)*x*(1 - x)",
         "conditions": [{"type": "periodic", "axis": "t"}, {"type": "dirichlet"}]}
    )  # fmt: skip
    assert [b.name for b in problem.blocks] == ["interior", "periodic_t", "periodic_t_slope", "boundary"]
    assert problem.conditions[0] == "u the same on t=0 and t=1"
    assert check_problem(problem) == []


def test_all_axes_of_a_torus():
    square = box([0.0, 0.0], [1.0, 1.0])
    problem = pose(
        identity(2) - laplacian(2),
        square,
        exact="sin(2*pi*x)*cos(2*pi*y)",
        given=[periodic("x"), periodic(1, name="around")],
    )
    assert [b.name for b in problem.blocks[1:]] == ["periodic_x", "periodic_x_slope", "around", "around_slope"]
    assert check_problem(problem) == []


@pytest.mark.parametrize(
    ("more", "key", "words"),
    [
        ({"conditions": [{"type": "periodic"}]}, "conditions[0].axis",
        "got '', expected x, t or a whole number from 0 to 1"),
        ({"conditions": [{"type": "periodic", "axis": "y"}]}, "conditions[0].axis", "expected x, t"),
        ({"conditions": [{"type": "periodic", "axis": ["x"]}]}, "conditions[0].axis", "expected x, t"),
        ({"conditions": [{"type": "periodic", "axis": 2}]}, "conditions[0].axis", "expected x, t"),
        ({"conditions": [{"type": "periodic", "axis": "x", "on": "x=0"}]}, "conditions[0].on", "unknown key"),
        ({"conditions": [{"type": "periodic", "axis": "x"}] * 2}, "conditions[1].name",
        "taken are interior, periodic_x, periodic_x_slope"),
        ({"conditions": [{"type": "periodic", "axis": "x", "points": 0}]}, "conditions[0].points", "at least 1"),
        ({"conditions": [{"type": "periodic", "axis": "x"}], "boundary": "hard"}, "boundary", "write soft"),
        (
            {"domain": {"kind": "ball", "center": 0, "radius": 1}, "dim": None, "time_span": [0, 1],
             "conditions": [{"type": "periodic", "axis": "x"}]},
            "conditions[0].axis", "opposite faces",
        ),
    ],
)  # fmt: skip
def test_mistakes_in_text_have_their_key(more, key, words):
    with pytest.raises(SpecError) as caught:
        problem_from_text(HEAT | more)
    told = dict(caught.value.problems)
    assert words in told[key]


def test_only_conditions_are_given():
    with pytest.raises(ValueError, match=r"expected a condition such as dirichlet\(0\)"):
        pose(laplacian(1), box(0.0, 1.0), 1.0, [periodic_conditions(box(0.0, 1.0), 0)])
    with pytest.raises(ValueError, match="expected a name of its own"):
        pose(laplacian(1), box(0.0, 1.0), 1.0, [periodic("x"), dirichlet(0.0, name="periodic_x_slope")])
