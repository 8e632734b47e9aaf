"""Conditions that contradict one another where they meet, leave a constant open, or are too few;
and no alarm about good problems.
"""

import pytest
import torch

from pinn_ntk.geometry import annulus, ball, box, difference, l_shape, over_time, polygon, union
from pinn_ntk.operators import (
    SecondOrderOperator,
    advection_diffusion,
    heat,
    identity,
    laplacian,
    normal_derivative,
    time_derivative,
    wave,
)
from pinn_ntk.problem import (
    PROBLEMS,
    Block,
    Problem,
    check_problem,
    dirichlet,
    initial_value,
    initial_velocity,
    measured,
    neumann,
    periodic,
    pose,
    posedness,
    problem_from_text,
    robin_condition,
)

LINE, SQUARE, DISC = box(0.0, 1.0), box([0.0, 0.0], [1.0, 1.0]), ball([0.0, 0.0], 1.0)
PLATE = union(SQUARE, box([0.5, 0.5], [2.0, 0.8]))
TRIANGLE = polygon([[0, 0], [1, 0], [0, 1]])
FEW = {"points": 16, "boundary_points": 32, "test_points": 16}


def said(operator, domain, given, source=1.0, **more):
    """The warnings about 𝓛u = f with these conditions, soft."""
    findings = check_problem(pose(operator, domain, source, given, **FEW, **more))
    assert all(f.severity == "warning" for f in findings)
    return [f.message for f in findings]


CUBE, LOWER = box([0.0] * 3, [1.0] * 3), ["x=0", "x=1", "y=0"]
OTHERS = ["x=0", "y=0", "y=1", "x=2", "y=0.8"]
MEETING = {  # conditions whose values agree where they meet when s = 0, and where they do not otherwise
    "corner": (
        laplacian(2),
        SQUARE,
        lambda s: [
            dirichlet("y", "x=0"),
            dirichlet("x", "y=0"),
            dirichlet(f"1 + x + {s}*x", "y=1"),
            dirichlet("y + 1", "x=1"),
        ],
        "[1.0, 1.0]",
    ),
    "edge": (
        laplacian(3),
        CUBE,
        lambda s: [dirichlet("z", LOWER), dirichlet(f"z + {s}*z", ["y=1", "z=0", "z=1"])],
        ", 1.0, 1.0]",
    ),
    "start": (
        heat(1),
        box([0.0, 0.0], [1.0, 2.0]),
        lambda s: [dirichlet("x + t"), initial_value(f"x + {s}*x")],
        "[1.0, 0.0]",
    ),
    "end": (
        heat(1, 1.0) - 2.0 * time_derivative(1),
        over_time(LINE, 0.0, 2.0),
        lambda s: [dirichlet("x*t"), dirichlet(f"2*x + {s}", "t=2", name="end")],
        "2.0]",
    ),
    "cylinder": (heat(2), over_time(DISC, 0.5, 2.0), lambda s: [dirichlet("x"), initial_value(f"x + {s}*y")], "0.5]"),
    "vertex": (
        laplacian(2),
        TRIANGLE,
        lambda s: [dirichlet("x", ["edge 1", "edge 3"]), dirichlet(f"x + {s}*x", "edge 2")],
        "[1.0, 0.0]",
    ),
    "vertex in time": (
        heat(2),
        over_time(TRIANGLE, 0.0, 1.0),
        lambda s: [dirichlet("x*t", "edge 1"), dirichlet(f"x*t + {s}*t", ["edge 2", "edge 3"]), initial_value(0)],
        "0.0, 1.0]",
    ),
    "crossing": (
        laplacian(2),
        PLATE,
        lambda s: [dirichlet("y", "y=0.5"), dirichlet(f"y + {s}", "x=1"), neumann(0, OTHERS)],
        "[1.0, 0.5]",
    ),
    "solid with a hole": (
        heat(3),
        over_time(difference(CUBE, ball([0.5] * 3, 0.3)), 0, 1),
        lambda s: [dirichlet("z"), initial_value(f"z + {s}")],
        ", 0.0]",
    ),
    "box over time": (heat(1), over_time(LINE, 0, 1), lambda s: [dirichlet("x"), initial_value(f"x + {s}")], ", 0.0]"),
}


@pytest.mark.parametrize("name", MEETING)
def test_values_that_jump_where_they_meet_are_told_with_the_place(name):
    operator, domain, given, place = MEETING[name]
    assert said(operator, domain, given("0")) == []
    (message,) = said(operator, domain, given("0.01"))
    assert "u jumps where they meet" in message
    assert f"{place} block" in message


def test_both_values_are_told():
    (message,) = said(heat(1), SQUARE, [dirichlet(0), initial_value(1, name="start")])
    assert "block 'boundary' gives u = 0 and block 'start' 1" in message


def test_values_that_are_not_periodic_are_told():
    assert said(heat(1), over_time(LINE, 0, 1), [periodic("x"), initial_value("sin(2*pi*x)")]) == []
    (message,) = said(heat(1), over_time(LINE, 0, 1), [periodic("x"), initial_value("1 + x*x")])
    assert message.startswith(
        "block 'initial' gives u = 1 at x = [0.0, 0.0] and 2 at x = [1.0, 0.0], where block 'periodic_x' says"
    )
    assert said(laplacian(2), SQUARE, [periodic("x"), dirichlet("x*(1 - x)", ["y=0", "y=1"])]) == []
    (message,) = said(laplacian(2), SQUARE, [periodic("x"), dirichlet("x*y", ["y=0", "y=1"])])
    assert "gives u = 0 at x = [0.0, 1.0] and 1 at x = [1.0, 1.0]" in message


def test_fluxes_and_pieces_that_do_not_meet_may_differ():
    assert said(laplacian(2), annulus([0, 0], 1, 2), [dirichlet(0, "inner"), dirichlet(1, "outer")]) == []
    holes = difference(SQUARE, ball([0.5, 0.5], 0.2))
    assert said(laplacian(2), holes, [dirichlet(0, "circle"), dirichlet(1, ["x=0", "x=1", "y=0", "y=1"])]) == []
    assert said(laplacian(1), LINE, [dirichlet(0, "x=0"), dirichlet(1, "x=1")]) == []
    assert said(laplacian(2), SQUARE, [dirichlet(0, ["x=0", "x=1"]), neumann(1, ["y=0", "y=1"])]) == []
    assert said(laplacian(2), SQUARE, [dirichlet(0, "x=0"), dirichlet(1, "x=1"), neumann(0, ["y=0", "y=1"])]) == []


FLOATING = {
    "Neumann": (laplacian(2), SQUARE, [neumann(0)]),
    "Neumann on a disc": (advection_diffusion(2, 1.0, torch.tensor([1.0, 0.0])), DISC, [neumann(0)]),
    "Robin without u": (-laplacian(2), DISC, [robin_condition(0, alpha=0)]),
    "periodic": (laplacian(2), SQUARE, [periodic("x"), periodic("y")]),
    "velocity alone": (
        wave(1),
        over_time(LINE, 0, 1),
        [neumann(0), initial_velocity(1), initial_velocity(1, name="again")],
    ),
}


@pytest.mark.parametrize("name", FLOATING)
def test_a_free_constant_is_told_with_what_the_solver_does(name):
    operator, domain, given = FLOATING[name]
    (message,) = [m for m in said(operator, domain, given, source=0.0) if "repeat one another" not in m]
    assert "up to a constant" in message
    assert "mean zero" in message


@pytest.mark.parametrize(
    ("operator", "given"),
    [
        (laplacian(2) - identity(2), [neumann(0)]),
        (laplacian(2), [neumann(0, ["x=0", "x=1", "y=0"]), dirichlet(0, "y=1")]),
        (laplacian(2), [neumann(0), measured(torch.tensor([[0.5, 0.5]]), torch.tensor([1.0]))]),
        (laplacian(2), [neumann(0, ["x=0", "x=1", "y=0"]), robin_condition(0, "y=1")]),
    ],
)
def test_a_constant_that_is_held_anywhere_is_not_free(operator, given):
    assert said(operator, SQUARE, given) == []


def test_blocks_without_regions_are_judged_together():
    inside, edge = Block(laplacian(2), SQUARE.interior(9), 0.0), SQUARE.boundary(8)
    flux, value = Block(normal_derivative(2, SQUARE.normal), edge, 0.0, "flux"), Block(identity(2), edge, 0.0, "value")
    assert ["up to a constant" in f.message for f in check_problem(Problem([inside, flux]))] == [True]
    assert check_problem(Problem([inside, flux, value])) == check_problem(Problem([inside])) == []


A = torch.tensor([[1.0, 0.5], [0.5, 1.0]], dtype=torch.float64)
TOO_FEW = {
    "nothing": (laplacian(2), SQUARE, [], "nothing is given of u beside its equation"),
    "three sides": (laplacian(2), SQUARE, [dirichlet(0, ["x=0", "x=1", "y=0"])], "nothing is given on y=1,"),
    "one end": (laplacian(1), LINE, [dirichlet(0, "x=0")], "nothing is given on x=1,"),
    "full A": (SecondOrderOperator(2, A=A), SQUARE, [dirichlet(0, ["x=0", "y=1"])], "nothing is given on x=1, y=0,"),
    "an edge": (
        laplacian(2),
        l_shape(),
        [dirichlet(0, [f"edge {k}" for k in range(1, 6)])],
        "nothing is given on edge 6,",
    ),
    "no boundary": (heat(1), over_time(LINE, 0, 1), [initial_value(0)], "nothing is given on x=0, x=1,"),
    "no start": (heat(1), SQUARE, [dirichlet(0)], "nothing is given at the start"),
    "no velocity": (wave(1), SQUARE, [dirichlet(0), initial_value(0)], "only one condition is given at the start"),
}


@pytest.mark.parametrize("name", TOO_FEW)
def test_too_few_conditions_are_told_with_what_is_missing(name):
    operator, domain, given, words = TOO_FEW[name]
    (message,) = said(operator, domain, given, time=operator.name.startswith("u_t"))
    assert words in message


ENOUGH = {
    "one end of an interval": (laplacian(1), LINE, [dirichlet(0, "x=0"), neumann(1, "x=0", name="slope")]),
    "first order": (SecondOrderOperator(2, b=torch.tensor([1.0, 1.0])), SQUARE, [dirichlet(0, ["x=0", "y=0"])]),
    "backwards": (heat(1) - 2.0 * time_derivative(1), over_time(LINE, 0, 1),
                  [dirichlet(0), dirichlet(0, "t=1", name="end")]),
    "from both ends": (wave(1), over_time(LINE, 0, 1), [dirichlet(0), initial_value(0), dirichlet(0, "t=1",
    name="end")]),
    "steady in time": (laplacian(1).__class__(2, A=torch.diag(torch.tensor([1.0, 0.0]))), over_time(LINE, 0, 1),
    [dirichlet(0)]),
    "time-periodic": (heat(1), over_time(LINE, 0, 1), [dirichlet(0), periodic("t")]),
    "periodic and walls": (laplacian(2), SQUARE, [periodic("x"), dirichlet(0, ["y=0", "y=1"])]),
    "heat without a word of time": (SecondOrderOperator(2, A=torch.diag(torch.tensor([1.0, 0.0])),
    b=torch.tensor([0.0, -1.0])), SQUARE,
                                    [dirichlet(0, ["x=0", "x=1", "y=0"])]),
    "data": (laplacian(2), SQUARE, [dirichlet(0, "x=0"), measured(torch.tensor([[0.5, 0.5]]), torch.tensor([1.0]))]),
}  # fmt: skip


@pytest.mark.parametrize("name", ENOUGH)
def test_enough_is_enough(name):
    operator, domain, given = ENOUGH[name]
    assert said(operator, domain, given) == []


@pytest.mark.parametrize("boundary", ["hard", "soft"])
@pytest.mark.parametrize("name", [name for name in PROBLEMS if name not in ("regression", "points")])
def test_ready_problems_are_well_posed(name, boundary):
    assert posedness(PROBLEMS[name](points=16, test_points=16, boundary=boundary)) == []


def test_data_alone_are_not_asked_for_conditions():
    for name in ("regression", "points"):
        assert posedness(PROBLEMS[name]()) == []
    assert posedness(PROBLEMS["points"](operator="laplacian", points=[[0.1, 0.2], [0.3, 0.4]])) == []


def test_many_coordinates_are_judged_too():
    spec = {
        "dim": 60,
        "time": True,
        "operator": {"kind": "heat"},
        "source": 0,
        "boundary": "soft",
        "boundary_value": 0,
        "initial_value": 1,
    }
    (message,) = [
        f.message
        for f in check_problem(problem_from_text(spec | {"points": 8, "boundary_points": 200, "test_points": 8}))
    ]
    assert "u jumps" in message
