"""What strangers write: extreme boxes, sharp functions, clashing names, hostile YAML: a problem,
or a refusal under its key.
"""

import math

import pytest
import torch
import yaml

from pinn_ntk.problem import SpecError, check_problem, drawn, problem_from_text

FLAT = {"dim": 2, "operator": {"kind": "laplacian"}, "exact": "x"}
DISC = {"kind": "ball", "center": [0, 0], "radius": 1}


def refused(spec):
    with pytest.raises(SpecError) as caught:
        problem_from_text(spec)
    return dict(caught.value.problems)


def names(dim):
    return ("x", "y", "z")[:dim] if dim <= 3 else tuple(f"x{j + 1}" for j in range(dim))


def holds(problem):
    """The exact solution satisfies all conditions drawn anew, to rounding."""
    for condition in problem.posed:
        block = drawn(condition, max(32, len(condition.region.pieces)), seed=5)
        gap = (block.rows().apply(problem.exact) - block.target).abs().max()
        assert float(gap) <= 1e-9 * (1.0 + float(block.target.abs().max())), condition.name


@pytest.mark.parametrize("time", [False, True])
@pytest.mark.parametrize("dim", range(1, 7))
def test_any_number_of_coordinates(dim, time):
    u = " + ".join(f"sin({name})*exp(0.1*{name})" for name in names(dim))
    spec = {
        "dim": dim + time,
        "time": time,
        "operator": {"kind": "heat" if time else "laplacian"},
        "exact": f"({u})*cos(t)" if time else u,
    }
    for boundary in ("hard", "soft") if dim < 5 else ("soft",):
        problem = problem_from_text(spec | {"boundary": boundary, "points": 32, "test_points": 8})
        assert check_problem(problem) == []
        holds(problem)
    ball = {"kind": "ball", "center": [0.5] * dim, "radius": 2}
    holds(
        problem_from_text(
            spec
            | {"dim": None, "domain": ball, "points": 32, "test_points": 8}
            | ({"time_span": [0, 1]} if time else {})
        )
    )


@pytest.mark.parametrize(
    "ends", [(1e3, 1e3 + 1e-2), (-1e6, -1e6 + 1), (0.0, 1e-6), (0.0, 1e-12), (0.0, 1e6), (-1e10, 1e10)]
)
@pytest.mark.parametrize("boundary", ["hard", "soft"])
def test_boxes_far_off_thin_or_huge(ends, boundary):
    low, high = ends
    u = f"sin(2*pi*(x - {low!r})/{high - low!r})"
    beside = {"operator": {"kind": "laplacian"}, "boundary": boundary, "points": 64, "test_points": 8}
    for spec in (
        {"domain": {"low": low, "high": high}, "exact": u},
        {"domain": {"low": [low, 0], "high": [high, 1]}, "exact": f"{u}*y"},
    ):
        problem = problem_from_text(spec | beside)
        assert check_problem(problem) == []
        holds(problem)


@pytest.mark.parametrize("ends", [(1e3, 1e3 + 1e-2), (-1e6, -1e6 + 1), (0.0, 1e-6), (-1e10, 1e10)])
def test_conditions_on_boxes_far_off_thin_or_huge(ends):
    low, high = ends
    listed = [{"type": "periodic", "axis": "x"}, {"type": "neumann", "on": "y=1"}, {"type": "dirichlet", "on": "y=0"}]
    spec = {"domain": {"low": [low, 0], "high": [high, 1]}, "operator": [{"kind": "laplacian"}, {"c": -1}]}
    problem = problem_from_text(spec | {"exact": f"sin(2*pi*(x - {low!r})/{high - low!r})*y", "conditions": listed})
    assert check_problem(problem) == []
    holds(problem)
    sides = [{"type": "neumann", "on": [f"x={low!r}", f"x={high!r}"]}, {"type": "dirichlet", "on": ["y=0", "y=1"]}]
    assert len(problem_from_text(spec | {"exact": "y", "conditions": sides}).posed[1].region.pieces) == 2


def test_a_box_that_numbers_cannot_resolve_is_refused():
    assert (
        "expected finite low < high" in refused(FLAT | {"domain": {"low": [1e15, 0], "high": [1e15 + 1, 1]}})["domain"]
    )


@pytest.mark.parametrize(
    ("domain", "exact"),
    [
        ((0, 1), "sin(1000*x)"), ((0, 1), "exp(-1000*x)"), ((0, 1), "tanh(500*(x - 0.5))"), ((0, 1), "1e8*sin(x)"), ((0,
        1), "1e-8*x"),
        ((0, 1000), "sin(x)"), ((0, 1000), "sin(x/1000)"), ((0, 1000), "exp(-x)"), ((1e3, 1e3 + 1e-2), "x**2"), ((-1e6,
        1e6), "x**2"),
    ],
)  # fmt: skip
def test_functions_of_any_scale_are_not_taken_for_faulty_ones(domain, exact):
    low, high = domain
    spec = {"domain": {"low": low, "high": high}, "operator": {"kind": "laplacian"}, "exact": exact, "boundary": "soft"}
    assert check_problem(problem_from_text(spec)) == []


def test_row_16_a_domain_that_sampling_cannot_fill_is_refused_with_the_rate():
    band = {"kind": "difference", "of": [DISC, {"kind": "ball", "center": [0, 0], "radius": 1 - 1e-4}]}
    told = refused(FLAT | {"dim": None, "domain": band, "points": 5000, "boundary_value": "x"})
    assert any("acceptance rate" in message and "expected" in message for message in told.values())


EMPTY = {
    "box": {"low": [1, 0], "high": [1, 1]},
    "ball": {"kind": "ball", "center": [0, 0], "radius": 0},
    "annulus": {"kind": "annulus", "center": [0, 0], "inner": 2, "outer": 1},
    "difference": {"kind": "difference", "of": [DISC, {"kind": "ball", "center": [0, 0], "radius": 2}]},
    "intersection": {"kind": "intersection", "of": [DISC, {"kind": "ball", "center": [5, 0], "radius": 2}]},
}


@pytest.mark.parametrize("name", EMPTY)
def test_row_15_an_empty_domain_is_refused(name):
    (key,) = refused(FLAT | {"dim": None, "domain": EMPTY[name]})
    assert key.startswith("domain")


def test_numbered_names_do_not_clash_with_given_ones():
    listed = [
        {"type": "dirichlet", "on": "x=0", "name": "boundary_2"},
        {"type": "dirichlet", "on": "x=1"},
        {"type": "dirichlet", "on": "y=0"},
    ]
    problem = problem_from_text(FLAT | {"conditions": [*listed, {"type": "dirichlet", "on": "y=1"}]})
    assert [b.name for b in problem.blocks[1:]] == ["boundary_2", "boundary", "boundary_3", "boundary_4"]
    assert (
        "taken are interior, a"
        in refused(FLAT | {"conditions": [{"type": "dirichlet", "name": "a"}] * 2})["conditions[1].name"]
    )


def test_yaml_that_takes_on_for_true_is_understood():
    """YAML 1.1, as `yaml.safe_load` reads it, says that `on:` is a boolean."""
    listed = yaml.safe_load('[{type: dirichlet, on: "x=0"}, {type: neumann, on: [x=1, y=0, y=1]}]')
    assert True in listed[0]
    assert problem_from_text(FLAT | {"conditions": listed}).posed[1].region.pieces == ("x=0",)


ENDLESS: dict = {"kind": "union"}
ENDLESS["of"] = [ENDLESS, ENDLESS]
DEEP: dict = {"kind": "box", "low": [0, 0], "high": [1, 1]}
for _ in range(40):
    DEEP = {"kind": "union", "of": [DEEP, DISC]}
ROUND: list = []
ROUND.append(ROUND)
LAUGHS = yaml.safe_load("a: &a [1, 1]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: [*c, *c]\n")["d"]


@pytest.mark.parametrize(
    ("more", "key", "words"),
    [
        ({"dim": None, "domain": ENDLESS}, "domain", "more than 256 parts"),
        ({"dim": None, "domain": DEEP}, "domain", "16 levels"),
        ({"dim": None, "domain": {"kind": ["union"], "of": [DISC]}}, "domain.kind", "did you mean union"),
        ({"dim": None, "domain": {"kind": "union", "of": [DISC, {"kind": "box"}]}}, "domain", "one dimension"),
        ({"dim": None, "domain": {"kind": "polygon", "vertices": [[0, 0], [1, 1], [1, 0], [0, 1]]}}, "domain",
        "order of the vertices"),
        ({"operator": {"A": ROUND}}, "operator.A[0][0]", "expected a number or a formula"),
        ({"operator": {"A": LAUGHS}}, "operator.A[0][0]", "expected a number or a formula"),
        ({"operator": {"kind": ["laplacian"]}}, "operator.kind", "did you mean laplacian"),
        ({"operator": []}, "operator", "expected a mapping"),
        ({"exact": {"x": 1}}, "exact", "text or a number"),
        ({"exact": True}, "exact", "text or a number"),
        ({"exact": ""}, "exact", "empty"),
        ({1: 2}, "1", "unknown key"),
        ({None: 2}, "None", "unknown key"),
        ({"dim": True}, "dim", "whole number"),
        ({"conditions": [None]}, "conditions[0]", "mapping"),
        ({"conditions": [{"type": ["dirichlet"]}]}, "conditions[0].type", "did you mean dirichlet"),
        ({"conditions": [{"type": "dirichlet", "on": {"x": 0}}]}, "conditions[0].on", "expected one of all, x=0"),
        ({"conditions": [{"type": "dirichlet", "on": "x=__import__('os')"}]}, "conditions[0].on", "not allowed"),
        ({"conditions": [{"type": "dirichlet", "on": "x=1e400"}]}, "conditions[0].on", "finite"),
        ({"conditions": [{"type": "data", "csv": "/"}]}, "conditions[0].csv", "cannot be read"),
        ({"conditions": [{"type": "data", "csv": "/dev/zero"}]}, "conditions[0].csv", "a device, a pipe or a folder"),
        ({"source": {"grid": "/dev/zero"}}, "source", "a device, a pipe or a folder"),
        ({"source": {"grid": "/dev/null"}}, "source", "a device, a pipe or a folder"),
        ({"exact": "sqrt(x)", "boundary": "hard"}, "boundary", "no finite 𝓛g"),
        ({"exact": None, "source": 1, "boundary_value": "sqrt(x)", "boundary": "hard"}, "boundary", "write soft"),
    ],
)  # fmt: skip
def test_hostile_text_is_refused_under_its_key(more, key, words):
    told = refused(FLAT | more)
    assert words in told[key]


def test_data_with_infinite_slopes_are_fine_when_soft():
    problem = problem_from_text(FLAT | {"exact": None, "source": 1, "boundary_value": "sqrt(x)"})
    assert problem.ansatz is None
    assert math.isfinite(float(problem.target.sum()))
    assert torch.equal(problem.blocks[1].target, problem.blocks[1].x[:, 0].sqrt())
