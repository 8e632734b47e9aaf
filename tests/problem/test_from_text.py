"""A person's own problem as text: the same problem as in Python, or every fault at once."""

import math
import pickle

import pytest
import torch

from pinn_ntk.operators import heat, identity, laplacian
from pinn_ntk.problem import PROBLEMS, SpecError, check_problem, problem_from_text

LAPLACIAN = {"kind": "laplacian"}


def faults(spec):
    with pytest.raises(SpecError) as caught:
        problem_from_text(spec)
    return dict(caught.value.problems)


def same(first, second):
    assert [(b.name, len(b)) for b in first.blocks] == [(b.name, len(b)) for b in second.blocks]
    for a, b in zip(first.blocks, second.blocks, strict=True):
        assert torch.equal(a.x, b.x)
        assert torch.allclose(a.target, b.target, rtol=1e-12, atol=1e-12)
        for p, q in zip(a.operator.coefficients(a.x), b.operator.coefficients(b.x), strict=True):
            assert torch.allclose(p, q, rtol=1e-12, atol=1e-12)


TEXTS = {
    "poisson_2d": {"dim": 2, "operator": {"kind": "laplacian", "factor": -1}, "source": "2*pi**2*sin(pi*x)*sin(pi*y)"},
    "heat_1d": {"dim": 2, "time": True, "operator": {"kind": "heat", "diffusivity": 0.1}, "initial_value": "sin(pi*x)"},
    "wave_1d": {
        "dim": 2, "time": True, "operator": {"kind": "wave"}, "initial_value": "sin(pi*x)",
        "initial_velocity": "sin(2*pi*x)",
    },
    "advection_diffusion_2d": {
        "dim": 2,
        "operator": {"kind": "advection_diffusion", "diffusivity": 0.5, "velocity": [1, 0.5]},
        "exact": "exp((x - 1)/0.5 + 0.5*(y - 1)/0.5) + sin(pi*x)*sin(pi*y)",
    },
    "elliptic": {
        "dim": 2,
        "operator": {"A": [["1 + x**2", "x*y/2"], ["x*y/2", "1 + y**2"]], "b": ["y", "-x"], "c": "-(1 + x*y)"},
        "exact": "exp(x - y)*sin(pi*x)*sin(pi*y)",
        "boundary_value": 0,
    },
}  # fmt: skip


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("boundary", ["hard", "soft"])
def test_text_says_the_same_as_the_ready_problem(name, boundary):
    written = problem_from_text(TEXTS[name] | {"boundary": boundary, "points": 30, "boundary_points": 12})
    same(written, PROBLEMS[name](boundary=boundary, points=30, boundary_points=12))


MANUFACTURED = {
    "constant": {"operator": [LAPLACIAN, {"kind": "identity", "factor": 3}], "exact": "1"},
    "4-D": {"dim": 4, "operator": LAPLACIAN, "exact": "exp(x1)*sin(x4) + x2*x3"},
    "wave on a shifted box": {
        "domain": {"kind": "box", "low": [-1, 0.5], "high": ["pi", 2]}, "time": True,
        "operator": {"kind": "wave", "speed": 2}, "exact": "sin(x)*cos(3*t) + x*t",
    },
    "heat": {"dim": 3, "time": True, "operator": {"kind": "heat"}, "exact": "exp(-t)*cos(x + y)"},
    "variable": {"dim": 2, "operator": {"A": "1 + x*y", "b": [0, "x"], "c": "-exp(x)"}, "exact": "exp(x)*cos(y)"},
    "one dimension": {"operator": {"A": "2 + x", "b": "x", "c": 1}, "exact": "sin(3*x)"},
    "mixed conditions": {
        "domain": {"low": [0, -1], "high": ["2*pi", 1]}, "operator": LAPLACIAN, "exact": "x*y + sin(x)*cosh(y)",
        "conditions": [
            {"type": "neumann", "on": "x=0"},
            {"type": "robin", "on": ["x = 2*pi", "y=1"], "alpha": 2, "beta": "1 + x*x"},
            {"type": "dirichlet", "on": "y=-1", "points": 5},
        ],
    },
    "terminal condition": {
        "dim": 2, "time": True, "operator": {"kind": "black_scholes"}, "exact": "x**2*exp(0.09*(1 - t))", "source": 0,
        "conditions": [{"type": "dirichlet", "on": ["x=0", "x=1", "t=1"]}],
    },
    "wave by its conditions": {
        "dim": 2, "time": True, "operator": {"kind": "wave"}, "exact": "sin(x + t)",
        "conditions": [{"type": "dirichlet"}, {"type": "initial"}, {"type": "initial_velocity"}],
    },
}  # fmt: skip


@pytest.mark.parametrize("name", MANUFACTURED)
@pytest.mark.parametrize("boundary", ["hard", "soft"])
def test_a_manufactured_problem_needs_only_its_solution(name, boundary):
    spec = MANUFACTURED[name]
    problem = problem_from_text(spec if "conditions" in spec else spec | {"boundary": boundary})
    assert (problem.ansatz is not None) == (boundary == "hard" and "conditions" not in spec)
    assert check_problem(problem) == []


def test_an_operator_is_read_as_it_is_meant():
    """−2Δ + (1 + x)·∂_x + 3 against its definition on u = x³y."""
    operator = [{"kind": "laplacian", "factor": -2}, {"b": ["1 + x", 0]}, {"c": 3}]
    block = problem_from_text({"dim": 2, "operator": operator, "exact": "x**3*y", "boundary": "soft"}).blocks[0]
    x, y = block.x.T
    assert torch.allclose(block.target, -12 * x * y + (1 + x) * 3 * x**2 * y + 3 * x**3 * y, rtol=1e-13)
    assert (
        problem_from_text({"operator": {"kind": "laplacian", "factor": -1}, "exact": "x"}).blocks[0].operator.order == 2
    )


def test_numbers_stay_constant_coefficients():
    spec = {"dim": 2, "operator": {"A": [["2*1", 0], [0, "1"]], "c": "pi"}, "source": "1", "boundary": "soft"}
    assert problem_from_text(spec).blocks[0].operator.constant


def test_conditions_become_blocks_with_their_own_operators():
    problem = problem_from_text(MANUFACTURED["mixed conditions"] | {"boundary_points": 8, "weights": {"robin": 7}})
    assert [(b.name, len(b), b.weight) for b in problem.blocks[1:]] == [
        ("neumann", 8, 1.0),
        ("robin", 8, 7.0),
        ("boundary", 5, 1.0),
    ]
    neumann, robin, dirichlet = problem.blocks[1:]
    x, y = neumann.x.T
    assert (x == 0).all()
    assert torch.allclose(neumann.target, -(y + torch.cosh(y)), rtol=1e-13)  # −u_x at x = 0
    x, y = robin.x.T
    right = x == 2 * math.pi
    flux = torch.where(right, y + torch.cos(x) * torch.cosh(y), x + torch.sin(x) * torch.sinh(y))
    assert 0 < int(right.sum()) < 8
    assert torch.allclose(robin.target, 2 * (x * y + torch.sin(x) * torch.cosh(y)) + (1 + x * x) * flux, rtol=1e-12)
    assert (dirichlet.x[:, 1] == -1).all()


@pytest.mark.parametrize("boundary", ["hard", "soft"])
def test_data_come_beside_the_other_conditions(boundary, tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("x,y,value\n0.25,0.5,0.125\n0.5,0.5,0.25\n")
    spec = {
        "dim": 2,
        "operator": LAPLACIAN,
        "exact": "x*y",
        "boundary": boundary,
        "conditions": [{"type": "data", "csv": str(path)}],
    }
    problem = problem_from_text(spec)
    assert [b.name for b in problem.blocks] == (
        ["interior", "data"] if boundary == "hard" else ["interior", "boundary", "data"]
    )
    assert check_problem(problem) == []
    assert len(problem.blocks[-1]) == 2


def test_a_plugged_in_operator_is_a_kind():
    def biased(dim, strength=1.0):
        """𝓛u = Δu + su."""
        return laplacian(dim) + strength * identity(dim)

    spec = {"operator": {"kind": "biased", "strength": 2}, "exact": "x", "boundary": "soft"}
    block = problem_from_text(spec, {"biased": biased}).blocks[0]
    assert torch.allclose(block.target, 2 * block.x[:, 0])
    with pytest.raises(SpecError, match="cannot use"):
        problem_from_text({"operator": {"kind": "biased", "strength": [1]}, "exact": "x"}, {"biased": biased})
    with pytest.raises(SpecError, match="expected 1, as many as the domain has"):
        problem_from_text({"operator": {"kind": "wrong"}, "exact": "x"}, {"wrong": lambda dim: heat(dim)})


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"source": "2*y + 1e-3*x"}, "block 'interior'"),
        ({"boundary_value": "x**2*y + 0.01"}, "imposed condition"),
        ({"boundary_value": "0", "boundary": "soft"}, "block 'boundary'"),
    ],
)
def test_an_exact_solution_that_is_none_is_found_by_the_checker_and_told_once(more, words):
    """Building says nothing (a warning would fail this test); `check_problem` has one finding,
    and none where the data fit.
    """
    spec = {"dim": 2, "operator": LAPLACIAN, "exact": "x**2*y"}
    (finding,) = check_problem(problem_from_text(spec | more))
    assert finding.severity == "warning"
    assert words in finding.message
    assert check_problem(problem_from_text(spec | {"source": "2*y", "boundary_value": "x*x*y"})) == []


@pytest.mark.parametrize("dim", [6, 17, 40])
@pytest.mark.parametrize(
    "more", [{"exact": "x1*x2"}, {"source": 1, "boundary_value": "x1"}, {"source": 1, "boundary_value": 1}]
)
def test_hard_data_between_many_faces_are_refused_at_once(dim, more):
    """3^30 evaluations would not end."""
    told = faults({"dim": dim, "operator": LAPLACIAN, "boundary": "hard"} | more)
    assert told.keys() == {"boundary"}
    assert f"3^{dim} − 1 evaluations" in told["boundary"]
    assert "write boundary: soft" in told["boundary"]
    unsaid = problem_from_text({"dim": dim, "operator": LAPLACIAN, "points": 4, "test_points": 4} | more)
    assert [b.name for b in unsaid.blocks] == ["interior", "boundary"]


def test_time_is_not_a_side():
    """Data on the sides of five space coordinates and a sixth axis of time are interpolated,
    of six and a seventh not.
    """
    heat_equation = {"time": True, "operator": {"kind": "heat"}, "exact": "x1"}
    with pytest.raises(SpecError, match="sides of 6 coordinates"):
        problem_from_text(heat_equation | {"dim": 7, "boundary": "hard"})
    assert problem_from_text(heat_equation | {"dim": 6, "points": 4, "test_points": 4}).ansatz is not None


@pytest.mark.parametrize("boundary", ["hard", "soft"])
def test_homogeneous_data_are_imposed_in_any_dimension(boundary):
    spec = {
        "dim": 30,
        "operator": LAPLACIAN,
        "exact": "sin(pi*x1)*" + "*".join(f"x{j}*(1 - x{j})" for j in range(2, 31)),
    }
    problem = problem_from_text(spec | {"boundary": boundary, "boundary_value": 0, "points": 8, "test_points": 8})
    assert check_problem(problem) == []
    assert problem.ansatz is None or problem.ansatz.g is None


def test_a_weight_of_a_condition_is_the_weight_of_its_block():
    listed = [{"type": "dirichlet", "on": "x=0"}, {"type": "neumann", "on": "x=1"}]
    spec = {"dim": 2, "operator": LAPLACIAN, "exact": "x*y", "boundary_points": 6}
    apart = problem_from_text(spec | {"conditions": listed, "weights": {"boundary": 10, "interior": 2}})
    inline = problem_from_text(
        spec | {"conditions": [listed[0] | {"weight": 10}, listed[1]], "weights": {"interior": 2}}
    )
    assert [b.weight for b in inline.blocks] == [2.0, 10.0, 1.0]
    assert inline.row_scales == apart.row_scales
    assert torch.equal(inline.target, apart.target)
    told = faults(spec | {"conditions": [listed[0] | {"weight": 10}, listed[1]], "weights": {"boundary": 10}})
    assert "'boundary', whose condition has a weight of its own" in told["weights"]


def test_every_fault_is_told_at_once_with_the_nearest_name():
    told = faults(
        {
            "operater": LAPLACIAN, "dim": 2, "exact": "sin(z)", "source": "1/x", "points": 0, "boundary": "hrad",
            "time": "yes",
            "weights": {"boundary": -1}, "seed": 1.5, "conditions": [{"type": "neuman"}], "domain": {"lwo": 0},
        }
    )  # fmt: skip
    expected = {
        "operater": "did you mean operator",
        "operator": "missing",
        "exact": "unknown name z",
        "source": "inf at x = 0",
        "points": "at least 1",
        "boundary": "did you mean hard",
        "time": "expected true",
        "weights": "positive number",
        "seed": "whole number",
        "conditions[0].type": "did you mean neumann",
        "domain.lwo": "did you mean low",
    }
    assert told.keys() == expected.keys()
    for key, words in expected.items():
        assert words in told[key], key


def test_the_error_survives_pickling():
    error = SpecError([("dim", "wrong"), ("seed", "wrong, too")])
    assert pickle.loads(pickle.dumps(error)).problems == error.problems
    assert str(error) == "dim: wrong\nseed: wrong, too"


WAVE = {"dim": 2, "time": True, "operator": {"kind": "wave"}}
FLAT = {"dim": 2, "operator": LAPLACIAN}


@pytest.mark.parametrize(
    ("spec", "key", "words"),
    [
        ({}, "operator", "missing"),
        ({"operator": 3, "source": 1}, "operator", "expected a mapping"),
        ({"operator": {"kind": "laplacain"}, "source": 1}, "operator.kind", "did you mean laplacian"),
        ({"operator": {"kind": "helmholtz"}, "source": 1}, "operator.wavenumber", "missing"),
        ({"operator": {"kind": "helmholtz", "wavenumbr": 1}, "source": 1}, "operator.wavenumbr",
        "did you mean wavenumber"),
        ({"operator": {"kind": "heat"}, "dim": 2, "source": 1}, "operator.kind", "time: true"),
        ({"operator": {"A": [[1, "q"], [0, 1]]}, "dim": 2, "source": 1}, "operator.A[0][1]", "unknown name q"),
        ({"operator": {"A": [[1, "x"], [0, 1]]}, "dim": 2, "source": 1}, "operator", "not symmetric"),
        ({"operator": {"A": [[1, 0]]}, "dim": 2, "source": 1}, "operator", "shape"),
        ({"operator": {"A": 1, "b": "x"}, "dim": 2, "source": 1}, "operator.b", "list of 2"),
        ({"operator": {"factor": 2}, "source": 1}, "operator", "at least one"),
        ({"operator": {"kind": "laplacian", "factor": "x"}, "source": 1}, "operator.factor", "without coordinates"),
        ({"operator": [LAPLACIAN, {"c": "1/x"}], "source": 1}, "operator[1].c", "inf at x = 0"),
        (FLAT, "source", "missing"),
        (FLAT | {"source": "__import__('os')"}, "source", "not allowed"),
        (FLAT | {"source": "1/((x - 0.5)*(x - 0.5) + (y - 0.5)*(y - 0.5))"}, "source", "x = 0.5, y = 0.5"),
        (FLAT | {"source": 1, "weights": {1: 2}}, "weights", "block names"),
        (WAVE | {"operator": {"kind": "wave", "speed": "x"}, "exact": "x"}, "operator.speed", "without coordinates"),
        (WAVE | {"operator": {"kind": "wave", "speed": [1]}, "exact": "x"}, "operator.speed", "finite number"),
        (FLAT | {"source": "log(x - 2)"}, "source", "expected finite"),
        (FLAT | {"source": 1, "points": 50, "sampling": "grid"}, "points", "take 49 or 64"),
        (FLAT | {"source": 1, "boundary": "soft", "boundary_points": 3}, "boundary_points",
        "at least one point on each"),
        (FLAT | {"source": 1, "boundary": "soft", "weights": {"boundry": 2}}, "weights", "did you mean boundary"),
        (FLAT | {"source": 1, "initial_value": 1}, "initial_value", "time: true"),
        (FLAT | {"source": 1, "dim": 0}, "dim", "at least 1"),
        (FLAT | {"source": 1, "dim": 30000}, "dim", "at most 100"),
        (FLAT | {"source": 1, "dim": 1e9}, "dim", "got 1000000000.0, expected a whole number"),
        (FLAT | {"source": 1, "dim": None, "domain": {"high": [1] * 101}}, "domain", "at most 100"),
        (FLAT | {"source": 1, "points": 10**12}, "points", "at most 10,000,000"),
        (FLAT | {"source": 1, "boundary_points": 10**12}, "boundary_points", "at most 10,000,000"),
        (FLAT | {"source": 1, "test_points": 10**12}, "test_points", "at most 10,000,000"),
        (FLAT | {"source": 1, "dim": 100, "points": 10**7}, "points", "at most 1,000,000"),
        (FLAT | {"source": 1, "dim": 100, "test_points": 10**7}, "test_points", "at most 1,000,000"),
        (FLAT | {"conditions": [{"type": "neumann", "value": 0, "points": 10**12}]}, "conditions[0].points",
        "at most 10,000,000"),
        (FLAT | {"conditions": [{"type": "neumann", "value": 0, "weight": 0}]}, "conditions[0].weight",
        "positive number"),
        (FLAT | {"conditions": [{"type": "neumann", "value": 0, "weight": "much"}]}, "conditions[0].weight",
        "positive number"),
        (FLAT | {"source": 1, "seed": 10**30}, "seed", "at least 0 and at most 9,223,372,036,854,775,807"),
        (FLAT | {"source": 1, "seed": 10**30, "sampling": "uniform"}, "seed", "at least 0 and at most"),
        (FLAT | {"source": 1, "domain": {"low": -1e308, "high": 1e308}}, "domain", "length inf"),
        (FLAT | {"source": 1, "domain": {"low": 10**400}}, "domain.low", "finite"),
        (FLAT | {"source": 1, "operator": {"A": [["x"] * 500] * 500}}, "operator.A",
        "list of 500 entries, expected at most 2"),
        (FLAT | {"source": 1, "operator": {"A": [["x"] * 500, [0, 1]]}}, "operator.A[0]",
        "list of 500 entries, expected at most 2"),
        (FLAT | {"source": 1, "operator": {"A": [[1, [0]], [0, 1]]}}, "operator.A[0][1]",
        "expected a number or a formula"),
        (FLAT | {"source": 1, "domain": {"low": [0, 0, 0]}}, "domain", "2 coordinates"),
        (FLAT | {"source": 1, "domain": {"low": [0, 1], "high": 1}}, "domain", "empty"),
        (FLAT | {"source": 1, "domain": {"kind": "bull"}}, "domain.kind", "did you mean ball"),
        (FLAT | {"source": 1, "domain": {"low": float("nan")}}, "domain.low", "finite"),
        (FLAT | {"source": 1, "domain": [0, 1]}, "domain", "mapping"),
        (FLAT | {"dim": 1, "time": True, "source": 1}, "dim", "dim counts time"),
        (WAVE, "initial_value", "missing"),
        (WAVE | {"initial_value": "sin(pi*x)"}, "initial_velocity", "missing"),
        (WAVE | {"initial_value": 1, "initial_velocity": 0}, "initial_value", "boundary='soft'"),
        (WAVE | {"operator": {"kind": "heat"}, "initial_value": 0, "initial_velocity": 0}, "initial_velocity",
        "first order in time"),
        (FLAT | {"conditions": [{"type": "neumann", "on": "x=0"}]}, "conditions[0].value", "missing"),
        (FLAT | {"conditions": [{"type": "neumann", "on": "x=3", "value": 0}]}, "conditions[0].on",
        "x=0, x=1, y=0, y=1"),
        (FLAT | {"conditions": [{"type": "initial", "value": 0}]}, "conditions[0].type", "time: true"),
        (FLAT | {"conditions": [{"type": "data", "csv": "missing.csv"}]}, "conditions[0].csv", "cannot be read"),
        (FLAT | {"conditions": [{"type": "data"}]}, "conditions[0].csv", "path"),
        (FLAT | {"conditions": [{"type": "robin", "value": 0, "alpha": "q"}]}, "conditions[0].alpha", "unknown name"),
        (FLAT | {"conditions": [{"type": "dirichlet", "value": 0, "name": "interior"}]}, "conditions[0].name", "taken"),
        (FLAT | {"conditions": [{"type": "dirichlet", "value": 0, "valeu": 0}]}, "conditions[0].valeu",
        "did you mean value"),
        (FLAT | {"conditions": [3]}, "conditions[0]", "mapping"),
        (FLAT | {"conditions": "dirichlet"}, "conditions", "list"),
        (FLAT | {"boundary": "hard", "conditions": [{"type": "neumann", "value": 0}]}, "boundary", "soft"),
        (FLAT | {"boundary_value": 1, "conditions": [{"type": "neumann", "value": 0}]}, "boundary_value", "replace"),
    ],
)  # fmt: skip
def test_each_fault_has_its_key(spec, key, words):
    told = faults(spec)
    assert key in told
    assert words in told[key]


def test_what_is_no_mapping_is_refused():
    assert "expected a mapping" in faults(["operator"])["problem"]
