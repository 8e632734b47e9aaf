"""∇·(k∇u) and A:∇²u are told apart: solved right, said by name, and what was perhaps not meant gets one line."""

import itertools
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from pinn_ntk import solve
from pinn_ntk.experiment import Settings, solved_run
from pinn_ntk.expressions import parse
from pinn_ntk.geometry import box, l_shape, over_time
from pinn_ntk.operators import SecondOrderOperator, divergence, heat, laplacian
from pinn_ntk.problem import (
    PROBLEMS,
    Block,
    Problem,
    SpecError,
    check_problem,
    dirichlet,
    initial_value,
    pose,
    problem_from_text,
)

SQUARE, TIMED = box([0.0, 0.0], [1.0, 1.0]), over_time(box(0.0, 1.0), 0.0, 1.0)
FEW = {"points": 16, "boundary_points": 16, "test_points": 16}
STEP = "1 + 9*heaviside(x - 0.5)"


def found(operator, domain=SQUARE, given=None):
    problem = pose(operator, domain, 1.0, given or [dirichlet(0)], **FEW)
    return [(f.severity, f.message) for f in check_problem(problem)]


def of(A, dim=2, time=False):
    return SecondOrderOperator(dim, A=parse(A, dim, time)) * -1.0


def disc(x):
    return -torch.where((x - 0.5).norm(dim=1) < 0.15, 10.0, 1.0).to(x)


@pytest.mark.parametrize(
    ("operator", "how"),
    [
        (of(STEP), r"jumps at x = \[0.5, "),
        (SecondOrderOperator(2, A=disc), r"jumps at x = \[0\.[3-6]"),
        (of("1 + 3*x"), "varies from 1 to 4"),
        (of("1.1 + tanh(200*(y - x))"), "varies from 0.1 to 2.1"),
        (SecondOrderOperator(2, A=[[parse("1 + 4*x", 2), 0.0], [0.0, 1.0]]), "varies from 1 to 5"),
    ],
)
def test_a_varying_a_without_b_is_said_to_be_no_flux(operator, how):
    ((severity, message),) = found(operator)
    assert severity == "note"
    assert re.search(how, message), message
    assert "A:∇²u with a varying A, not ∇·(A∇u)" in message
    assert "{kind: divergence, k: …}" in message


@pytest.mark.parametrize(
    "operator",
    [
        of("1 + 0.9*x"),  # by less than a factor of two
        laplacian(2),
        SecondOrderOperator(2, A=parse("1 + 9*x", 2), b=[1.0, 0.0]),  # somebody thought of first order
        SecondOrderOperator(2, A=[[parse("1 + 9*y", 2), 0.0], [0.0, 1.0]]),  # ∇·A = 0: both are the same
        divergence(2, parse("1 + 9*x", 2)),
        divergence(2, lambda x: 1 + 9 * x[:, 0] ** 2),
        divergence(2, parse("1.1 + tanh(200*(y - x))", 2)),
    ],
)
def test_no_word_about_the_others(operator):
    assert found(operator) == []


@pytest.mark.parametrize("name", [n for n in PROBLEMS if n not in ("regression", "points")])
def test_nor_about_a_ready_problem(name):
    assert check_problem(PROBLEMS[name]()) == []


def test_what_varies_in_time_alone_is_the_same_in_both_forms():
    given = [dirichlet(0), initial_value(0)]
    steady, moving = (
        heat(1) + SecondOrderOperator(2, A=[[parse(text, 2, True), 0], [0, 0]]) for text in ("-9*t", "-9*x")
    )
    assert found(steady, TIMED, given) == []
    ((severity, message),) = found(moving, TIMED, given)
    assert severity == "note"
    assert "varies from 1 to 10" in message


def test_of_points_without_a_domain_too():
    x = SQUARE.interior(200)
    (finding,) = check_problem(Problem([Block(of(STEP), x, 1.0)]))
    assert finding.severity == "note"
    assert "jumps" in finding.message


def test_outside_a_domain_that_is_not_convex_nothing_jumps():
    removed = "1.5 + 0.1*x + 9*heaviside(x - 0.1)*heaviside(-0.1 - y)"
    assert not bool(l_shape().contains(torch.tensor([[0.2, -0.2]], dtype=torch.float64)))
    assert found(of(removed), l_shape()) == []
    assert "jumps" in found(of(removed), box([-1.0, -1.0], [1.0, 1.0]))[0][1]


def test_a_k_that_jumps_is_refused():
    ((severity, message),) = found(divergence(2, parse(STEP, 2)))
    assert severity == "error"
    assert "jumps at x = [0.5, " in message
    assert "tanh" in message


def test_a_k_of_both_signs_is_no_elliptic_equation():
    ((severity, message),) = found(divergence(2, parse("x - 0.4", 2)))
    assert severity == "warning"
    assert "not elliptic" in message


def test_a_function_that_leaves_the_graph_in_part_is_found():
    def half(x):
        return 2.0 + x[:, 0] + torch.sin(3 * x[:, 1].detach())

    severities = {s for s, m in found(divergence(2, half)) if "k of divergence" in m}
    assert severities == {"error"}


def test_a_note_passes_strict_and_is_kept():
    problem = pose(of("1 + 3*x", 1), box(0.0, 1.0), 1.0, [dirichlet(0)], **FEW)
    record = solved_run(problem, settings=Settings(strict=True, kernel=False))
    assert sum("A:∇²u" in warning for warning in record.warnings) == 1


# ------------------------------------------------------------------------------------------------ solved as it is posed
SPEC = {"kind": "divergence", "k": "1 + x**2 + y/2"}


@pytest.mark.parametrize("boundary", ["hard", "soft"])
@pytest.mark.parametrize(
    "operator",
    [
        SPEC,
        SPEC | {"b": ["y", "-1"], "c": "1 + x"},
        {"kind": "divergence", "k": [["2 + x", "x*y"], ["x*y", 1]]},
    ],
)
def test_a_manufactured_problem_is_solved(operator, boundary):
    text = {"dim": 2, "operator": operator, "exact": "sin(2*x)*exp(y)", "boundary": boundary, "points": 64}
    solution = solve(problem_from_text(text))
    x = SQUARE.interior(300, seed=5)
    assert float((solution.u(x) - torch.sin(2 * x[:, 0]) * torch.exp(x[:, 1])).abs().max()) < 1e-8


def test_and_so_is_one_in_time():
    text = {"dim": 2, "time": True, "operator": {"kind": "divergence", "k": "1 + x/2 + t"}, "exact": "sin(2*x)*exp(-t)"}
    problem = problem_from_text(text | {"points": 64})
    assert problem.equation == "u_t − ∇·((1 + x/2 + t) ∇u) = 𝓛(sin(2*x)*exp(-t))"
    x = SQUARE.interior(300, seed=5)
    error = solve(problem).u(x) - torch.sin(2 * x[:, 0]) * torch.exp(-x[:, 1])
    assert float(error.abs().max()) < 1e-8


def test_a_steep_k_has_the_solution_of_the_flux():
    """−(k u')' = 1, u = 0 at both ends, by quadrature: u' = (c − x)/k."""

    def integral(g, end):
        return quad(g, 0.0, end, points=[0.5] if end > 0.5 else None, epsabs=1e-13, limit=400)[0]

    def k(x):
        return 1.1 + np.tanh((x - 0.5) / 0.05)

    c = integral(lambda x: x / k(x), 1.0) / integral(lambda x: 1 / k(x), 1.0)
    ends = [0.2, 0.45, 0.7]
    expected = torch.tensor([integral(lambda x: (c - x) / k(x), end) for end in ends], dtype=torch.float64)
    solution = solve(pose(divergence(1, parse("1.1 + tanh((x - 0.5)/0.05)", 1)), box(0.0, 1.0), 1.0, [dirichlet(0)]))
    found_there = solution.u(torch.tensor(ends, dtype=torch.float64)[:, None])
    torch.testing.assert_close(found_there, expected, rtol=0, atol=1e-8)


def test_fluxes_at_the_boundary_go_with_it():
    """−(k u')' = 0 with k = 1 + x, u = 0 at 0 and −k ∂u/∂ν = −1 at 1: u = log(1 + x)."""
    conditions = [
        {"type": "dirichlet", "on": "x=0", "value": 0},
        {"type": "robin", "on": "x=1", "alpha": 0, "beta": "1 + x", "value": 1},
    ]
    spec = {"dim": 1, "operator": {"kind": "divergence", "k": "1 + x"}, "source": 0, "conditions": conditions}
    x = box(0.0, 1.0).interior(100)
    error = solve(problem_from_text(spec)).u(x) - torch.log1p(x[:, 0])
    assert float(error.abs().max()) < 1e-8


def grid(path: Path) -> str:
    axis = np.linspace(0.0, 1.0, 5).tolist()
    rows = [f"{x},{y},{1 + x**2 + y / 2}" for x, y in itertools.product(axis, axis)]
    path.write_text("\n".join(["x,y,value", *rows]) + "\n", encoding="utf-8")
    return str(path)


def test_a_file_is_the_formula_whose_values_it_holds(tmp_path):
    text = {"dim": 2, "exact": "sin(2*x)*exp(y)", "points": 32, "boundary": "soft"}
    file = {"kind": "divergence", "k": {"grid": grid(tmp_path / "kappa.csv")}}
    read, typed = (problem_from_text(text | {"operator": operator}) for operator in (file, SPEC))
    for one, other in zip(
        read.posed[0].operator.coefficients(read.x), typed.posed[0].operator.coefficients(read.x), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)
    assert read.equation == (
        "−∇·(kappa(x, y) ∇u) = 𝓛(sin(2*x)*exp(y)), "
        "kappa (the cubic spline through kappa.csv, ∇kappa that of the spline)"
    )


@pytest.mark.parametrize(
    ("operator", "key", "words"),
    [
        ({"kind": "divergence"}, "operator.k", "missing"),
        ({"kind": "divergence", "kk": 1}, "operator.kk", "did you mean k"),
        ({"kind": "divergence", "k": "1 +"}, "operator.k", "not a formula"),
        ({"kind": "divergence", "k": [["x", 1]]}, "operator", "expected 2 rows of 2"),
        ({"kind": "divergence", "k": {"grid": "k.csv", "interpolation": "linear"}}, "operator.k", "expected cubic"),
    ],
)
def test_what_is_wrong_is_under_its_key(operator, key, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    grid(tmp_path / "k.csv")
    with pytest.raises(SpecError) as error:
        problem_from_text({"dim": 2, "operator": operator, "exact": "x*y"})
    assert any(k.startswith(key) and words in message for k, message in error.value.problems), error.value
