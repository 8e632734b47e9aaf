"""Domains of every kind in text, nested and over time: conditions on their pieces by name, soft,
or built in where there is a map.
"""

import pytest

from pinn_ntk.problem import KINDS, SpecError, check_problem, drawn, problem_from_text

BOX = {"kind": "box", "low": [0, 0], "high": [1, 1]}
DOMAINS = {
    "box": (BOX, "x=0"),
    "ball": ({"kind": "ball", "center": [0, 0], "radius": "sqrt(2)"}, "circle"),
    "solid ball": ({"kind": "ball", "center": [0, 0, 1], "radius": 1}, "sphere"),
    "ellipse": ({"kind": "ellipse", "center": [0, 0], "radii": [2, 1], "angle": "pi/6"}, "ellipse"),
    "annulus": ({"kind": "annulus", "center": [0, 0], "inner": 0.5, "outer": 1}, "inner"),
    "polygon": ({"kind": "polygon", "vertices": [[0, 0], [2, 0], ["1/3", 1]]}, "edge 2"),
    "l_shape": ({"kind": "l_shape"}, "edge 6"),
    "union": ({"kind": "union", "of": [BOX, {"kind": "ball", "center": [1, 0.5], "radius": 0.3}]}, "circle"),
    "intersection": ({"kind": "intersection", "of": [BOX, {"kind": "ball", "center": [0, 0], "radius": 0.8}]}, "y = 0"),
    "difference": ({"kind": "difference", "of": [BOX, {"kind": "ball", "center": [0.5, 0.5], "radius": 0.2}]},
    "circle"),
    "nested": (
        {"kind": "difference", "of": [{"kind": "union", "of": [BOX, {"kind": "l_shape", "low": [-1, -1], "high": [0.5,
        0.5]}]},
                                      {"kind": "intersection", "of": [{"kind": "ball", "center": [0.6, 0.6],
                                      "radius": 0.2},
                                                                      {"kind": "ball", "center": [0.7, 0.6],
                                                                      "radius": 0.2}]}]},
        "x=1",
    ),
    "solid with a hole": ({"kind": "difference", "of": [{"kind": "box", "low": [0] * 3, "high": [1] * 3},
                                                        {"kind": "ball", "center": [0.5] * 3, "radius": 0.3}]},
                                                        "sphere"),
}  # fmt: skip
SIZES = {"points": 16, "boundary_points": 48, "test_points": 8}


def spec_of(name, time):
    space = {"domain": DOMAINS[name][0], "operator": {"kind": "laplacian"}, "exact": "sin(x)*exp(y)", **SIZES}
    return space | (
        {"time": True, "time_span": [0.5, 2], "operator": {"kind": "heat"}, "exact": "sin(x)*exp(y*t)"} if time else {}
    )


def test_every_kind_is_here():
    assert set(KINDS) <= set(DOMAINS)


@pytest.mark.parametrize("time", [False, True])
@pytest.mark.parametrize("name", DOMAINS)
def test_conditions_on_named_pieces_are_satisfied_by_the_solution(name, time):
    spec, piece = spec_of(name, time), DOMAINS[name][1]
    whole = problem_from_text(spec | {"boundary": "soft"})
    rest = [p for p in whole.posed[1].region.pieces if p != piece.replace(" = ", "=")]
    listed = [
        {"type": "robin", "on": piece, "alpha": 2},
        *([{"type": "neumann", "on": rest}] if rest else []),
        *([{"type": "initial"}] * time),
    ]
    problem = problem_from_text(spec | {"conditions": listed})
    assert check_problem(whole) == check_problem(problem) == []
    for block in [*problem.blocks, *(drawn(c, 60, seed=3) for c in (*problem.posed, *whole.posed))]:
        gap = (block.rows().apply(problem.exact) - block.target).abs().max()
        assert float(gap) <= 1e-11 * (1 + float(block.target.abs().max())), block.name


@pytest.mark.parametrize("time", [False, True])
@pytest.mark.parametrize("name", DOMAINS)
def test_a_wrong_name_is_answered_by_the_right_ones(name, time):
    with pytest.raises(SpecError) as caught:
        problem_from_text(spec_of(name, time) | {"conditions": [{"type": "dirichlet", "on": "nowhere"}]})
    told = dict(caught.value.problems)["conditions[0].on"]
    assert told.startswith("got 'nowhere'")
    assert DOMAINS[name][1].replace(" = ", "=") in told
    assert ("t=0.5, t=2" in told) is time


@pytest.mark.parametrize("second", [False, True])
@pytest.mark.parametrize("name", DOMAINS)
def test_values_are_built_in_with_time_or_without(name, second):
    data = {
        "source": 1,
        "boundary_value": "x*exp(-t)",
        "initial_value": "x*exp(-0.5)",
        "exact": None,
        "boundary": "hard",
    }
    speed = {"operator": {"kind": "wave"}, "initial_velocity": "-x*exp(-0.5)"} if second else {}
    problem = problem_from_text(spec_of(name, True) | data | speed)
    steady = problem_from_text(
        spec_of(name, False) | {"source": 1, "boundary_value": "x", "exact": None, "boundary": "hard"}
    )
    for one in (problem, steady):
        assert [b.name for b in one.blocks] == ["interior"]
        assert one.ansatz.text.startswith("u = g + ϕh, ϕ = ")
        assert check_problem(one) == []
        for condition in one.posed[1:2]:
            wall = drawn(condition, 60)
            assert float((one.solution(lambda x: x.sum(1))(wall.x) - wall.target).abs().max()) <= 1e-12


@pytest.mark.parametrize("kind", ["neumann", "robin"])
@pytest.mark.parametrize("name", DOMAINS)
def test_fluxes_are_not_built_in(name, kind):
    with pytest.raises(SpecError, match="soft"):
        problem_from_text(spec_of(name, False) | {"boundary": "hard", "conditions": [{"type": kind}]})
