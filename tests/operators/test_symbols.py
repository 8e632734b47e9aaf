"""An operator in symbols: what is printed is what was given, and read back it gives the operator's coefficients."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from cases import points
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pinn_ntk.expressions import parse, variable_names
from pinn_ntk.geometry import box
from pinn_ntk.operators import (
    OPERATORS,
    SecondOrderOperator,
    black_scholes,
    elliptic,
    figure,
    heat,
    identity,
    laplacian,
)
from pinn_ntk.problem import Faults, Formulas, given_points, pose, problem_from_text


def read(spec: object, dim: int = 2, time: bool = False) -> SecondOrderOperator:
    """The operator of a text."""
    faults = Faults()
    operator = Formulas(box([0.1] * dim, [0.9] * dim), time, faults).operator("operator", spec, OPERATORS)
    faults.stop()
    assert operator is not None
    return operator


LONG = "1 + 0.25*sin(2*pi*x)*cos(2*pi*y) + 0.125*exp(-x*x-y*y)"
TEXTS = [
    ({"A": [["1 + x*x", 0.3], [0.3, "2"]]}, "(1 + x*x) u_xx + 0.6 u_xy + 2 u_yy"),
    ({"A": [["1+x**2", "x*y/2"], ["x*y/2", 1]]}, "(1+x**2) u_xx + 2*x*y/2 u_xy + u_yy"),
    ({"A": [[1, "x*y"], ["y*x", 1]]}, "Δu + x*y u_xy + y*x u_xy"),
    ({"A": [["1", "y"], ["x", "1"]], "symmetrise": True}, "Δu + y u_xy + x u_xy"),
    ({"A": "1 + x", "b": [1, "-x"], "c": "-(1 + y)"}, "(1 + x) Δu + u_x − x u_y − (1 + y) u"),
    ({"A": "1 + x", "b": [1, "-x"], "factor": -2}, "−2*(1 + x) Δu − 2 u_x + 2*x u_y"),
    ({"A": 0, "b": [0, "-(-x)"], "c": -1}, "x u_y − u"),
    ({"c": "(2*pi)**2"}, "39.47841760435743 u"),
    ([{"A": 1}, {"b": ["x", 0], "factor": 3}], "Δu + 3*x u_x"),
    ([{"A": "x"}, {"A": "x", "factor": -1}, {"c": 2}], "2 u"),
    ([{"A": 1}, {"A": 1, "factor": -1}], "0"),
    ([{"kind": "laplacian"}, {"c": "x*y"}], "Δu + x*y u"),
    ({"kind": "elliptic", "A": "1 + x", "c": 1}, "(1 + x) Δu + u"),
    ({"kind": "laplacian", "factor": -2}, "−2 Δu"),
    ({"kind": "helmholtz", "wavenumber": 3}, "Δu + k²u"),
    ({"kind": "divergence", "k": "1 + x*y"}, "−∇·((1 + x*y) ∇u)"),
    ({"kind": "divergence", "k": 2, "b": ["y", 0], "c": "-x"}, "−∇·(2 ∇u) + y u_x − x u"),
    ([{"kind": "divergence", "k": "x"}, {"c": 2}], "−x Δu − u_x + 2 u"),
    ([{"kind": "divergence", "k": "x*y"}, {"c": 2}], "−x*y Δu − ∂_x(x*y) u_x − ∂_y(x*y) u_y + 2 u"),
    ([{"kind": "divergence", "k": "x*y"}, {"kind": "identity"}], "−∇·(x*y ∇u) + u"),
]


@pytest.mark.parametrize(("spec", "said"), TEXTS)
def test_a_text_is_said_as_it_was_typed(spec: object, said: str) -> None:
    assert read(spec).equation("f") == f"{said} = f"


def test_long_formulas_stand_behind_the_equation() -> None:
    assert read({"A": [[LONG, 0], [0, 1]]}).equation("f") == f"a_xx u_xx + u_yy = f, a_xx = ({LONG})"


def test_derivatives_in_time_come_first() -> None:
    heat_text = {"A": [[-0.1, 0], [0, 0]], "b": [0, 1], "c": "sin(t)"}
    assert read(heat_text, time=True).equation("0", time=True) == "u_t − 0.1 u_xx + sin(t) u = 0"
    wave_text = {"A": [["-(1+x)", 0, 0], [0, "-(1+x)", 0], [0, 0, 1]]}
    assert read(wave_text, 3, time=True).equation("0", time=True) == "u_tt − (1+x) Δu = 0"


def test_many_coordinates_are_numbered_and_many_entries_summed_up() -> None:
    assert read({"A": 2, "b": [0, 0, "x3", 0]}, 4).equation("0") == "2 Δu + x3 u_x3 = 0"
    matrix = [[1.0 if i == j else 0.1 for i in range(10)] for j in range(10)]
    assert (
        read({"A": matrix, "b": ["x1"] * 10, "c": 2}, 10).equation("0")
        == "A:∇²u + b·∇u + 2 u = 0, A = a constant 10 × 10 matrix, b = a variable vector of 10"
    )


def kappa(p: Tensor) -> Tensor:
    return 1.0 + p[:, 0]


def matrix(p: Tensor) -> Tensor:
    return kappa(p)[:, None, None] * torch.eye(2).to(p)


FUNCTIONS: list[tuple[Callable[[], SecondOrderOperator], str]] = [
    (lambda: SecondOrderOperator(2, A=[[kappa, 0.0], [0.0, 2.0]], c=kappa),
     "kappa(x, y) u_xx + 2 u_yy + kappa(x, y) u = f"),
    (lambda: SecondOrderOperator(2, A=matrix, c=1.0),
     "A:∇²u + u = f, A = matrix(x, y)"),
    (lambda: 2.0 * SecondOrderOperator(2, A=matrix) - SecondOrderOperator(2, A=kappa),
     "A:∇²u = f, A = 2*matrix(x, y) − kappa(x, y)"),
    (lambda: SecondOrderOperator(2, b=lambda p: p),
     "b·∇u = f, b = (a lambda)"),
    (lambda: elliptic(2, kappa, divergence=torch.ones_like),
     "A:∇²u + b·∇u = f, A = kappa(x, y), b = ones_like(x, y)"),
    (lambda: kappa * SecondOrderOperator(2, A=1.0, b=[1.0, 2.0]),
     "kappa(x, y) Δu + kappa(x, y) u_x + 2*kappa(x, y) u_y = f"),
    (lambda: SecondOrderOperator(2, c=torch.nn.ReLU()),
     "(a ReLU) u = f"),
    (lambda: -SecondOrderOperator(2, A=matrix, c=1.0),
     "A:∇²u − u = f, A = −matrix(x, y)"),
    (lambda: laplacian(2) + SecondOrderOperator(2, c=3.0),
     "Δu + 3 u = f"),
    (lambda: black_scholes() + SecondOrderOperator(2, c=0.05),
     "diffusion(x, y) u_xx + growth(x, y) u_x + u_y = f"),
    (lambda: heat(1) + 2.0 * identity(2),
     "u_t − κΔu + 2·(u) = f"),
    (lambda: SecondOrderOperator(2, A=kappa, name="κΔu"),
     "κΔu = f"),
    (lambda: -laplacian(2),
     "−Δu = f"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "said"), FUNCTIONS)
def test_an_operator_of_python_is_said_by_names(make: Callable[[], SecondOrderOperator], said: str) -> None:
    assert make().equation("f") == said


_SUMMAND = re.compile(r" ?(−|\+)? ?(.*?) ?(Δu|u_\w+|u)(?= [+−] | = )")


def read_back(equation: str, x: Tensor, time: bool) -> tuple[Tensor, Tensor, Tensor]:
    """(A, b, c) at points, from the left-hand side of an equation and the reader of formulas."""
    n, d = x.shape
    names, A, b, c = variable_names(d, time), x.new_zeros(n, d, d), x.new_zeros(n, d), x.new_zeros(n)
    for minus, text, derivative in _SUMMAND.findall(equation):
        value = (-1.0 if minus == "−" else 1.0) * (parse(text, d, time)(x) if text else x.new_ones(n))
        axes = [names.index(a) for a in derivative.removeprefix("u_")] if "_" in derivative else []
        if derivative == "Δu":
            A += value[:, None, None] * torch.diag(x.new_tensor([1.0] * (d - time) + [0.0] * time))
        elif not axes:
            c += value
        elif len(axes) == 1:
            b[:, axes[0]] += value
        else:
            A[:, axes[0], axes[1]] += value / 2.0
            A[:, axes[1], axes[0]] += value / 2.0
    return A, b, c


FORMULAS = ["x", "-x", "1 + x", "x - y", "-(x + y)*x", "(x*y)", "x/(1 + y)", "-2**x", "+x - 1", "(x)*(y)", "-(-(x))",
            "sin(x - y)", "2*x**2", "-x*(y - 1)", "((1 - y))", "1e-3*x", "(x + y)*(x - y)", "(1 + x) - (y)",
            ]  # fmt: skip


def sums(second: str) -> st.SearchStrategy[list[dict[str, object]]]:
    """Lists of {A, b, c, factor} in the coordinates x and `second`."""
    formulas = st.sampled_from([text.replace("y", second) for text in FORMULAS])
    entry = st.one_of(formulas, st.sampled_from([0, 1, -1, 0.3, -2.5, "1/3", "pi"]))
    A = st.one_of(entry, st.tuples(entry, entry, entry).map(lambda e: [[e[0], e[1]], [e[1], e[2]]]))
    b, factor = st.lists(entry, min_size=2, max_size=2), st.sampled_from([-1, 2, -0.7])
    term = st.fixed_dictionaries({"A": A}, optional={"b": b, "c": entry, "factor": factor})
    return st.lists(term, min_size=1, max_size=3)


@settings(max_examples=150, derandomize=True, database=None, deadline=None)
@given(st.one_of(st.tuples(st.just(False), sums("y")), st.tuples(st.just(True), sums("t"))))
def test_a_text_that_is_read_back_gives_the_coefficients(case: tuple[bool, list[dict[str, object]]]) -> None:
    time, spec = case
    operator, x = read(spec, 2, time), points(5, 2)
    printed = read_back(operator.equation("f", time), x, time)
    for one, other in zip(printed, operator.coefficients(x), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-13, atol=1e-13)


def test_numbers_are_printed_by_the_fewest_digits_that_give_them_back() -> None:
    values = (2.0, 0.1 + 0.2, 1.0 / 3.0, 1e-5, 123456789.0)
    assert list(map(figure, values)) == ["2", "0.3", "0.3333333333333333", "1e-05", "123456789"]


def test_problems_are_headed_by_their_coefficients() -> None:
    square = box([0.0, 0.0], [1.0, 1.0])
    operator = SecondOrderOperator(2, A=[[kappa, 0.0], [0.0, 1.0]])
    assert pose(operator, square, exact="x*y", points=4).equation == "kappa(x, y) u_xx + u_yy = 𝓛(x*y)"
    text = {"dim": 2, "operator": {"A": [["1 + x*x", 0.3], [0.3, 1]]}, "source": "x", "boundary_value": 0, "points": 4}
    assert problem_from_text(text).equation == "(1 + x*x) u_xx + 0.6 u_xy + u_yy = x"
    listed = given_points(operator={"A": "1 + x"}, points=[0.25, 0.5], target=1.0)
    assert listed.equation == "(1 + x) u_xx = f at 2 given points, f = 1.0"


def test_fields_from_files_are_said_with_their_file(tmp_path: Path) -> None:
    (tmp_path / "kappa.csv").write_text("x,value\n0,1\n0.5,2\n1,3\n", encoding="utf-8")
    field = {"grid": str(tmp_path / "kappa.csv")}
    text = {
        "dim": 2,
        "operator": {"A": [[field, 0], [0, 1]], "factor": -1},
        "source": 1,
        "points": 4,
        "boundary": "soft",
    }
    assert problem_from_text(text).equation == (
        "−kappa(x) u_xx − u_yy = 1, kappa (interpolated from kappa.csv, linear, never differentiated)"
    )


def test_robin_conditions_say_their_factors() -> None:
    def words(**factors: object) -> str:
        robin = {"type": "robin", "on": "x=0", "value": 0, **factors}
        rest = {"type": "dirichlet", "on": ["x=1", "y=0", "y=1"], "value": 0}
        spec = {"dim": 2, "operator": {"kind": "laplacian"}, "conditions": [robin, rest], "source": 1, "points": 4}
        return problem_from_text(spec).conditions[0]

    assert words(alpha="1 + y", beta=2) == "(1 + y) u + 2 ∂u/∂ν = 0 on x=0"
    assert words(alpha=-3, beta="-y") == "−3 u − y ∂u/∂ν = 0 on x=0"
    assert words() == "u + ∂u/∂ν = 0 on x=0"
